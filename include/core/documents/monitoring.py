"""What monitoring finds in a window, and its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from include.core.documents.codec import OMIT_NONE, Document
from include.core.documents.model import Bounds, Reason
from include.core.layout import Interval


@dataclass(frozen=True, kw_only=True)
class MonitoredChampion:
    """The version that a window is held against."""

    #: ARN of the model package
    version: str
    #: end of the data it was trained on
    data_end: datetime
    #: the output of its evaluate
    evaluation_uri: str | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something broken upstream."""

    #: empty where it is the whole window
    feature: str
    #: Model Monitor's name of the check
    check: str
    description: str | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class PredictionShift:
    """How far the answers have moved."""

    #: [0 to 1] Kolmogorov-Smirnov distance or total variation
    distance: float
    is_drifted: bool


@dataclass(frozen=True, kw_only=True)
class PredictionDrift(PredictionShift):
    """How far the answers have moved, and by which test."""

    test: Literal["ks", "tv"]
    p_value: float


@dataclass(frozen=True, kw_only=True)
class FeatureShift(PredictionShift):
    """How far one feature has moved."""

    name: str
    #: [share] of the model's importance; null for a combined attribute
    importance: float | None


@dataclass(frozen=True, kw_only=True)
class FeatureDrift(FeatureShift):
    """How far one feature has moved, and by which test."""

    test: Literal["ks", "tv"]
    #: corrected for the number of features
    p_value: float


@dataclass(frozen=True, kw_only=True)
class SeparabilityShift:
    """Whether a classifier tells the window's rows from the training rows."""

    #: [0 to 1] area under its curve
    value: float
    #: [0 to 1] the lower bound must exceed it to alarm
    limit: float
    is_drifted: bool


@dataclass(frozen=True, kw_only=True)
class Separability(SeparabilityShift, Bounds):
    """Whether a classifier tells the window's rows from the training rows, and by what."""

    #: [0 to 1] lower bound
    low: float
    #: [0 to 1] upper bound
    high: float
    #: by how much the area falls without a feature, by its name
    features: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class OperatingQuality(Bounds):
    """How answers fared by one operating metric, with its 95 % interval."""

    #: what the champion's own evaluation promised
    reference: Bounds
    #: whether it is surely worse than the reference
    is_worse: bool


@dataclass(frozen=True, kw_only=True)
class WindowQuality(Bounds):
    """How good the answers were, by the labels known at a cut-off: a metric with its 95 % interval."""

    cutoff: datetime
    metric: str
    #: [rows] answers with a known label
    judged: int
    #: [share] of the answers
    coverage: float | None
    #: what the champion's own evaluation promised
    reference: Bounds | None
    #: whether it is surely worse than the reference, or its answers are by one of `operating`
    is_worse: bool
    #: names of what is surely worse; in records of version 0.1.0, of the metric alone
    worse: tuple[str, ...] | None = field(default=None, metadata=OMIT_NONE)
    #: how the answers fared, by the names of the task's operating metrics; null without an evaluation of them
    operating: Mapping[str, OperatingQuality] | None = field(default=None, metadata=OMIT_NONE)

    @property
    def losses(self) -> Mapping[str, tuple[Bounds, Bounds | None]]:
        """What is surely worse, by its name: the number, and what the evaluation promised."""
        names = (self.metric,) if self.worse is None and self.is_worse else self.worse or ()
        known = self.operating or {}
        return {
            name: (self, self.reference) if name == self.metric else (known[name], known[name].reference)
            for name in names
        }


@dataclass(frozen=True, kw_only=True)
class MaturedQuality(WindowQuality):
    """The quality of an earlier window by labels that came late."""

    window: Interval
    #: key of the window's own monitor
    monitor_key: str


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """Records that cannot be used."""

    count: int
    #: the first five, by file and line
    examples: tuple[str, ...]
    #: how many there are for each reason
    reasons: Mapping[str, int] | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class Matured(Document):
    """What mature found about earlier windows: `matured.json`."""

    #: one for each window and cut-off at which labels had changed
    quality: tuple[MaturedQuality, ...]
    #: of the ground truth
    malformed: Malformed


@dataclass(frozen=True, kw_only=True)
class QualityEstimate(Bounds):
    """What the answers are worth by their scores, without labels."""

    method: str
    metric: str
    #: [share] estimated
    accuracy: float | None
    #: [share] estimated, for two classes
    positive_share: float | None
    #: [rows] answers
    rows: int
    calibration_error: float | None
    calibration_error_low: float | None
    calibration_error_high: float | None


@dataclass(frozen=True, kw_only=True)
class FacetValues:
    """A group of records."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FacetBias(Bounds):
    """One metric of bias for a declared group of records, with its 95 % interval."""

    facet: FacetValues
    #: SageMaker Clarify's name
    metric: str


@dataclass(frozen=True, kw_only=True)
class SliceScore:
    """The metric on the rows of one slice."""

    column: str
    value: str
    #: [rows] judged
    rows: int
    metric: str
    score: float | None
    #: why it is null
    reason: Reason | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Whether the window asks for retraining, by what was known at its end."""

    is_alarm: bool
    reasons: tuple[str, ...]
    #: why a window with reasons gives no alarm, or null
    held_back: str | None


@dataclass(frozen=True, kw_only=True)
class DataEvidence:
    """What a window's rows and answers show beside those of the champion's training."""

    #: [rows] in the window
    rows: int
    broken: tuple[Fault, ...]
    #: by importance times distance, the greatest first
    features: tuple[FeatureDrift, ...]
    #: null where it is not asked for or cannot be told
    separability: Separability | None
    predictions: PredictionDrift | None


@dataclass(frozen=True, kw_only=True)
class QualityEvidence:
    """What a window's answers were worth."""

    #: one for each cut-off at which labels had changed
    quality: tuple[WindowQuality, ...]
    #: the same for answers given online, where there are any beside the batch's
    online: tuple[WindowQuality, ...] = ()
    #: null where the champion's evaluation left no calibration
    estimate: QualityEstimate | None = None
    bias: tuple[FacetBias, ...] = ()
    slices: tuple[SliceScore, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence(QualityEvidence, DataEvidence, Document):
    """What monitor found in one window: `evidence.json`."""

    version: int
    window: Interval
    champion: MonitoredChampion
    alarm: Alarm


@dataclass(frozen=True, kw_only=True)
class EarlierWindow:
    """An earlier window that mature judges again."""

    window: Interval
    #: key of the monitor that watched it
    monitor_key: str
    #: `<interval>/<key>/` of what was collected for it
    collected: str
    #: what its quality was compared with; null where it was compared with nothing
    reference: Bounds | None
    #: what its operating metrics were compared with
    operating: Mapping[str, Bounds] | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class MaturePlan(Document):
    """What mature is to judge again: `<cycle>/plans/<digest>/plan.json`."""

    windows: tuple[EarlierWindow, ...]
    #: the ends of all windows from the first of them on, in order
    ends: tuple[datetime, ...]


@dataclass(frozen=True, kw_only=True)
class WatchRecord(Document):
    """What was found in a window: `<cycle>/watch/<window>/<key of monitor>.json`."""

    #: key of monitor
    key: str
    #: the output of monitor
    monitor_uri: str
    evidence: Evidence
    #: earlier windows by labels that came late
    matured: tuple[MaturedQuality, ...]
    #: when it was written; of several for one window the latest counts
    at: datetime
    #: dag_id and run_id of the run that wrote it
    by: Mapping[str, str]
