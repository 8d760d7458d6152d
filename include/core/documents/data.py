"""What steps say of data: the quality of a cleaned table, a window's distributions and violations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.core.documents.codec import OMIT_NONE, Document
from include.core.documents.model import Bins


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that broke a rule."""

    #: its place in the fetched table, from 0
    row: int
    #: every rule that it broke, with the value
    reason: str
    #: the fetched row as JSON
    values: str


@dataclass(frozen=True, kw_only=True)
class TableQuality(Document):
    """What clean found in one table: the table's entry in `quality.json`, which is an object by table."""

    #: [rows] fetched; the sum of the other four
    rows_in: int
    #: [rows] kept
    rows_out: int
    #: [rows] that broke a rule
    rows_quarantined: int
    #: [rows] equal to one that was kept
    rows_duplicate: int
    #: [rows] by broken rule, without the values
    reasons: Mapping[str, int]
    #: the first quarantined rows, three at most
    examples: tuple[QuarantinedRow, ...]
    #: [share] of the kept rows that lack a value, by column
    missing_share: Mapping[str, float]
    #: [rows] that differ from the one of their identity that was kept; missing before it was counted
    rows_conflicting: int | None = field(default=None, metadata=OMIT_NONE)
    #: [rows] by column and replaced spelling; missing before it was counted
    unified: Mapping[str, Mapping[str, int]] | None = field(default=None, metadata=OMIT_NONE)
    #: [rows] by column, whose text had blanks around it; missing before it was counted
    trimmed: Mapping[str, int] | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class Distribution(Bins):
    """How the baseline and a window are spread over the same bins; of a number with what lies beyond them."""

    #: [share] of the baseline in each bin
    baseline: tuple[float, ...]
    #: [share] of the window in each bin
    current: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class FeatureDistribution(Distribution):
    """How a feature is spread."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Distributions(Document):
    """How a window is spread beside the champion's training rows: `distributions.json` of monitor."""

    #: private ones are not among them
    features: tuple[FeatureDistribution, ...]
    #: null where a side has no answers
    predictions: Distribution | None


@dataclass(frozen=True)
class ConstraintViolation:
    """One constraint that a window broke."""

    #: empty where it is the whole window
    feature_name: str
    #: Model Monitor's name of the check; stray_type_check, of few values of another type, is no fault
    constraint_check_type: str
    description: str


@dataclass(frozen=True, kw_only=True)
class ConstraintViolations(Document):
    """The constraints that a window broke, in Model Monitor's form: `constraint_violations.json`."""

    #: in the order of the features
    violations: tuple[ConstraintViolation, ...]
