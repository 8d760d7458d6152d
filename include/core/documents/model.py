"""What evaluate says of a model: the verdict on a challenger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.core.documents.codec import Document


@dataclass(frozen=True)
class Bounds:
    """A number with its bootstrap interval; each part is null where it is undefined."""

    value: float | None
    #: lower bound of the interval
    low: float | None
    #: upper bound of the interval
    high: float | None


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
    #: null where the rule was not kept
    rule: PromotionRule | None = None
