"""What can go wrong in Flywheel's part of Airflow.

Light on purpose: the ledger, which programs without Airflow read too, raises from here.

    FlywheelError
    ├── Verdict                     trying again cannot help: the task fails at once
    │   ├── IntervalError           the run's interval is none of the cycle's, or is not over yet
    │   ├── HistoryIncomplete       an earlier interval was never cleaned
    │   ├── NoChampion              nothing was promoted early enough for this interval
    │   ├── PromotionLost           another run promoted for the same data first
    │   ├── RollbackRefused         there is no such version to go back to
    │   ├── OutputMissing           a job completed but its outputs are not what its manifest says
    │   ├── JobFailed               SageMaker says Failed
    │   ├── JobStopped              SageMaker says Stopped
    │   ├── DeploymentFailed        the endpoint did not come into service, or serves an older version
    │   ├── NotebookFailed          the notebook instance did not come into service
    │   └── PredictionsDiffer       the live endpoint answers otherwise than the offline model
    ├── JobLost                     SageMaker itself failed under the job: a retry starts the next generation
    └── JobTimedOut                 the task's deadline passed; its job was stopped, a retry may succeed
"""

from __future__ import annotations


class FlywheelError(Exception):
    """Anything that Flywheel itself refuses or reports."""


class Verdict(FlywheelError):  # noqa: N818 - it is SageMaker's or the data's word, not always an error
    """A result that will be the same next time: retrying it only costs."""


class IntervalError(Verdict):
    """The run's interval is none of the cycle's, or is not over yet."""


class HistoryIncomplete(Verdict):
    """An earlier interval that this step needs was never cleaned."""


class NoChampion(Verdict):
    """No version was promoted early enough for the interval."""


class PromotionLost(Verdict):
    """Another run promoted a version for the same data end after this run had decided."""


class RollbackRefused(Verdict):
    """Production cannot go back to the version that was asked for."""


class OutputMissing(Verdict):
    """A job completed, but what it left is not what its manifest says."""


class JobFailed(Verdict):
    """A job ended as Failed."""


class JobStopped(Verdict):
    """A job ended as Stopped, which is no success."""


class DeploymentFailed(Verdict):
    """The endpoint did not come into service, or was overtaken."""


class NotebookFailed(Verdict):
    """The notebook instance did not come into service."""


class PredictionsDiffer(Verdict):
    """The endpoint's predictions are not those of the offline model."""


class JobLost(FlywheelError):  # noqa: N818 - named like its siblings, for what happened
    """A job ended as Failed by a fault of SageMaker's own, not by what it was asked to do."""


class JobTimedOut(FlywheelError):  # noqa: N818 - named like its siblings, for what happened
    """The task's deadline passed before its job ended; the job was stopped."""
