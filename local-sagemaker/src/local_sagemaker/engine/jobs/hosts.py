"""The instances of a job: one folder each, and the program that runs them side by side (cluster.py).

A job of one instance without pipes needs none of this: its container runs in the job's own workspace.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_sagemaker.engine.jobs import channels
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.engine.processes import cluster as program
from local_sagemaker.engine.processes import docker, logs
from local_sagemaker.engine.processes.isolation import Isolation
from local_sagemaker.engine.processes.process import BASE_DIR, ProcessSpec

if TYPE_CHECKING:
    from local_sagemaker.engine.jobs.jobs import JobRecord

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

    def shard(self, distribution: str | None) -> tuple[int, int]:
        """Which objects of an input are this one's: (index, count)."""
        return (self.index, self.count) if distribution == "ShardedByS3Key" else (0, 1)


@dataclass(frozen=True)
class Cluster:
    """All instances of a job."""

    hosts: tuple[Host, ...]
    #: by channel: the inputs that are fed through pipes
    pipes: Mapping[str, Source] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether the container needs nothing beside it."""
        return len(self.hosts) == 1 and not self.pipes

    def resourceconfig(self, host: Host) -> dict[str, Any]:
        """resourceconfig.json as an instance sees it."""
        groups: dict[str, dict[str, Any]] = {}
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


def cluster(
    job: JobRecord,
    uri: str,
    groups: Sequence[tuple[str, str, int]],
    pipes: Mapping[str, Source] | None = None,
) -> Cluster:
    """Return the instances of a job: groups of (name, instance type, count). Nothing is made on the disk.

    :param uri: of the image; what it says of Docker decides how inputs are brought.
    """
    isolation = job.isolation()
    if (pipes or job.is_docker(uri)) and isolation is Isolation.OVERLAY:
        # a pipe is made from outside while the container runs, which an overlay does not allow; and Docker,
        # which is outside of all our namespaces, sees one folder and no overlay
        isolation = Isolation.BIND
    kinds = [(name, kind) for name, kind, count in groups for _ in range(count)]
    is_one = len(kinds) == 1
    return Cluster(
        tuple(
            Host(
                f"algo-{index + 1}",
                index,
                len(kinds),
                kind,
                name,
                job.workspace if is_one else job.workspace / "hosts" / f"algo-{index + 1}",
                isolation,
            )
            for index, (name, kind) in enumerate(kinds)
        ),
        pipes or {},
    )


def spec(job: JobRecord, found: Cluster, container: ProcessSpec) -> ProcessSpec:
    """Return the process of a job: its container, or the program that runs one for each instance."""
    if found.is_plain:
        return replace(container, isolation=found.hosts[0].isolation)
    folder = job.workspace / "cluster"
    folder.mkdir(exist_ok=True)
    note = {
        "hosts": [_host(job, host, container) for host in found.hosts],
        "feeds": [
            {
                "channel": name,
                "folder": str(folder / "feeds" / name / host.name),
                "data": str(host.ml / "input/data"),
            }
            for name in found.pipes
            for host in found.hosts
        ],
        "grace_s": container.stop_grace_s,
    }
    (folder / "cluster.json").write_text(json.dumps(note), encoding="utf-8")
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    argv = (sys.executable, "-P", "-m", program.__name__, str(folder))
    return ProcessSpec(
        argv,
        environment,
        job.workspace,
        job.log,
        # an overlay cannot lie on another's folders; each instance has its own view within this one
        isolation=Isolation.NONE if found.hosts[0].isolation is Isolation.NONE else Isolation.BIND,
        stop_grace_s=container.stop_grace_s,
    )


def bring_pipes(job: JobRecord, found: Cluster) -> None:
    """Put what is to be fed where the container does not see it, so that links to stored objects are safe."""
    for name, source in found.pipes.items():
        for host in found.hosts:
            folder = job.workspace / "cluster/feeds" / name / host.name
            folder.mkdir(parents=True)
            (host.ml / "input/data").mkdir(parents=True, exist_ok=True)
            channels.feed(source, job.context.objects, folder)


def merge(found: Cluster, job: JobRecord, names: Iterable[str]) -> None:
    """Bring what all instances wrote to these folders together in the job's own; the first instance wins."""
    if len(found.hosts) == 1:
        return
    for host in reversed(found.hosts):
        for name in names:
            if (host.ml / name).resolve() != host.ml / name:
                raise JobError(f"AlgorithmError: {host.name} has replaced {name} by a symbolic link.")
            if (host.ml / name).is_dir():
                shutil.copytree(host.ml / name, job.ml / name, symlinks=True, dirs_exist_ok=True)
            elif (host.ml / name).is_file():
                (job.ml / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(host.ml / name, job.ml / name)


def _host(job: JobRecord, host: Host, container: ProcessSpec) -> dict[str, Any]:
    environment = dict(container.environment)
    if host.isolation is Isolation.NONE:
        environment.setdefault(BASE_DIR, str(host.ml))
    if docker.WORKSPACE in environment:
        environment[docker.WORKSPACE] = str(host.workspace)
    stream = job.log.name.removesuffix(logs.SUFFIX).replace("algo-1-", f"{host.name}-")
    return {
        "name": host.name,
        "workspace": str(host.workspace),
        "isolation": host.isolation.value,
        "argv": list(container.argv),
        "environment": environment,
        "cwd": str(host.ml) if host.isolation is Isolation.NONE else "/opt/ml",
        # the first instance's lines go through the program's own output
        "log": None if host.index == 0 else str(job.log.with_name(stream + logs.SUFFIX)),
    }
