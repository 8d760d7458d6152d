"""What is decided about retraining from the windows' findings, and what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from include.core.documents.codec import Document
from include.core.documents.monitoring import MonitoredChampion, WindowQuality
from include.core.layout import Interval


@dataclass(frozen=True, kw_only=True)
class RetrainingRule:
    """The cycle's rule for retraining, as it was when the decision was made."""

    #: alarms that make retraining due
    alarms: int
    #: windows that are looked at
    windows: int
    #: labels that must have become known since the champion's data
    minimum_new_labels: int
    #: trainings in the budget's period
    budget: int
    #: [s] after the champion's data
    cool_down_s: float
    #: [s] over which trainings are counted
    budget_period_s: float


@dataclass(frozen=True, kw_only=True)
class AlarmCount:
    """How many of the last windows alarmed."""

    watched: int
    alarmed: int
    needed: int
    of: int
    #: windows without a record
    missing: tuple[str, ...]
    #: windows whose alarms do not count
    held_back: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WindowFinding:
    """What one window contributed to a decision."""

    #: URI of the watch record
    record: str
    is_alarm: bool
    why: str
    #: as known when the decided window ended
    quality: WindowQuality | None


@dataclass(frozen=True, kw_only=True)
class Emission:
    """Whether a decision leads to a request."""

    is_emitted: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class RetrainingJudgement:
    """What the rule says of a window."""

    window: Interval
    due: bool
    #: one for each alarm
    reasons: tuple[str, ...]
    #: why it is not due
    against: tuple[str, ...]
    rule: RetrainingRule
    alarms: AlarmCount
    champion: MonitoredChampion
    #: [labels] known since the champion's data
    new_labels: int
    #: trainings decided in the budget's period
    trainings_in_period: int
    #: the newest complete training interval
    train_interval: Interval | None
    #: by window
    evidence: Mapping[str, WindowFinding]


@dataclass(frozen=True, kw_only=True)
class RetrainingDecision(RetrainingJudgement, Document):
    """Whether retraining is due: `<cycle>/watch/<window>/decisions/<digest>.json`."""

    emission: Emission
    #: when it was written; of several for one window the latest counts
    at: datetime
    #: dag_id and run_id of the run that decided
    by: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RetrainingRequest(Document):
    """What monitoring asks `train_and_deploy` for: `<cycle>/requests/<8 digits>.json`."""

    #: when it was written
    at: datetime
    #: dag_id and run_id of the run that asked
    by: Mapping[str, str]
    #: the window whose decision it was
    window: Interval
    #: the decision record
    decision_uri: str
    #: full sentences, one for each alarm
    reasons: tuple[str, ...]
    #: the training interval that is to be trained for
    train_interval: Interval
    #: end of the training interval
    data_end: datetime
    #: given by the log of requests, from 1
    number: int = 0
