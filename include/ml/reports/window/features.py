"""The features of a window: how each is distributed now and before, and how it moved in the last windows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from include.core.documents.data import Distribution
from include.core.documents.monitoring import Evidence, FeatureDrift, PredictionShift, SeparabilityShift
from include.ml.reports import distributions, phrases
from include.ml.reports.window import findings
from include.ml.reports.window.findings import Status, Window

#: bounds of the shades of a cell, in shares of the distance that counts as drift
SHADES = (0.25, 0.5, 1.0, 2.0, 4.0)
#: rows of a table of numbers: as many as a number's distribution has
ROWS = 24
NOT_SHOWN = "Not drawn: the window's distributions do not hold it."
PRIVATE = "Private: its values are not shown."
#: the two rows of the strip that are no features
PREDICTIONS, TOGETHER = "The predictions", "All features together"


@dataclass(frozen=True)
class Numbers:
    """A distribution as rows of a table."""

    #: name, share in the baseline and share now, each 0 to 1
    rows: Sequence[tuple[str, float, float]]
    #: rows left out, which changed less
    n_more: int


@dataclass(frozen=True, kw_only=True)
class FeatureCard:
    """What the page shows of one feature."""

    name: str
    test: str
    distance: float
    #: share of the model's importance in words; None if the columns it is made of hold it
    importance: str | None
    chance: str
    is_moved: bool
    #: whether its distance alone would count as drift
    is_far: bool
    drawing: Markup | None
    numbers: Numbers | None
    #: why there is no drawing
    note: str


@dataclass(frozen=True)
class StripCell:
    """One feature in one window."""

    text: str
    css: str


ABSENT = StripCell("–", "none")  # noqa: RUF001 - a dash where there is no number


@dataclass(frozen=True)
class StripRow:
    """One feature over the last windows."""

    name: str
    cells: Sequence[StripCell]
    #: length of its bar, 0 to 100
    width_percent: float = 0.0
    unit: str = ""


@dataclass(frozen=True)
class Strip:
    """Every feature over the last windows, the newest at the right."""

    heads: Sequence[str]
    statuses: Sequence[Status]
    rows: Sequence[StripRow]

    @property
    def legend(self) -> str:
        """What the signs of the windows mean."""
        return ", ".join(dict.fromkeys(f"{status.sign} {status.name.lower()}" for status in self.statuses))


def feature_cards(
    evidence: Evidence, spreads: Mapping[str, Distribution], private: Collection[str], limit: float
) -> list[FeatureCard]:
    """Return one card for each feature, by importance times distance.

    Parameters
    ----------
    evidence
        What monitor found.
    spreads
        Distributions by the feature's name.
    private
        Features whose values are not shown.
    limit
        Distance from which on a feature may have drifted.
    """
    features = findings.order_features(evidence.features)
    return [_card(feature, features, spreads, private, limit) for feature in features]


def _card(
    feature: FeatureDrift,
    features: Sequence[FeatureDrift],
    spreads: Mapping[str, Distribution],
    private: Collection[str],
    limit: float,
) -> FeatureCard:
    name = feature.name
    spread = None if name in private else spreads.get(name)
    has_importance = feature.importance is not None
    return FeatureCard(
        name=name,
        test=feature.test,
        distance=feature.distance,
        importance=phrases.percent(findings.share_of([feature], features)) if has_importance else None,
        chance=phrases.chance(feature.p_value),
        is_moved=feature.is_drifted,
        is_far=feature.distance >= limit,
        drawing=distributions.draw_comparison(spread, name) if spread else None,
        numbers=tabulate(spread) if spread else None,
        note=PRIVATE if name in private else NOT_SHOWN,
    )


def tabulate(spread: Distribution) -> Numbers:
    """Return a distribution's shares as rows; of many categories those that changed most."""
    rows = list(zip(_names(spread), spread.baseline, spread.current, strict=True))
    rows = [row for row in rows if row[1] or row[2]]
    n_more = max(len(rows) - ROWS, 0)
    if n_more:
        rows = sorted(rows, key=lambda row: -abs(row[1] - row[2]))[:ROWS]
    return Numbers(rows, n_more)


def _names(spread: Distribution) -> Sequence[str]:
    if spread.edges is None:
        return spread.values or ()
    names, edges = distributions.bucket_names(spread.edges), spread.edges
    if len(spread.baseline) == len(names):
        return names
    return [f"below {phrases.number(edges[0])}", *names, f"above {phrases.number(edges[-1])}"]


def build_strip(windows: Sequence[Window], limit: float) -> Strip:
    """Return every feature over the last windows: a shade and a number for each.

    Parameters
    ----------
    windows
        The last windows, the oldest first.
    limit
        The distance that counts as drift.
    """
    features = findings.order_features(windows[-1].features)
    top = max((findings.weight(feature) for feature in features), default=0.0)
    rows = []
    for feature in features:
        width = 100 * findings.weight(feature) / top if top else 0.0
        shifts = [_feature_of(window, feature.name) for window in windows]
        rows.append(StripRow(feature.name, _cells(shifts, limit), width))
    rows.append(StripRow(PREDICTIONS, _cells([window.predictions for window in windows], limit)))
    separated = [_separability_cell(window.separability) for window in windows]
    rows.append(StripRow(TOGETHER, separated, unit="AUC"))
    heads = [findings.short_name(window) for window in windows]
    return Strip(heads, [findings.status_of(window) for window in windows], rows)


def _feature_of(window: Window, name: str) -> PredictionShift | None:
    return next((feature for feature in window.features if feature.name == name), None)


def _cells(shifts: Sequence[PredictionShift | None], limit: float) -> list[StripCell]:
    return [
        _cell(shift.distance, shift.distance / (limit or 1.0), is_drifted=shift.is_drifted)
        if shift
        else ABSENT
        for shift in shifts
    ]


def _cell(value: float, level: float, *, is_drifted: bool) -> StripCell:
    shade = sum(level >= bound for bound in SHADES)
    return StripCell(f"{value:.2f}".removeprefix("0"), f"h{shade}{' drifted' if is_drifted else ''}")


def _separability_cell(separability: SeparabilityShift | None) -> StripCell:
    """Return the classifier's area under the curve; its shade goes by its own limit, from 0.5 on."""
    if separability is None:
        return ABSENT
    level = (separability.value - 0.5) / max(separability.limit - 0.5, 1e-9)
    return _cell(separability.value, level, is_drifted=separability.is_drifted)
