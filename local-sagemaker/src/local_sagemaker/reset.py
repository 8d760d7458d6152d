"""`--reset`: delete what a service has kept in its root, and nothing else that lies there."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from local_sagemaker.engine.processes.process import Process, adopt
from local_sagemaker.service import lock_root

DATABASE = "sagemaker.sqlite"
#: folders of a root that are the service's
FOLDERS = ("endpoints", "jobs", "logs", "notebooks", "s3", "secrets")


class ResetRefusedError(Exception):
    """Nothing was deleted."""


def reset(root: Path, confirm: Callable[[str], bool]) -> None:
    """Delete the state of a service that does not run: database, objects, logs, and what jobs left.

    The database goes last, so that a reset that was interrupted can be repeated.

    :param confirm: asked with what will be deleted; False ends it there.
    :raises ResetRefusedError: there is no state, something of it runs, or `confirm` says no.
    :raises RootTakenError: a service works in the directory.
    """
    if not (root / DATABASE).is_file():
        raise ResetRefusedError(
            f"{root} is no root of a local SageMaker: it has no {DATABASE}. Give its --root."
        )
    with lock_root(root):
        if running := [str(process.pid) for process in living(root)]:
            raise ResetRefusedError(
                f"Jobs or endpoints of {root} still run (processes {', '.join(running)}). Start the service, "
                "stop them, stop the service, and reset it then."
            )
        folders = [root / name for name in FOLDERS if (root / name).is_dir()]
        if linked := [str(folder) for folder in folders if folder.is_symlink()]:
            raise ResetRefusedError(f"{', '.join(linked)} lead elsewhere. Delete what they lead to yourself.")
        files = [*root.glob(f"{DATABASE}.*"), *root.glob(f"{DATABASE}-*"), root / DATABASE]
        names = ", ".join(sorted(path.name for path in [*folders, root / DATABASE]))
        if not confirm(f"Delete {names} in {root}?"):
            raise ResetRefusedError("Nothing was deleted.")
        for folder in folders:
            shutil.rmtree(folder)
        for file in files:
            file.unlink(missing_ok=True)


def ask(question: str) -> bool:
    """Ask a person at a terminal; raise ResetRefusedError if there is none."""
    if not sys.stdin.isatty():
        raise ResetRefusedError(f"{question} Nobody can answer here. Give --yes.")
    return input(f"{question} [yes/no] ").strip().lower() == "yes"


def living(root: Path) -> Iterator[Process]:
    """Yield the processes of jobs, endpoints and notebooks that run, also without the service."""
    for name in ("jobs", "endpoints", "notebooks"):
        for record in (root / name).rglob("run/process.json"):
            process = adopt(record.parent.parent)
            if process is not None and process.is_alive():
                yield process
