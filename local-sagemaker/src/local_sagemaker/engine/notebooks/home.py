"""Where a notebook instance lives on the disk.

`home` is HOME of its kernels and scripts, `home/SageMaker` is what JupyterLab shows; both survive stops.
Everything of one start, from Pending to Stopped, is below `starts/<number>`: a service that was killed finds
there what it had begun.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import local_sagemaker
from local_sagemaker.base import Service
from local_sagemaker.engine.notebooks import sessions
from local_sagemaker.engine.notebooks.samples import Samples
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.ports import PORT_VARIABLE
from local_sagemaker.engine.processes.process import adopt
from local_sagemaker.storage.store import Resource

LOG_GROUP = "/aws/sagemaker/NotebookInstances"
#: the folder to import this package from, also in an interpreter that it is not installed in
LOCATION = Path(local_sagemaker.__file__).parents[1]
#: time between SIGTERM and SIGKILL of what a start before left behind, in seconds
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
# nothing here asks the internet
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
"""


def arn(context: Service, name: str) -> str:
    """The ARN of an instance; AWS writes it in small letters."""
    return context.arn("sagemaker", f"notebook-instance/{name.lower()}")


@dataclass(frozen=True)
class NotebookHome:
    """The folders of one instance, as of one of its starts."""

    context: Service
    name: str
    #: counts the starts of the instance, from 1
    number: int

    @classmethod
    def of(cls, context: Service, resource: Resource) -> NotebookHome:
        """Where the instance of a resource is."""
        return cls(context, resource.name, int(resource.state["start"]))

    @property
    def arn(self) -> str:
        """The instance's ARN."""
        return arn(self.context, self.name)

    @property
    def folder(self) -> Path:
        """All of the instance."""
        return self.context.root / "notebooks" / self.name

    @property
    def home(self) -> Path:
        """HOME of kernels and scripts."""
        return self.folder / "home"

    @property
    def files(self) -> Path:
        """What JupyterLab shows."""
        return self.home / "SageMaker"

    @property
    def start(self) -> Path:
        """What belongs to this start alone."""
        return self.folder / "starts" / str(self.number)

    @property
    def config(self) -> Path:
        """JupyterLab's configuration."""
        return self.start / "jupyter_config.py"

    @property
    def secret(self) -> Path:
        """What seals the sessions of this start."""
        return self.start / "session.key"

    @property
    def base_url(self) -> str:
        """The path below which JupyterLab answers."""
        return f"/notebook/{self.name}/"

    def workspace(self, what: str) -> Path:
        """Where a process of this start runs: `jupyter`, or a lifecycle script."""
        return self.start / what

    def log(self, stream: str) -> Path:
        """The file of one of the instance's logs."""
        return logs.path(self.context.root, LOG_GROUP, f"{self.name}/{stream}")

    def environment(self, samples: Samples) -> Mapping[str, str]:
        """What scripts and kernels find in their environment."""
        return {
            **samples.variables(),
            **self.context.container_variables(),
            "HOME": str(self.home),
            "JUPYTER_RUNTIME_DIR": str(self.start / "runtime"),
            "SHELL": "/bin/bash",
        }

    def prepare(self, resource: Resource, samples: Samples) -> None:
        """Make the folders and files of this start; may be done again."""
        self.files.mkdir(parents=True, exist_ok=True)
        self.start.mkdir(parents=True, exist_ok=True)
        for former in self.start.parent.iterdir():
            if former != self.start:
                clear(former)
        if not resource.state.get("is_made"):
            samples.copy(self.files)
        if not self.secret.exists():
            new = self.secret.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text(sessions.new_secret(), encoding="utf-8")
            new.replace(self.secret)
        told = CONFIG.format(
            location=str(LOCATION),
            secret=str(self.secret),
            port=PORT_VARIABLE,
            base_url=self.base_url,
            root=str(self.files),
        )
        self.config.write_text(told, encoding="utf-8")

    def describe(self, workspace: Path) -> None:
        """Put what AWS has at /opt/ml/metadata into a workspace."""
        place = workspace / "ml/metadata/resource-metadata.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        told = {"ResourceArn": self.arn, "ResourceName": self.name}
        place.write_text(json.dumps(told), encoding="utf-8")


def clear(start: Path) -> None:
    """End what still runs of a start, and forget it."""
    for record in start.glob("*/run/process.json"):
        process = adopt(record.parent.parent)
        if process is not None and process.is_alive():
            process.terminate()
            if process.wait(GRACE_S) is None:
                process.kill()
                process.wait(GRACE_S)
    shutil.rmtree(start, ignore_errors=True)
