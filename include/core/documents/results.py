"""What a task hands to the later ones of its run, its XCom; and what a rollout leaves for its retries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.core.documents.codec import OMIT_NONE, Document
from include.core.documents.ledger import Entry
from include.core.documents.retraining import RetrainingDecision
from include.core.layout import Interval


@dataclass(frozen=True, kw_only=True)
class StepResult(Document):
    """What every step hands on."""

    cycle: str
    step: str
    interval: Interval
    #: key of the step's output; of a step without a job, that of the training or monitoring it is about
    key: str
    #: the step's output, or the document it is about
    uri: str


@dataclass(frozen=True, kw_only=True)
class JobResult(StepResult):
    """What a step hands on that runs as a job."""

    #: name of the job
    job: str
    #: whether the job had completed before the task came
    reused: bool
    #: [s] how long the job ran
    seconds: float
    #: of the output's content; a training's is its key
    digest: str
    #: [rows] as in the manifest
    counts: Mapping[str, int]
    #: as in the manifest
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class TrainResult(JobResult):
    """What train hands on; the bytes of a fitted model are no stable identity, so its digest is its key."""

    model_uri: str


@dataclass(frozen=True, kw_only=True)
class DecideResult(StepResult):
    """What decide hands on; `uri` is the verdict."""

    promote: bool
    #: the ledger's entry
    decision: Entry
    #: Markdown for the form of approve
    evidence: str


@dataclass(frozen=True, kw_only=True)
class ApproveResult(DecideResult):
    """What approve hands on; `promote` is false after a rejection."""

    #: what the person said; empty where nobody was asked
    approval: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RegisterResult(StepResult):
    """What register hands on; `uri` is the model."""

    evaluation_uri: str
    #: digest of the evaluation's output, as the ledger has it; missing where 0.1.0 decided
    evaluation_digest: str | None = field(default=None, metadata=OMIT_NONE)
    #: ARN of the model package
    version: str
    #: number of the promotion in the ledger; null where there is none
    promotion: int | None


@dataclass(frozen=True, kw_only=True)
class DeployResult(RegisterResult):
    """What deploy hands on."""

    endpoint: str
    #: the endpoint configuration that serves
    config: str
    #: what the canary's metrics said
    rollout: str


@dataclass(frozen=True, kw_only=True)
class VerifyResult(DeployResult):
    """What verify hands on; `uri` is the golden rows."""

    #: [rows] compared
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RollBackResult(RegisterResult):
    """What roll_back hands on: the version gone back to, as register would have handed it on."""

    #: ARN of the version that was left
    replaces: str
    #: number of the ledger's entry
    entry: int


@dataclass(frozen=True, kw_only=True)
class DecideRetrainingResult(StepResult):
    """What decide of score_and_monitor hands on; `uri` is the decision record."""

    #: URI of the watch record
    record: str
    decision: RetrainingDecision
    #: decisions about later windows that were made again
    again: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RequestRetrainingResult(StepResult):
    """What request_retraining hands on; `uri` is the decision record."""

    #: number of the request
    request: int


@dataclass(frozen=True, kw_only=True)
class ExpireResult(Document):
    """What expire hands on."""

    cycle: str
    step: str
    interval: Interval
    #: folder of the captured traffic
    uri: str
    #: [files] removed
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RolloutOutcome(Document):
    """How the trial of a version ended: `<cycle>/rollouts/<configuration>/<attempt>.json`."""

    is_good: bool
    #: what the canary's metrics said
    text: str
    #: endpoint configuration of the trial
    canary: str | None = field(default=None, metadata=OMIT_NONE)
    #: endpoint configuration that served before
    champion: str | None = field(default=None, metadata=OMIT_NONE)
    #: endpoint configuration that was to serve
    final: str | None = field(default=None, metadata=OMIT_NONE)
