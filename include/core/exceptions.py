"""The exceptions of Flywheel outside the job container.

    FlywheelError
    ├── PermanentError              a retry cannot help: the task fails at once
    │   ├── IntervalError           the run's interval is not one of the cycle's, or is not over yet
    │   ├── HistoryIncomplete       an earlier interval is not cleaned or not decided
    │   ├── NoChampion              no version was promoted early enough for the interval
    │   ├── PromotionLost           another run promoted for the same data first
    │   ├── RollbackRefused         production cannot go back to the requested version
    │   ├── OutputMissing           a job completed, but its outputs do not match its manifest
    │   ├── InputChanged            a file is not what the step that wrote it left
    │   ├── JobFailed               SageMaker reports Failed
    │   ├── JobStopped              SageMaker reports Stopped
    │   ├── DeploymentFailed        the endpoint did not come into service, or serves an older version
    │   ├── NotebookFailed          the notebook instance did not come into service
    │   ├── PredictionsDiffer       the endpoint and the offline model disagree
    │   ├── InvalidDocument         a document in S3 or in an XCom does not match its type
    │   └── InvalidCycle            a cycle's description cannot be worked with; a ValueError, too
    ├── JobLost                     SageMaker itself failed under the job: a retry starts the next generation
    └── JobTimedOut                 the task's deadline passed and its job was stopped: a retry may succeed

Standard library only: programs without Airflow raise and catch these too.
"""
# ruff: noqa: N818 - the names say what happened

from __future__ import annotations

from collections.abc import Sequence


class FlywheelError(Exception):
    """The base of every error that Flywheel itself reports."""


class PermanentError(FlywheelError):
    """An error that every retry would repeat."""


class IntervalError(PermanentError):
    """The run's interval is not one of the cycle's, or is not over yet."""


class HistoryIncomplete(PermanentError):
    """An earlier interval that this step needs is not cleaned or not decided."""


class NoChampion(PermanentError):
    """No version was promoted early enough for the interval."""


class PromotionLost(PermanentError):
    """Another run promoted a version for the same data end after this run had decided."""


class RollbackRefused(PermanentError):
    """Production cannot go back to the requested version."""


class OutputMissing(PermanentError):
    """A job completed, but its outputs do not match its manifest."""


class InputChanged(PermanentError):
    """A file is not what the step that wrote it left."""


class JobFailed(PermanentError):
    """A job ended as Failed."""


class JobStopped(PermanentError):
    """A job ended as Stopped, which is not a success."""


class DeploymentFailed(PermanentError):
    """The endpoint did not come into service, or was overtaken."""


class NotebookFailed(PermanentError):
    """The notebook instance did not come into service."""


class PredictionsDiffer(PermanentError):
    """The endpoint's predictions differ from those of the offline model."""


class InvalidDocument(PermanentError):
    """A document lacks a field, or a field does not match its type."""


class InvalidCycle(PermanentError, ValueError):
    """A cycle's description cannot be worked with.

    :param name: the cycle's name, as given
    :param faults: all that is wrong, each with what to write instead
    """

    def __init__(self, name: object, faults: Sequence[str]) -> None:
        super().__init__(name, faults)
        self.name, self.faults = name, tuple(faults)

    def __str__(self) -> str:
        return "\n".join(f"Cycle {self.name}: {fault}" for fault in self.faults)


class JobLost(FlywheelError):
    """A job ended as Failed through a fault of SageMaker, not of its request."""


class JobTimedOut(FlywheelError):
    """The task's deadline passed before its job ended; the job was stopped."""
