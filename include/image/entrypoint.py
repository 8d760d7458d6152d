"""The one entry point of the job image: finds the code a job was given, and runs the step it is asked for.

Called as `process <step> --name value ...`, `train` or `serve`. The image holds libraries only; what runs is
the archive in the channel `code`, or beside the model. Standard library only, and little of it: this is on
the way of every job's start.
"""

from __future__ import annotations

import atexit
import importlib
import os
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
#: where the code may lie, in the order of preference
PLACES = {
    "process": ("processing/input/code",),
    "train": ("input/data/code",),
    "serve": ("model/code",),
}
#: what of a failure SageMaker shows, in bytes
REASON_LIMIT = 1024


def main(arguments: list[str]) -> int:
    """Run the step named by `arguments` and return the exit code."""
    role = arguments[0] if arguments else ""
    if role not in PLACES:
        return _fail(
            "process", f"Cannot start: {role!r} is none of {', '.join(PLACES)}. Name the role first."
        )
    signal.signal(signal.SIGTERM, _stop)
    # OpenMP reads it when it is loaded, after this. Threads that spin while they wait take the cores from
    # whatever else runs: on a busy machine a training took four times as long
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        root = _code(role)
        step = _step(role, arguments, root)
    except (OSError, ValueError) as error:
        return _fail(role, str(error))
    # before all else on the path: the code that was given, not what happens to be installed
    sys.path.insert(0, str(root))
    sys.argv = [step, *arguments[2 if role == "process" else 1 :]]
    return _run(role, step)


def _run(role: str, step: str) -> int:
    try:
        code = importlib.import_module(f"include.steps.{step}").main()
    except Exception as error:  # noqa: BLE001 - whatever a step raises must become the job's failure reason
        traceback.print_exc()
        return _fail(role, f"The step {step} crashed: {type(error).__name__}: {error}")
    return code if isinstance(code, int) else 0


def _code(role: str) -> Path:
    """The folder to import from: an unpacked one as it is, an archive unpacked into a folder of its own."""
    for place in (BASE / name for name in PLACES[role]):
        if (place / "include").is_dir():
            return place
        archives = sorted(place.glob("*.tar.gz"))
        if len(archives) == 1:
            return _unpack(archives[0])
        if archives:
            names = ", ".join(path.name for path in archives)
            raise ValueError(f"Cannot choose the code: {place} holds {names}. Give the job one archive.")
    places = " or ".join(str(BASE / name) for name in PLACES[role])
    raise ValueError(f"Cannot find the job's code: no archive in {places}. Give the job the channel 'code'.")


def _unpack(archive: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="flywheel-code-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            _extract(tar, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(
            f"Cannot unpack the code: {archive.name} is damaged ({error}). Put the archive anew."
        ) from error
    return folder


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack what stays below `folder`; Python before 3.11.4 has no filter for it, so links are refused."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    for member in tar.getmembers():
        is_below = (folder / member.name).resolve().is_relative_to(folder.resolve())
        if not is_below or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name!r} is no plain file below the archive's own folder")
        member.mode &= 0o755
    tar.extractall(folder)  # noqa: S202 - every member was looked at


def _step(role: str, arguments: list[str], root: Path) -> str:
    if role != "process":
        return role
    step = arguments[1] if len(arguments) > 1 else ""
    steps = sorted(path.stem for path in (root / "include/steps").glob("[a-z]*.py"))
    if not re.fullmatch(r"[a-z_]+", step) or step not in steps:
        raise ValueError(f"Cannot run the step {step!r}: the code has {', '.join(steps)}.")
    return step


def _fail(role: str, reason: str) -> int:
    """Leave the reason where SageMaker looks for it, and as the last line of the log."""
    if role != "serve":
        place = BASE / "output" / ("failure" if role == "train" else "message")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(reason.encode()[:REASON_LIMIT].decode(errors="ignore"))
        except OSError as error:
            sys.stderr.write(f"Cannot leave the reason in {place}: {error}\n")
    sys.stderr.write(reason + "\n")
    return 1


def _stop(number: int, _frame: object) -> NoReturn:
    """Leave by the normal way out, so that temporary files go."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
