"""The job image runs steps as SageMaker would: its own user, libraries of the lock, code from the channel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.core.code import archive, archive_files
from include.core.cycle import find_cycles
from include.core.settings import PROJECT
from tests.compose.conftest import DOCKER, docker

TAG = "flywheel:test-of-the-job-image"
CYCLE = find_cycles()["digits"]


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest) -> Iterator[str]:
    """The image, built as the Makefile builds it."""
    request.getfixturevalue("images")
    docker("build", "--file", str(PROJECT / "include/image/Dockerfile"), "--tag", TAG, str(PROJECT))
    yield TAG
    docker("rmi", TAG)


def run(image: str, base: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the image with a folder as its /opt/ml."""
    command = [DOCKER, "run", "--rm", "--network", "none", "--volume", f"{base}:/opt/ml", image, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_step_runs_in_the_image(image: str, tmp_path: Path) -> None:
    """The code comes with the job; the container's user is not root; the output is whole."""
    code, output = tmp_path / "processing/input/code", tmp_path / "processing/output"
    for folder in (code, output, tmp_path / "output"):
        folder.mkdir(parents=True)
        folder.chmod(0o777)  # the container's user is another
    tmp_path.chmod(0o755)
    (code / "code.tar.gz").write_bytes(archive(archive_files(CYCLE.name)))
    start, end = CYCLE.start.isoformat(), CYCLE.start.replace(year=CYCLE.start.year + 1).isoformat()
    words = ["--cycle", CYCLE.name, "--start", start, "--end", end, "--key", "0" * 64]
    done = run(image, tmp_path, "process", "fetch", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["step"] == "fetch"
    assert sum(file["rows"] for file in manifest["files"]) > 0
    assert {path.stat().st_uid for path in output.iterdir()} == {1000}


@pytest.mark.long
@pytest.mark.parametrize("role", ["train", "serve", "process"])
def test_the_image_has_an_entry_for_each_role(image: str, tmp_path: Path, role: str) -> None:
    """Without its code, each says what it misses, and fails."""
    tmp_path.chmod(0o777)  # the container's user is another
    done = run(image, tmp_path, role)
    assert (done.returncode, "Cannot find the job's code" in done.stderr) == (1, True)


@pytest.mark.long
def test_the_image_holds_libraries_and_no_airflow(image: str) -> None:
    """What it holds is what jobs need: it is small, and has no secrets of the project's folder."""
    listed = docker("run", "--rm", image, "sh", "-c", "ls /opt/flywheel/lib/python3*/site-packages /opt/ml")
    assert "pandas" in listed
    assert [name for name in ("airflow", "boto3", "torch") if name in listed.split()] == []
    assert int(docker("image", "inspect", "--format", "{{.Size}}", image)) < 1_000_000_000
