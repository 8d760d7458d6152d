"""The job image's entry point finds the code, runs the step, and leaves the reason when it cannot."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENTRY_POINT = ROOT / "include/image/entrypoint.py"
STEPS = {
    "include/__init__.py": "",
    "include/steps/__init__.py": "",
    "include/steps/count.py": "import sys\ndef main():\n    print('told', *sys.argv)\n",
    "include/steps/crash.py": "def main():\n    raise RuntimeError('no such luck')\n",
    "include/steps/train.py": "import include\ndef main():\n    print('from', include.__file__)\n",
}


def archive(folder: Path, files: dict[str, str], name: str = "code.tar.gz") -> None:
    """A code archive in a channel."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w:gz") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))


def run(base: Path, *arguments: str, entry_point: Path = ENTRY_POINT) -> tuple[int, str]:
    """Exit code and log of the entry point with `base` as its /opt/ml."""
    temporary = base / "tmp"
    temporary.mkdir(exist_ok=True)
    found = subprocess.run(
        [sys.executable, "-I", "-u", str(entry_point), *arguments],
        env={"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert list(temporary.iterdir()) == []
    return found.returncode, found.stdout


def test_a_step_is_run_with_its_arguments(tmp_path: Path) -> None:
    """The step comes from the archive, is told its arguments, and leaves no temporary files."""
    archive(tmp_path / "processing/input/code", STEPS)
    assert run(tmp_path, "process", "count", "--cycle", "x") == (0, "told count --cycle x\n")


def test_training_takes_its_own_channel(tmp_path: Path) -> None:
    """The code that runs is the archive's, not what happens to be installed."""
    archive(tmp_path / "input/data/code", STEPS)
    code, log = run(tmp_path, "train")
    assert code == 0
    assert log.startswith(f"from {tmp_path / 'tmp'}")


def test_code_beside_the_model_needs_no_unpacking(tmp_path: Path) -> None:
    """A served model brings its code as a folder."""
    for path, text in (STEPS | {"include/steps/serve.py": STEPS["include/steps/train.py"]}).items():
        place = tmp_path / "model/code" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    assert run(tmp_path, "serve") == (0, f"from {tmp_path / 'model/code/include/__init__.py'}\n")


def test_a_model_of_version_0_1_0_is_served_by_its_own_code(tmp_path: Path) -> None:
    """Its steps lie in include/jobs."""
    for path, text in {
        "include/__init__.py": "",
        "include/jobs/__init__.py": "",
        "include/jobs/serve.py": STEPS["include/steps/train.py"],
    }.items():
        place = tmp_path / "model/code" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    assert run(tmp_path, "serve") == (0, f"from {tmp_path / 'model/code/include/__init__.py'}\n")


def test_the_files_that_the_image_has_are_enough(tmp_path: Path) -> None:
    """The Dockerfile copies the entry point and the safe extraction into one folder."""
    copied = re.findall(r"include/\S+\.py", (ROOT / "include/image/Dockerfile").read_text())
    (tmp_path / "image").mkdir()
    for path in copied:
        shutil.copy(ROOT / path, tmp_path / "image")
    base = tmp_path / "base"
    archive(base / "processing/input/code", STEPS)
    found = run(base, "process", "count", entry_point=tmp_path / "image/entrypoint.py")
    assert found == (0, "told count\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Cannot start: '' is none of process, train, serve."),
        (("process",), "Cannot run the step '': the code has count, crash, train."),
        (("process", "../os"), "Cannot run the step '../os': the code has count, crash, train."),
        (("process", "crash"), "The step crash crashed: RuntimeError: no such luck"),
        (("train",), "Cannot find the job's code: no archive in"),
    ],
)
def test_the_reason_of_a_failure_is_left_for_sagemaker(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """The last line of the log and the message tell the same reason, and the exit code is 1."""
    archive(tmp_path / "processing/input/code", STEPS)
    code, log = run(tmp_path, *arguments)
    place = tmp_path / "output" / ("failure" if arguments == ("train",) else "message")
    assert code == 1
    assert place.read_text() == log.splitlines()[-1]
    assert log.splitlines()[-1].startswith(reason)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    """A truncated archive is told from a crash."""
    folder = tmp_path / "processing/input/code"
    archive(folder, STEPS)
    whole = (folder / "code.tar.gz").read_bytes()
    (folder / "code.tar.gz").write_bytes(whole[: len(whole) // 2])
    code, log = run(tmp_path, "process", "count")
    assert code == 1
    assert "Cannot unpack the code: code.tar.gz is damaged" in log


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    """A member that leads elsewhere stops the job, and nothing is written there."""
    archive(tmp_path / "processing/input/code", {"../../escaped.py": "x"})
    code, log = run(tmp_path, "process", "count")
    assert code == 1
    assert "Cannot unpack the code" in log
    assert not list(tmp_path.rglob("escaped.py"))


def test_two_archives_are_refused(tmp_path: Path) -> None:
    """Which code runs is never a guess."""
    archive(tmp_path / "processing/input/code", STEPS)
    archive(tmp_path / "processing/input/code", STEPS, "other.tar.gz")
    assert (
        "holds code.tar.gz, other.tar.gz. Give the job one archive." in run(tmp_path, "process", "count")[1]
    )
