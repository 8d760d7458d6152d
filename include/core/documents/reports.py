"""What reports are made from: the coverage of labels, the report input and the replay input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from include.core.documents.codec import OMIT_NONE, Document
from include.core.documents.model import MeasuredMetric, Reason
from include.core.documents.monitoring import (
    Alarm,
    Fault,
    FeatureShift,
    Malformed,
    MonitoredChampion,
    PredictionShift,
    QualityEstimate,
    SeparabilityShift,
    WindowQuality,
)
from include.core.documents.retraining import Emission, RetrainingJudgement
from include.core.layout import Interval


@dataclass(frozen=True, kw_only=True)
class AgeShare:
    """How many labels are known by an age."""

    #: [s] age of the event
    age_s: int
    #: [share] of the events
    share: float | None


@dataclass(frozen=True, kw_only=True)
class AnswerCounts:
    """Where answers come from."""

    batch: int
    online: int
    #: answers to an event that had one
    repeated: int
    #: answers to events of other windows
    of_other_windows: int


@dataclass(frozen=True, kw_only=True)
class LabelCoverage:
    """How many events have labels, and since when."""

    events: int
    #: events with a label
    labelled: int
    #: first labels that became known after the window's end
    late: int
    #: labels that replace an earlier one
    corrected: int
    by_age: tuple[AgeShare, ...]


@dataclass(frozen=True, kw_only=True)
class Coverage(LabelCoverage, Document):
    """What collect found of labels: `coverage.json`."""

    #: ground-truth records that repeat an earlier one
    duplicate: int
    #: events with ground truth that were never scored
    unknown_events: int
    answers: AnswerCounts
    #: by `captures` and `truth`
    malformed: Mapping[str, Malformed]


@dataclass(frozen=True, kw_only=True)
class WindowSummary:
    """A window's evidence as a report's curves show it, with its quality as known by the report's window."""

    window: Interval
    rows: int
    champion: MonitoredChampion
    broken: tuple[Fault, ...]
    features: tuple[FeatureShift, ...]
    separability: SeparabilityShift | None
    predictions: PredictionShift | None
    #: one at most
    quality: tuple[WindowQuality, ...]
    estimate: QualityEstimate | None
    alarm: Alarm


@dataclass(frozen=True, kw_only=True)
class DecisionSummary(RetrainingJudgement):
    """A decision about retraining without who made it and when, so that it can be an input."""

    emission: Emission


@dataclass(frozen=True, kw_only=True)
class PromotionMark:
    """A promotion within the report's windows."""

    #: of the ledger's entry
    number: int
    version: str
    data_end: datetime


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Something that a report is made from."""

    what: str
    uri: str
    #: empty where the place does not change
    digest: str


@dataclass(frozen=True, kw_only=True)
class ReportInput(Document):
    """What a report shows beside its window's evidence: `report-inputs/<digest>/report_input.json`."""

    version: int
    cycle: str
    window: Interval
    #: the last monitored windows, the oldest first
    windows: tuple[WindowSummary, ...]
    decision: DecisionSummary
    promotions: tuple[PromotionMark, ...]
    #: null in a DAG without collect
    coverage: Coverage | None
    provenance: tuple[Provenance, ...]


@dataclass(frozen=True, kw_only=True)
class ReplayedInterval:
    """An interval that had a champion."""

    interval: Interval
    #: `<interval>/<key>/` below the outputs of prepare
    prepared: str
    #: `<interval>/<key>/<job>/output/model.tar.gz` below the outputs of train
    champion: str
    #: short name of the champion
    version: str


@dataclass(frozen=True, kw_only=True)
class ReplayedDecision:
    """The last decision about an interval."""

    interval: Interval
    #: short name of the version it was about
    version: str
    promoted: bool
    reasons: tuple[str, ...]
    #: why nothing was judged
    undecided: Reason | None = field(default=None, metadata=OMIT_NONE)

    @property
    def outcome(self) -> str:
        """What became of the version, in words."""
        if self.undecided:
            return "not judged"
        return "promoted" if self.promoted else "refused"


@dataclass(frozen=True, kw_only=True)
class StepSeconds:
    """How long the tasks of a step took."""

    #: `training: <step>` or `scoring: <step>`
    step: str
    #: number of its tasks
    tasks: int
    #: [s] sum over its tasks
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ReplaySeconds:
    """Where a replay's time went."""

    #: [s] from the first start to the last end
    wall_s: float
    steps: tuple[StepSeconds, ...]


@dataclass(frozen=True, kw_only=True)
class ReplayInput(Document):
    """What a replay's comparison starts from: `<cycle>/replays/<digest>/replay_input.json`."""

    #: the intervals that had a champion
    months: tuple[ReplayedInterval, ...]
    #: the first champion, as `champion` names it
    frozen: str
    decisions: tuple[ReplayedDecision, ...]
    seconds: ReplaySeconds


@dataclass(frozen=True, kw_only=True)
class ComparedInterval(ReplayedInterval):
    """An interval with the quality of every model on its rows."""

    #: [rows] with a label
    rows: int
    #: the cycle's metric by model: `champion`, `frozen` (the first champion) and the baselines
    models: Mapping[str, MeasuredMetric]


@dataclass(frozen=True, kw_only=True)
class Replay(ReplayInput):
    """What a replay's comparison found: `replay.json`."""

    metric: str
    months: tuple[ComparedInterval, ...]
