"""Drawings of the model's quality over the last windows: solid marks by labels, hollow ones by estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from include.ml.reports import drawing, phrases
from include.ml.reports.phrases import Content
from include.ml.reports.window.findings import quality_of

WIDTH, HEIGHT = 960.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 950.0, 24.0, 206.0
#: names of windows that fit below the axis
NAMES = 12
#: ages that fit below theirs
AGES = 6
#: right end and bottom of the drawing of ages
AGES_RIGHT, AGES_BOTTOM = 316.0, 112.0


class Scale:
    """Places of windows and values in the drawing."""

    def __init__(self, n_windows: int, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        margin = max((high - low) * 0.12, 0.005)
        self.low, self.high, self.step = low - margin, high + margin, (RIGHT - LEFT) / n_windows

    def x(self, place: float) -> float:
        """Return the middle of a window."""
        return LEFT + (place + 0.5) * self.step

    def y(self, value: float) -> float:
        """Return the height of a value."""
        return BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)


def draw_quality(windows: Sequence[Content], matured_share: float) -> Markup | None:
    """Draw quality by window with intervals, beside the value of the champion's evaluation.

    Parameters
    ----------
    windows
        Evidence by window, the oldest first.
    matured_share
        Share of labels, 0 to 1, from which on a window's quality counts.

    Returns
    -------
    An SVG element, or None if no window has a number.
    """
    values = [value for each in windows for value in _values(each)]
    if not values:
        return None
    scale = Scale(len(windows), values)
    parts = [_grid(scale), _names(windows, scale)]
    parts += [_reference(place, each, scale) for place, each in enumerate(windows)]
    parts += [_change(place, pair, scale) for place, pair in enumerate(pairwise(windows))]
    parts += [_estimate(place, each.get("estimate"), scale) for place, each in enumerate(windows)]
    parts.append(_line(windows, scale))
    parts += [_judged(place, quality_of(each), scale, matured_share) for place, each in enumerate(windows)]
    said = "; ".join(
        f"{phrases.short(each['window'])}: {quality_text(each, matured_share)}" for each in windows
    )
    return drawing.drawing("Quality over time", said, parts, width=WIDTH, height=HEIGHT)


def quality_text(evidence: Content, matured_share: float) -> str:
    """Return a window's quality as text."""
    found, estimate = quality_of(evidence), evidence.get("estimate") or {}
    if found and found["value"] is not None:
        is_matured = (found["coverage"] or 0.0) >= matured_share
        return phrases.interval(found) + ("" if is_matured else ", not matured")
    if estimate.get("value") is not None:
        return f"estimate {phrases.metric(estimate['value'])}"
    return "unknown"


def _values(evidence: Content) -> list[float]:
    found, estimate = quality_of(evidence) or {}, evidence.get("estimate") or {}
    reference = found.get("reference") or {}
    names = ("value", "low", "high")
    values = [each.get(name) for each in (found, reference) for name in names] + [estimate.get("value")]
    return [value for value in values if value is not None]


def _grid(scale: Scale) -> Markup:
    """Return lines at round values."""
    size = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (scale.high - scale.low) / s <= 6 or s == 0.5)  # noqa: PLR2004
    first = int(scale.low / size) + 1
    values = [size * n for n in range(first, int(scale.high / size) + 1)]
    return Markup().join(
        drawing.line(LEFT, scale.y(v), RIGHT, scale.y(v), "grid")
        + drawing.text(LEFT - 6, scale.y(v) + 4, f"{v:.2f}", "tick", "end")
        for v in values
    )


def _names(windows: Sequence[Content], scale: Scale) -> Markup:
    every = -(-len(windows) // NAMES)
    last = len(windows) - 1
    # counted from the newest, which always has its name
    places = [place for place in range(len(windows)) if (last - place) % every == 0]
    return Markup().join(
        drawing.text(scale.x(n), BOTTOM + 20, phrases.short(windows[n]["window"]), "tick", "middle")
        for n in places
    )


def _reference(place: int, evidence: Content, scale: Scale) -> Markup:
    """Return the value of the champion's evaluation as a line, with its interval as a band."""
    found = (quality_of(evidence) or {}).get("reference") or {}
    if found.get("value") is None:
        return Markup()
    left, y = LEFT + place * scale.step, scale.y(found["value"])
    band = Markup()
    if found.get("low") is not None and found.get("high") is not None:
        top = scale.y(found["high"])
        band = drawing.box(left, top, scale.step, scale.y(found["low"]) - top, "band")
    return band + drawing.line(left, y, left + scale.step, y, "promise")


def _change(place: int, pair: tuple[Content, Content], scale: Scale) -> Markup:
    """Return the mark of a new champion between two windows."""
    before, after = (each["champion"]["version"] for each in pair)
    if before == after:
        return Markup()
    x = LEFT + (place + 1) * scale.step
    name = drawing.text(x + 4, TOP - 8, phrases.version(after), "tick")
    return drawing.line(x, TOP - 18, x, BOTTOM, "change") + name


def _estimate(place: int, found: Mapping[str, Any] | None, scale: Scale) -> Markup:
    """Return an estimate: a hollow diamond, with its calibration error as a dashed line."""
    if not found or found.get("value") is None:
        return Markup()
    # beside the mark of the labels
    x, y, error = scale.x(place) + min(scale.step * 0.22, 14), scale.y(found["value"]), 0.0
    if found.get("calibration_error") is not None:
        error = abs(scale.y(found["value"] - abs(found["calibration_error"])) - y)
    points = [(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)]
    bar = drawing.line(x, y - error, x, y + error, "estimate") if error else Markup()
    return bar + drawing.path(points, "estimate", is_closed=True)


def _judged(place: int, found: Content | None, scale: Scale, matured_share: float) -> Markup:
    """Return quality by labels: a dot with its interval, solid if enough labels are known."""
    if not found or found["value"] is None:
        return Markup()
    x, y = scale.x(place), scale.y(found["value"])
    css = "judged" if (found["coverage"] or 0.0) >= matured_share else "judged young"
    bar = Markup()
    if found.get("low") is not None and found.get("high") is not None:
        bar = drawing.line(x, scale.y(found["low"]), x, scale.y(found["high"]), css)
    return bar + drawing.circle(x, y, 5.5, css)


def _line(windows: Sequence[Content], scale: Scale) -> Markup:
    """Return a line through the judged values."""
    found = [(place, quality_of(each)) for place, each in enumerate(windows)]
    points = [(scale.x(n), scale.y(q["value"])) for n, q in found if q and q["value"] is not None]
    return drawing.path(points, "trend") if len(points) > 1 else Markup()


def draw_coverage(by_age: Sequence[Content]) -> Markup:
    """Draw the share of events with a label by the label's age, the ages at equal steps."""
    points, parts = [], []
    step, every = (AGES_RIGHT - 40) / max(len(by_age), 1), -(-len(by_age) // AGES)
    for place, each in enumerate(by_age):
        x, y = 36 + step * (place + 0.5), AGES_BOTTOM - (AGES_BOTTOM - 20) * each["share"]
        points.append((x, y))
        parts.append(drawing.circle(x, y, 4, "judged"))
        if place % every == 0:
            parts.append(drawing.text(x, AGES_BOTTOM + 14, phrases.age(each["age_s"]), "tick", "middle"))
    for share in (0.0, 0.5, 1.0):
        y = AGES_BOTTOM - (AGES_BOTTOM - 20) * share
        parts.insert(0, drawing.line(34, y, AGES_RIGHT, y, "grid"))
        parts.append(drawing.text(30, y + 4, f"{share:.0%}", "tick", "end"))
    said = "; ".join(
        f"{phrases.percent(each['share'])} within {phrases.age(each['age_s'])}" for each in by_age
    )
    joined = drawing.path(points, "trend") if len(points) > 1 else Markup()
    return drawing.drawing("Labels known by age", said, [joined, *parts])


def quality_row(evidence: Content) -> dict[str, object]:
    """Return a window's quality as a row of a table."""
    found, estimate = quality_of(evidence) or {}, evidence.get("estimate") or {}
    reference = found.get("reference") or {}
    return {
        "window": phrases.short(evidence["window"]),
        "by labels": phrases.interval(found) if found else "unknown",
        "labels": phrases.number(found["judged"]) if found else "0",
        "known": phrases.percent(found.get("coverage")),
        "estimate": phrases.metric(estimate["value"]) if estimate.get("value") is not None else "none",
        "evaluation": phrases.interval(reference) if reference.get("value") is not None else "unknown",
        "champion": phrases.version(evidence["champion"]["version"]),
    }
