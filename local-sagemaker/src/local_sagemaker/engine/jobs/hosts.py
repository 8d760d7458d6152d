"""The instances of a job: one folder each, and the program that runs them side by side (cluster.py).

A job of one instance without pipes needs none of this: its container runs in the job's own workspace.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from local_sagemaker.domain.lifecycle import State
from local_sagemaker.engine.jobs import channels
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.jobs import JobError, JobKind, JobRecord, read_message
from local_sagemaker.engine.processes import cluster as program
from local_sagemaker.engine.processes import docker, logs
from local_sagemaker.engine.processes.isolation import Isolation
from local_sagemaker.engine.processes.process import BASE_DIR, ProcessSpec
from local_sagemaker.storage.documents import Document, moment
from local_sagemaker.storage.objects.objects import ObjectStore

GROUP = "homogeneousCluster"


@dataclass(frozen=True)
class Host:
    """One instance."""

    name: str
    #: its place among all, from 0
    index: int
    #: how many there are
    count: int
    instance_type: str
    group: str
    #: `ml` is its /opt/ml, `linked` lies under that
    workspace: Path
    isolation: Isolation

    @property
    def ml(self) -> Path:
        """What the container sees as /opt/ml and may write to."""
        return self.workspace / "ml"

    def make_folders(self, names: Iterable[str], config: str, files: Document) -> None:
        """Make folders of /opt/ml, and in `config`, which is one of them, JSON files."""
        for name in names:
            (self.ml / name).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (self.ml / config / name).write_text(json.dumps(content, default=str), encoding="utf-8")

    def bring(
        self, source: Source, s3: Document, objects: ObjectStore, path: PurePosixPath, *, may_link: bool
    ) -> None:
        """Put this instance's share of an input where its container sees it, at `path` of /opt/ml.

        :param s3: the request's words on the input, which say how objects are shared among instances.
        """
        is_linked = may_link and self.isolation is Isolation.OVERLAY
        folder = self.workspace / ("linked" if is_linked else "ml") / path
        folder.mkdir(parents=True, exist_ok=True)
        if s3.get("S3DataDistributionType") == "ShardedByS3Key":
            source = replace(source, shard=(self.index, self.count))
        channels.materialize(source, objects, folder, is_linked=is_linked)

    def note(self, job: JobRecord, container: ProcessSpec) -> Document:
        """Return what cluster.py runs for this instance."""
        environment = dict(container.environment)
        if self.isolation is Isolation.NONE:
            environment.setdefault(BASE_DIR, str(self.ml))
        if docker.WORKSPACE in environment:
            environment[docker.WORKSPACE] = str(self.workspace)
        stream = job.log.name.removesuffix(logs.SUFFIX).replace("algo-1-", f"{self.name}-")
        return {
            "name": self.name,
            "workspace": str(self.workspace),
            "isolation": self.isolation.value,
            "argv": list(container.argv),
            "environment": environment,
            "cwd": str(self.ml) if self.isolation is Isolation.NONE else "/opt/ml",
            # the first instance's lines go through the program's own output
            "log": None if self.index == 0 else str(job.log.with_name(stream + logs.SUFFIX)),
        }


@dataclass(frozen=True)
class Cluster:
    """All instances of a job."""

    job: JobRecord
    hosts: tuple[Host, ...]
    #: by channel: the inputs that are fed through pipes
    pipes: Mapping[str, Source]

    @classmethod
    def plan(
        cls,
        job: JobRecord,
        uri: str,
        groups: Sequence[tuple[str, str, int]],
        pipes: Mapping[str, Source] | None = None,
    ) -> Cluster:
        """Return the instances of groups of (name, instance type, count). Nothing is made on the disk.

        :param uri: of the image; what it says of Docker decides how inputs are brought.
        """
        isolation = job.isolation()
        if (pipes or job.is_docker(uri)) and isolation is Isolation.OVERLAY:
            # a pipe is made from outside while the container runs, which an overlay does not allow; and
            # Docker, which is outside of all our namespaces, sees one folder and no overlay
            isolation = Isolation.BIND
        kinds = [(group, kind) for group, kind, count in groups for _ in range(count)]
        names = [f"algo-{number}" for number in range(1, len(kinds) + 1)]
        folders = [job.workspace] if len(kinds) == 1 else [job.workspace / "hosts" / name for name in names]
        hosts = (
            Host(name, index, len(kinds), kind, group, folder, isolation)
            for index, (name, folder, (group, kind)) in enumerate(zip(names, folders, kinds, strict=True))
        )
        return cls(job, tuple(hosts), pipes or {})

    def resourceconfig(self, host: Host) -> Document:
        """resourceconfig.json as an instance sees it."""
        groups: dict[str, Document] = {}
        for one in self.hosts:
            group = {"instance_group_name": one.group, "instance_type": one.instance_type, "hosts": []}
            groups.setdefault(one.group, group)["hosts"].append(one.name)
        return {
            "current_host": host.name,
            "current_instance_type": host.instance_type,
            "current_group_name": host.group,
            "hosts": sorted(one.name for one in self.hosts),
            "instance_groups": list(groups.values()),
            "network_interface_name": "eth1",
        }

    def spec(self, container: ProcessSpec) -> ProcessSpec:
        """Return the process of the job: its container, or the program that runs one for each instance."""
        isolation = self.hosts[0].isolation
        if len(self.hosts) == 1 and not self.pipes:
            return replace(container, isolation=isolation)
        folder = self.job.workspace / "cluster"
        folder.mkdir(exist_ok=True)
        note = {
            "hosts": [host.note(self.job, container) for host in self.hosts],
            "feeds": [
                {"channel": name, "folder": str(self._feed(name, host)), "data": str(host.ml / "input/data")}
                for name in self.pipes
                for host in self.hosts
            ],
            "grace_s": container.stop_grace_s,
        }
        (folder / "cluster.json").write_text(json.dumps(note), encoding="utf-8")
        return ProcessSpec(
            (sys.executable, "-P", "-m", program.__name__, str(folder)),
            {"PATH": os.environ.get("PATH", os.defpath)},
            self.job.workspace,
            self.job.log,
            # an overlay cannot lie on another's folders; each instance has its own view within this one
            isolation=Isolation.NONE if isolation is Isolation.NONE else Isolation.BIND,
            stop_grace_s=container.stop_grace_s,
        )

    def bring_pipes(self) -> None:
        """Put what is fed where the container does not see it, so that links to stored objects are safe."""
        for name, source in self.pipes.items():
            for host in self.hosts:
                folder = self._feed(name, host)
                folder.mkdir(parents=True)
                (host.ml / "input/data").mkdir(parents=True, exist_ok=True)
                channels.feed(source, self.job.service.objects, folder)

    def merge(self, names: Iterable[str]) -> None:
        """Bring what all instances wrote to these folders together in the job's own; the first one wins."""
        if len(self.hosts) == 1:
            return
        for host in reversed(self.hosts):
            for name in names:
                source, target = host.ml / name, self.job.ml / name
                if source.resolve() != source:
                    raise JobError(f"AlgorithmError: {host.name} has replaced {name} by a symbolic link.")
                if source.is_dir():
                    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)

    def _feed(self, channel: str, host: Host) -> Path:
        return self.job.workspace / "cluster/feeds" / channel / host.name


class ContainerJobs(JobKind, Protocol):
    """What jobs that run a container of the request's own on each instance have in common."""

    #: what the container is run for; its image may have an entry point of this name
    role: str
    #: member of the request that describes the container, and the member of that which names the image
    container: str
    image: str
    #: the container's message file, below /opt/ml
    message: str

    @abstractmethod
    def cluster(self, job: JobRecord) -> Cluster:
        """Return the instances of a job."""

    @abstractmethod
    def put_live(self, job: JobRecord) -> None:
        """Put into S3 what the running job wants to have there before its end."""

    def spec(self, job: JobRecord) -> ProcessSpec:
        """Return the request's entry point and arguments, or the image's."""
        given = job.document[self.container]
        image = job.image(given[self.image])
        prefix = self.kind.replace("-", "_").upper()
        variables = {
            **job.service.container_variables(),
            f"{prefix}_NAME": job.name,
            f"{prefix}_ARN": job.document[f"{self.noun}Arn"],
            **job.document.get("Environment", {}),
        }
        container = ProcessSpec(
            image.command(self.role, given.get("ContainerEntrypoint"), given.get("ContainerArguments")),
            image.variables(variables, job.workspace),
            job.workspace,
            job.log,
            stop_grace_s=image.stop_grace_s,
        )
        return self.cluster(job).spec(container)

    def read_message(self, job: JobRecord) -> str:
        """Return the message file of the first instance that has one."""
        messages = (read_message(host.ml / self.message) for host in self.cluster(job).hosts)
        return next(filter(None, messages), "")

    def describe(self, document: Document, state: State, at: float) -> Document:
        """Return the description with the time of the change as well."""
        return {**super().describe(document, state, at), "LastModifiedTime": moment(at)}
