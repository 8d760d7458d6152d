"""The entry point of the job image: find the code that a job was given, and run the step it names.

Called as `process <step> --name value ...`, `train` or `serve`. The image holds libraries only; the code is
the archive in the channel `code`, or the folder beside the model. Every job starts with this file, so it uses
little of the standard library and nothing else.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import os
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
from pathlib import Path
from types import ModuleType
from typing import NoReturn

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
#: folders that may hold the code, in the order of preference
PLACES = {
    "process": ("processing/input/code",),
    "train": ("input/data/code",),
    "serve": ("model/code",),
}
#: the package of the steps; models that version 0.1.0 trained carry theirs by its former name
PACKAGES = ("include/steps", "include/jobs")
#: the longest reason of a failure that SageMaker shows, in bytes
REASON_LIMIT = 1024
#: the safe extraction: beside this file in the image, in the project at its own place
ARCHIVES = (Path(__file__).parent / "archives.py", Path(__file__).parents[1] / "core/archives.py")


def main(arguments: list[str]) -> int:
    """Run the step named by `arguments` and return the exit code."""
    role = arguments[0] if arguments else ""
    if role not in PLACES:
        return _fail(
            "process", f"Cannot start: {role!r} is none of {', '.join(PLACES)}. Name the role first."
        )
    signal.signal(signal.SIGTERM, _stop)
    # OpenMP reads this when it is loaded. Threads that spin while they wait take cores from other processes:
    # on a busy machine a training took four times as long
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        root = _code(role)
        step = _step(role, arguments, root)
    except (OSError, ValueError) as error:
        return _fail(role, str(error))
    # first on the path: the given code must win over anything installed
    sys.path.insert(0, str(root))
    sys.argv = [step, *arguments[2 if role == "process" else 1 :]]
    return _run(role, root, step)


def _run(role: str, root: Path, step: str) -> int:
    package = _package(root).replace("/", ".")
    try:
        code = importlib.import_module(f"{package}.{step}").main()
    except Exception as error:  # noqa: BLE001 - whatever a step raises must become the job's failure reason
        traceback.print_exc()
        return _fail(role, f"The step {step} crashed: {type(error).__name__}: {error}")
    return code if isinstance(code, int) else 0


def _package(root: Path) -> str:
    """Return the folder of the steps below `root`."""
    return next((name for name in PACKAGES if (root / name).is_dir()), PACKAGES[0])


def _code(role: str) -> Path:
    """Return the folder to import from; an archive is unpacked into a temporary one."""
    for folder in (BASE / name for name in PLACES[role]):
        if (folder / "include").is_dir():
            return folder
        archives = sorted(folder.glob("*.tar.gz"))
        if len(archives) == 1:
            return _unpack(archives[0])
        if archives:
            names = ", ".join(path.name for path in archives)
            raise ValueError(f"Cannot choose the code: {folder} holds {names}. Give the job one archive.")
    places = " or ".join(str(BASE / name) for name in PLACES[role])
    raise ValueError(f"Cannot find the job's code: no archive in {places}. Give the job the channel 'code'.")


def _unpack(archive: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="flywheel-code-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            _archives().extract(tar, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(
            f"Cannot unpack the code: {archive.name} is damaged ({error}). Upload the archive again."
        ) from error
    return folder


def _archives() -> ModuleType:
    """Return the module that unpacks archives; the code it belongs to is not unpacked yet."""
    path = next(path for path in ARCHIVES if path.is_file())
    spec = importlib.util.spec_from_file_location("archives", path)
    if spec is None or spec.loader is None:
        raise OSError(f"Cannot unpack the code: {path} cannot be loaded. Build the image again.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _step(role: str, arguments: list[str], root: Path) -> str:
    if role != "process":
        return role
    step = arguments[1] if len(arguments) > 1 else ""
    steps = sorted(path.stem for path in (root / _package(root)).glob("[a-z]*.py"))
    if not re.fullmatch(r"[a-z_]+", step) or step not in steps:
        raise ValueError(f"Cannot run the step {step!r}: the code has {', '.join(steps)}.")
    return step


def _fail(role: str, reason: str) -> int:
    """Write the reason where SageMaker looks for it and as the last line of the log; return 1."""
    if role != "serve":
        path = BASE / "output" / ("failure" if role == "train" else "message")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(reason.encode()[:REASON_LIMIT].decode(errors="ignore"))
        except OSError as error:
            sys.stderr.write(f"Cannot leave the reason in {path}: {error}\n")
    sys.stderr.write(reason + "\n")
    return 1


def _stop(number: int, _frame: object) -> NoReturn:
    """Exit normally, so that temporary files are removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
