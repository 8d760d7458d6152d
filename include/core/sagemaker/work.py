"""What a step's job is made from, and what a task remembers of the job it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.core.sagemaker.requests import Source


@dataclass(frozen=True)
class Input:
    """One input of a step: where it is, and what it is."""

    source: Source
    #: digest of its content, part of the step's key
    digest: str


@dataclass(frozen=True)
class Work:
    """What a step's job is made from."""

    inputs: Mapping[str, Input] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """The job a task waits for; all of it can be written as JSON, for the time of a deferral."""

    job: str
    key: str
    uri: str
    interval: list[str]
    #: the attempt of the task that waits
    attempt: str
    #: digest of the task's identity: the same for all its attempts
    task: str
    #: whether the job had completed before this task came
    reused: bool = False
    #: seconds since 1970 at which to give up
    deadline: float | None = None
    #: how far the job's log streams were read
    tokens: dict[str, str] = field(default_factory=dict)
