"""The features of a window: how each is distributed now and before, and how it moved in the last windows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from include.ml.reports import distributions, phrases
from include.ml.reports.phrases import Content
from include.ml.reports.window import findings
from include.ml.reports.window.findings import Status

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
    distance: float | None
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
        return ", ".join(dict.fromkeys(f"{each.sign} {each.name.lower()}" for each in self.statuses))


def feature_cards(
    evidence: Content, entries: Mapping[str, Content], private: Collection[str], limit: float
) -> list[FeatureCard]:
    """Return one card for each feature, by importance times distance.

    Parameters
    ----------
    evidence
        The content of evidence.json.
    entries
        Distributions by the feature's name.
    private
        Features whose values are not shown.
    limit
        Distance from which on a feature may have drifted.
    """
    features = findings.order_features(evidence["features"])
    return [_card(each, features, entries, private, limit) for each in features]


def _card(
    feature: Content,
    features: Sequence[Content],
    entries: Mapping[str, Content],
    private: Collection[str],
    limit: float,
) -> FeatureCard:
    name = feature["name"]
    entry = None if name in private else entries.get(name)
    drawn = distributions.draw_distribution(entry, f"{name}: baseline and current") if entry else None
    has_importance = feature.get("importance") is not None
    return FeatureCard(
        name=name,
        test=feature["test"],
        distance=feature["distance"],
        importance=phrases.percent(findings.share_of([feature], features)) if has_importance else None,
        chance=phrases.chance(feature.get("p_value")),
        is_moved=feature["is_drifted"],
        is_far=(feature["distance"] or 0.0) >= limit,
        drawing=drawn,
        numbers=tabulate(entry) if entry else None,
        note=PRIVATE if name in private else NOT_SHOWN,
    )


def tabulate(entry: Content) -> Numbers:
    """Return a distribution's shares as rows; of many categories those that changed most."""
    found = list(zip(_names(entry), entry["baseline"], entry["current"], strict=True))
    found = [row for row in found if row[1] or row[2]]
    n_more = max(len(found) - ROWS, 0)
    if n_more:
        found = sorted(found, key=lambda row: -abs(row[1] - row[2]))[:ROWS]
    return Numbers(found, n_more)


def _names(entry: Content) -> list[str]:
    if entry["kind"] != "number":
        return [str(value) for value in entry["values"]]
    names, edges = distributions.bucket_names(entry["edges"]), entry["edges"]
    if len(entry["baseline"]) == len(names):
        return names
    return [f"below {phrases.number(edges[0])}", *names, f"above {phrases.number(edges[-1])}"]


def build_strip(windows: Sequence[Content], limit: float) -> Strip:
    """Return every feature over the last windows: a shade and a number for each.

    Parameters
    ----------
    windows
        Evidence by window, the oldest first.
    limit
        The distance that counts as drift.
    """
    features = findings.order_features(windows[-1]["features"])
    top = max((findings.weight(feature) for feature in features), default=0.0)
    rows = []
    for feature in features:
        width = 100 * findings.weight(feature) / top if top else 0.0
        cells = _cells([_feature_of(each, feature["name"]) for each in windows], limit)
        rows.append(StripRow(feature["name"], cells, width))
    rows.append(StripRow(PREDICTIONS, _cells([each.get("predictions") for each in windows], limit)))
    rows.append(StripRow(TOGETHER, [_separability_cell(each) for each in windows], unit="AUC"))
    heads = [phrases.short(each["window"]) for each in windows]
    return Strip(heads, [findings.status_of(each) for each in windows], rows)


def _feature_of(evidence: Content, name: str) -> Content | None:
    return next((each for each in evidence["features"] if each["name"] == name), None)


def _cells(found: Sequence[Content | None], limit: float) -> list[StripCell]:
    values = [each["distance"] if each else None for each in found]
    return [_cell(v, (v or 0.0) / (limit or 1.0), each) for v, each in zip(values, found, strict=True)]


def _cell(value: float | None, level: float, found: Content | None) -> StripCell:
    if found is None or value is None:
        return StripCell("–", "none")  # noqa: RUF001 - a dash where there is no number
    shade = sum(level >= bound for bound in SHADES)
    drifted = " drifted" if found["is_drifted"] else ""
    return StripCell(f"{value:.2f}".removeprefix("0"), f"h{shade}{drifted}")


def _separability_cell(evidence: Content) -> StripCell:
    """Return the classifier's area under the curve; its shade goes by its own limit, from 0.5 on."""
    found = evidence.get("separability") or {}
    value, limit = found.get("value"), found.get("limit")
    level = 0.0 if value is None or limit is None else (value - 0.5) / max(limit - 0.5, 1e-9)
    return _cell(value, level, found or None)
