"""What training and evaluation say of a model: signature, verdict, evaluation, baseline for monitoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from include.core.documents.codec import OMIT_NONE, Document
from include.core.exceptions import InvalidDocument
from include.core.tasks import TaskName

#: why a number, or its interval, is undefined: rows of one class alone, too few of a kind, all in one block
#: of time, labels that are all equal, classes that the scores part without an error, or no row at all
Reason = Literal["one_class", "few_events", "one_block", "constant_labels", "separated", "empty"]


@dataclass(frozen=True)
class Bounds:
    """A number with its interval; each part is null where it is undefined."""

    value: float | None
    #: lower bound of the interval
    low: float | None
    #: upper bound of the interval
    high: float | None
    #: why a part is null, where it is known
    reason: Reason | None = field(default=None, kw_only=True, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class JudgedSlice:
    """The challenger's gain over the champion on the rows of one slice."""

    column: str
    #: the column's value that makes the slice
    value: str
    #: [rows] size of the slice
    rows: int
    #: with the confidence that makes the rule's hold for all slices together
    gain: Bounds
    #: what the gain may not surely be under
    floor: float
    is_under_floor: bool


@dataclass(frozen=True, kw_only=True)
class PromotionRule:
    """The cycle's rule for promotion, as it was when the verdict was made."""

    #: what the lower bound of the gain over the champion must exceed
    minimum_gain: float
    #: what no slice's gain may surely be under
    slice_floor: float
    #: floors of columns that have their own
    slice_floors: Mapping[str, float]
    #: by how much answers may be worse than the champion's, by each operating metric; null: by anything
    operating_slack: float | None = field(default=None, metadata=OMIT_NONE)
    #: [share] confidence of the paired intervals
    confidence: float
    #: bootstrap repetitions
    repetitions: int
    seed: int
    #: [s] width of the blocks of event time that are drawn together; null: rows are drawn
    block_s: int | None


@dataclass(frozen=True, kw_only=True)
class Verdict(Document):
    """Whether the challenger is to be promoted, and why: `verdict.json` of evaluate."""

    promote: bool
    #: full sentences, one for each comparison
    reasons: tuple[str, ...]
    #: why nothing was judged; then the champion stays, and later intervals go on
    undecided: Reason | None = field(default=None, metadata=OMIT_NONE)
    #: name of the metric that decides
    metric: str
    #: the challenger's metric, with its 95 % interval
    challenger: Bounds
    #: the champion's metric on the same rows; null without a champion
    champion: Bounds | None = None
    #: metrics of the baselines, by name
    baselines: Mapping[str, Bounds] = field(default_factory=dict)
    #: paired gain over the champion, with the rule's confidence; null without a champion
    gain: Bounds | None = None
    #: paired gains over the baselines, by name
    baseline_gains: Mapping[str, Bounds] = field(default_factory=dict)
    #: gains over the champion by slice, the worst first
    slices: tuple[JudgedSlice, ...] = ()
    #: gains over the champion in how the answers fare, each at its own threshold
    operating: Mapping[str, Bounds] | None = field(default=None, metadata=OMIT_NONE)
    #: [rows] of the holdout by true class and the challenger's answer
    confusion: Mapping[str, Mapping[str, int]] | None = field(default=None, metadata=OMIT_NONE)
    #: null where the rule was not kept
    rule: PromotionRule | None = None


#: the largest number of single precision, in which models compute
LARGEST_NUMBER = 3.4028234e38


@dataclass(frozen=True, kw_only=True)
class ColumnCheck:
    """A check that each value of a column must pass."""

    #: as pandera calls it, such as `in_range`
    name: str
    #: of the check, by their names at pandera
    arguments: Mapping[str, Any]
    #: the check, for people
    words: str


@dataclass(frozen=True, kw_only=True)
class ColumnRules:
    """The cleaning rules of a column that clients send."""

    #: table and column whose rules they are
    source: str
    #: whether a row without a value is refused
    is_required: bool
    #: whether texts are trimmed and unified; otherwise a row that would need it is refused
    is_repaired: bool
    #: trimmed texts to replace, and by what
    unify: Mapping[str, str]
    checks: tuple[ColumnCheck, ...]


@dataclass(frozen=True, kw_only=True)
class ColumnSignature:
    """A column that clients send."""

    name: str
    type: Literal["number", "string"]
    #: values met in training, of a string column that has few or is closed
    values: tuple[str, ...] | None = field(default=None, metadata=OMIT_NONE)
    #: whether the fitted model takes a missing value; null: it was not asked
    nullable: bool | None = field(default=None, metadata=OMIT_NONE)
    #: whether the fitted model takes no other text than `values`; null: it was not asked
    closed: bool | None = field(default=None, metadata=OMIT_NONE)
    #: applied to what clients send; null: there are none
    rules: ColumnRules | None = field(default=None, metadata=OMIT_NONE)

    @cached_property
    def is_number(self) -> bool:
        """Return whether the column holds numbers."""
        return self.type == "number"


@dataclass(frozen=True, kw_only=True)
class CombinedSignature:
    """An attribute that the cycle makes of a client's columns."""

    name: str
    #: whether the fitted model takes a missing value
    nullable: bool
    #: whether the fitted model takes an infinite value
    infinite: bool


@dataclass(frozen=True, kw_only=True)
class ModelSignature(Document):
    """What a model takes and gives: `signature.json` of its archive."""

    #: 1: what the fitted model takes was not asked; 2: it was
    version: int
    cycle: str
    task: TaskName
    #: the column that identifies a record; no feature
    id_column: str
    #: what a client sends, in the order of CSV
    columns: tuple[ColumnSignature, ...]
    #: labels, the positive one last where there are two
    classes: tuple[str, ...]
    #: [probability] from which a binary model says the positive class
    threshold: float
    #: what the model is given: columns and combined attributes, numbers first
    features: tuple[str, ...]
    #: what the fitted model takes of the combined attributes
    combined: tuple[CombinedSignature, ...] | None = field(default=None, metadata=OMIT_NONE)
    #: a row that the fitted model answers, by column: its usual values; null where it answers no such row
    example: Mapping[str, float | str | None] | None = field(default=None, metadata=OMIT_NONE)

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """Return the names of the features that are strings."""
        return tuple(column.name for column in self.columns if not column.is_number)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Return the names of the features that are numbers, those of clients first."""
        return tuple(name for name in self.features if name not in self.strings)


@dataclass(frozen=True, kw_only=True)
class OnnxExport:
    """What came of the export to ONNX."""

    #: whether the model's archive has it
    kept: bool
    #: how far its answers are from the pipeline's, or why there is none
    reason: str


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """From which score on a binary model says the positive class, and what that rests on."""

    #: [probability] of the best F1 score on scores out of fold, with its 95 % interval
    threshold: Bounds
    #: models that were fitted for it, each without one stretch of time
    folds: int
    #: [rows] of the training part that were scored
    rows: int


@dataclass(frozen=True, kw_only=True)
class TrainingReport(Document):
    """What train counted and measured: `metrics.json` of the model's archive."""

    #: rows, and every metric of the model and of the baselines on the validation rows
    metrics: Mapping[str, float | None]
    onnx: OnnxExport
    threads: int
    #: of two classes
    operating_point: OperatingPoint | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class Reproduction(Document):
    """How far two models' answers to the same rows are apart: `reproduction.json`."""

    #: [rows] compared
    rows: int
    #: [probability] largest difference; null where the answers cannot be compared
    largest: float | None
    #: [rows] with a difference above the tolerance
    rows_beyond: int
    #: [probability]
    tolerance: float
    #: whether there were rows, and each is within the tolerance
    is_reproduced: bool


@dataclass(frozen=True)
class MeasuredMetric(Bounds):
    """A metric with its 95 % bootstrap interval."""

    standard_deviation: float | None


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Rows of about the same score."""

    #: [rows] rows in the bin
    rows: int
    #: [probability] their mean score
    score: float
    #: [share] how many of them the score was right about
    share: float


@dataclass(frozen=True, kw_only=True)
class Evaluation(Document):
    """What evaluate measured: `evaluation.json`, beside the metrics in the registry's own schema."""

    #: [rows] size of the holdout
    rows: int
    #: every metric of every model
    models: Mapping[str, Mapping[str, MeasuredMetric]]
    #: the challenger's paired gain, by metric and rival
    gain: Mapping[str, Mapping[str, Bounds]]
    #: how the answers of challenger and champion fare, each at its own threshold
    operating: Mapping[str, Mapping[str, MeasuredMetric]] | None = field(default=None, metadata=OMIT_NONE)
    #: [probability] from which they say yes, where there are two classes
    thresholds: Mapping[str, float] | None = field(default=None, metadata=OMIT_NONE)
    #: where the challenger's threshold comes from
    operating_point: OperatingPoint | None = field(default=None, metadata=OMIT_NONE)
    #: `column`, `value`, `rows` and the challenger's metric of each slice
    slices: tuple[Mapping[str, Any], ...]
    #: of the challenger
    calibration: tuple[CalibrationBin, ...]
    #: of every model
    calibrations: Mapping[str, tuple[CalibrationBin, ...]]
    #: by how much the metric falls when a column is shuffled
    importance: Mapping[str, float | None]
    #: the registry's schema of two classes
    binary_classification_metrics: Mapping[str, Any] | None = field(default=None, metadata=OMIT_NONE)
    #: the registry's schema of several classes
    multiclass_classification_metrics: Mapping[str, Any] | None = field(default=None, metadata=OMIT_NONE)

    @property
    def registered(self) -> Mapping[str, Any]:
        """Return the metrics in the registry's schema, whichever task it is."""
        return self.binary_classification_metrics or self.multiclass_classification_metrics or {}


@dataclass(frozen=True, kw_only=True)
class Bins:
    """What counts or shares stand over: buckets of a number, or values of a text."""

    kind: Literal["number", "text"]
    #: of a number: the bounds of the buckets
    edges: tuple[float, ...] | None = field(default=None, metadata=OMIT_NONE)
    #: of a text: the values
    values: tuple[str, ...] | None = field(default=None, metadata=OMIT_NONE)

    def __post_init__(self) -> None:
        """Refuse bins without what their kind stands over."""
        axis = "edges" if self.kind == "number" else "values"
        if getattr(self, axis) is None:
            raise InvalidDocument(f"{type(self).__name__} of kind {self.kind} lacks {axis}.")


@dataclass(frozen=True, kw_only=True)
class Histogram(Bins):
    """How the holdout's answers are spread."""

    #: [rows] in each bucket or of each value
    counts: tuple[int, ...]
    #: of rows in one block; null where rows are independent
    correlation: float | None = None
    #: by which the number of rows is divided
    design_effect: float | None = None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The map from scores to probabilities."""

    kind: Literal["beta"]
    #: weight of log(score)
    a: float
    #: weight of -log(1 - score)
    b: float
    #: constant
    c: float
    #: the three weights, fitted to resampled rows
    draws: tuple[tuple[float, ...], ...]
    #: [rows] that the map was fitted to
    rows: int
    #: blocks of event time among them; null where rows are independent
    clusters: int | None
    #: [probability] mean gap between probability and share, out of fold
    calibration_error: Bounds


@dataclass(frozen=True, kw_only=True)
class MonitoringBaseline(Document):
    """What evaluate leaves for those who monitor its model: `monitoring.json`."""

    version: int
    #: [rows] size of the holdout
    rows: int
    #: by how much the metric falls when a column is shuffled
    importance: Mapping[str, float | None]
    #: how the answers are spread
    predictions: Histogram
    #: null where the holdout holds too little to fit one
    calibration: Calibration | None
