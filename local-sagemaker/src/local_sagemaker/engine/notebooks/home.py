"""A notebook instance on the disk, and the samples that a new instance gets.

`home` is HOME of its kernels and scripts, `home/SageMaker` is what JupyterLab shows; both survive stops. All
files of one start, from Pending to Stopped, are below `starts/<number>`, where the next service finds them
after a kill.

Samples are a folder of files. Its optional `notebooks.toml` declares the rest:

    python = "{dir}/.venv/bin/python"   # default: the interpreter of this service
    inherit = ["LAB_*"]                 # variables of the service that kernels get, as shell patterns
    [environment]                       # set in every kernel and terminal; {dir} is this folder
    PYTHONPATH = "{dir}/../.."
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import local_sagemaker
from local_sagemaker.base import Service
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.image import bare_environment, fill
from local_sagemaker.engine.processes.process import adopt
from local_sagemaker.engine.processes.wire import PORT_VARIABLE
from local_sagemaker.storage.objects import files
from local_sagemaker.storage.store import Resource

LOG_GROUP = "/aws/sagemaker/NotebookInstances"
#: the folder to import this package from, also in an interpreter that it is not installed in
LOCATION = Path(local_sagemaker.__file__).parents[1]
#: time between SIGTERM and SIGKILL of the processes of an earlier start, in seconds
GRACE_S = 5.0

CONFIG = """
import os, sys

sys.path.append({location!r})
from local_sagemaker.engine.notebooks.identity import SessionIdentity

c.ServerApp.identity_provider_class = SessionIdentity
c.SessionIdentity.secret_path = {secret!r}
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = int(os.environ.pop({port!r}))
c.ServerApp.port_retries = 0
c.ServerApp.base_url = {base_url!r}
c.ServerApp.root_dir = {root!r}
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.quit_button = False
# no request goes to the internet
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
"""
DECLARATION = "notebooks.toml"


class NotebookError(Exception):
    """An instance cannot go on; the text is its FailureReason."""


@dataclass(frozen=True)
class Samples:
    """The sample files, interpreter and environment of new instances."""

    #: None: there are no files
    folder: Path | None = None
    #: the interpreter that has JupyterLab
    python: str = sys.executable
    #: variables of every kernel and terminal
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return the environment of a process: as bare as a container's, with the declared variables."""
        return {**bare_environment(self.python), **self.environment}

    def copy(self, target_folder: Path) -> None:
        """Copy the files to `target_folder`, except those that exist already."""
        if self.folder is None:
            return
        for source in sorted(self.folder.iterdir()):
            target = target_folder / source.name
            is_sample = source.is_file() and source.name != DECLARATION and not source.name.startswith(".")
            if is_sample and not target.exists():
                files.write(target, source.read_bytes(), is_durable=False)


def read_samples(folder: Path | None) -> Samples:
    """Return the samples of a folder; raise NotebookError if its notebooks.toml is not valid."""
    if folder is None:
        return Samples()
    path = folder / DECLARATION
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return _declared_samples(folder.resolve(), declared)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise NotebookError(
            f"InternalServerError: Cannot use {path}: {error}. It may have `python`, `inherit` (a list of "
            "patterns) and [environment]."
        ) from error


def _declared_samples(folder: Path, declared: dict[str, Any]) -> Samples:
    unknown = declared.keys() - {"python", "inherit", "environment"}
    if unknown:
        raise ValueError(f"it has {', '.join(sorted(unknown))}, which means nothing here")
    patterns = [str(pattern) for pattern in declared.get("inherit", [])]
    inherited = {
        name: value for name, value in os.environ.items() if any(fnmatchcase(name, one) for one in patterns)
    }
    python = fill(declared.get("python", sys.executable), folder)
    environment = {name: fill(value, folder) for name, value in declared.get("environment", {}).items()}
    return Samples(folder, python, {**inherited, **environment})


class NotebookHome:
    """The folders of one instance, as of one of its starts."""

    def __init__(self, service: Service, name: str, number: int) -> None:
        """Name the folders.

        :param number: of the start, from 1.
        """
        self.service, self.name = service, name
        # AWS writes the name in lower case
        self.arn = service.arn("sagemaker", f"notebook-instance/{name.lower()}")
        self.folder = service.root / "notebooks" / name
        #: HOME of kernels and scripts
        self.home = self.folder / "home"
        #: what JupyterLab shows
        self.files = self.home / "SageMaker"
        #: belongs to this start alone
        self.start = self.folder / "starts" / str(number)
        #: JupyterLab's configuration
        self.config = self.start / "jupyter_config.py"
        #: the key that seals the sessions of this start
        self.secret = self.start / "session.key"
        #: path below which JupyterLab answers
        self.base_url = f"/notebook/{name}/"

    @classmethod
    def of(cls, service: Service, resource: Resource) -> NotebookHome:
        """Return the home of a resource's instance."""
        return cls(service, resource.name, int(resource.state["start"]))

    def workspace(self, process: str) -> Path:
        """Return the workspace of a process of this start: `jupyter`, or a lifecycle script."""
        return self.start / process

    def log(self, stream: str) -> Path:
        """Return the file of one of the instance's log streams."""
        return logs.path(self.service.root, LOG_GROUP, f"{self.name}/{stream}")

    def environment(self, samples: Samples) -> Mapping[str, str]:
        """Return the environment of scripts and kernels."""
        return {
            **samples.variables(),
            **self.service.container_variables(),
            "HOME": str(self.home),
            "JUPYTER_RUNTIME_DIR": str(self.start / "runtime"),
            "SHELL": "/bin/bash",
        }

    def prepare(self, resource: Resource, samples: Samples) -> None:
        """Make the folders and files of this start; idempotent."""
        self.files.mkdir(parents=True, exist_ok=True)
        self.start.mkdir(parents=True, exist_ok=True)
        for start in self.start.parent.iterdir():
            if start != self.start:
                _clear(start)
        if not resource.state.get("is_made"):
            samples.copy(self.files)
        if not self.secret.exists():
            new = self.secret.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text(secrets.token_hex(32), encoding="utf-8")
            new.replace(self.secret)
        config = CONFIG.format(
            location=str(LOCATION),
            secret=str(self.secret),
            port=PORT_VARIABLE,
            base_url=self.base_url,
            root=str(self.files),
        )
        self.config.write_text(config, encoding="utf-8")

    def remove(self) -> None:
        """End what runs of this start, and delete all folders of the instance."""
        _clear(self.start)
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_metadata(self, workspace: Path) -> None:
        """Write /opt/ml/metadata/resource-metadata.json into a workspace, as on AWS."""
        path = workspace / "ml/metadata/resource-metadata.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"ResourceArn": self.arn, "ResourceName": self.name}
        path.write_text(json.dumps(metadata), encoding="utf-8")


def _clear(start: Path) -> None:
    """End the running processes of a start, and delete its folder."""
    for record in start.glob("*/run/process.json"):
        process = adopt(record.parent.parent)
        if process is not None and process.is_alive():
            process.end(GRACE_S)
    shutil.rmtree(start, ignore_errors=True)
