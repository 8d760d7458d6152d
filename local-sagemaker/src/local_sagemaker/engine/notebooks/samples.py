"""What a new notebook instance is given: sample files, the interpreter of its JupyterLab, environment.

A folder of files that are copied; its `notebooks.toml`, if there is one, says the rest:

    python = "{dir}/.venv/bin/python"   # optional; else the interpreter of this service
    inherit = ["LAB_*"]                 # variables of the service that kernels get, as shell patterns
    [environment]                       # set in every kernel and terminal; {dir} is this folder
    PYTHONPATH = "{dir}/../.."
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

DECLARATION = "notebooks.toml"


class SamplesError(Exception):
    """A notebooks.toml that cannot be used."""


@dataclass(frozen=True)
class Samples:
    """What new instances are given."""

    #: None: no files
    folder: Path | None = None
    #: interpreter that has JupyterLab
    python: str = sys.executable
    #: what kernels find in their environment
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The environment of a process: bare as a container's, then what was declared."""
        path = os.pathsep.join([str(Path(self.python).parent), os.environ.get("PATH", os.defpath)])
        return {"PATH": path, "LANG": "C.UTF-8", **self.environment}

    def copy(self, place: Path) -> None:
        """Copy the files to `place`, except those that are there already."""
        if self.folder is None:
            return
        for source in sorted(self.folder.iterdir()):
            target = place / source.name
            is_sample = source.is_file() and source.name != DECLARATION and not source.name.startswith(".")
            if is_sample and not target.exists():
                new = target.with_name(f".{target.name}.new")
                shutil.copyfile(source, new)
                new.replace(target)


def read(folder: Path | None) -> Samples:
    """The samples in a folder; SamplesError says what is wrong with its declaration."""
    if folder is None:
        return Samples()
    path = folder / DECLARATION
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return _samples(folder.resolve(), found)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SamplesError(
            f"Cannot use {path}: {error}. It may have `python`, `inherit` (a list of patterns) and "
            "[environment]."
        ) from error


def _samples(folder: Path, found: dict[str, Any]) -> Samples:
    unknown = found.keys() - {"python", "inherit", "environment"}
    if unknown:
        raise ValueError(f"it has {', '.join(sorted(unknown))}, which means nothing here")
    patterns = [str(pattern) for pattern in found.get("inherit", [])]
    inherited = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    }
    python = _filled(found.get("python", sys.executable), folder)
    given = {name: _filled(value, folder) for name, value in found.get("environment", {}).items()}
    return Samples(folder, python, {**inherited, **given})


def _filled(word: object, folder: Path) -> str:
    return str(word).replace("{dir}", str(folder))
