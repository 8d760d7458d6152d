"""Drawings of the model's quality over the last windows: solid marks by labels, hollow ones by estimates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import Markup

from include.core.documents.monitoring import QualityEstimate, WindowQuality
from include.core.documents.reports import AgeShare
from include.ml.reports import drawing, phrases
from include.ml.reports.window.findings import Window, quality_of, short_name

#: the short name of a version, given its ARN
VersionOf = Callable[[str], str]

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

    def x(self, position: float) -> float:
        """Return the middle of a window."""
        return LEFT + (position + 0.5) * self.step

    def y(self, value: float) -> float:
        """Return the height of a value."""
        return BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)


def draw_quality(windows: Sequence[Window], matured_share: float, version_of: VersionOf) -> Markup | None:
    """Draw quality by window with intervals, beside the value of the champion's evaluation.

    Parameters
    ----------
    windows
        The last windows, the oldest first.
    matured_share
        Share of labels, 0 to 1, from which on a window's quality counts.
    version_of
        Returns the short name of a version, given its ARN.

    Returns
    -------
    An SVG element, or None if no window has a number.
    """
    values = [value for window in windows for value in _values(window)]
    if not values:
        return None
    scale = Scale(len(windows), values)
    parts = [_grid(scale), _names(windows, scale)]
    parts += [_reference(n, quality_of(window), scale) for n, window in enumerate(windows)]
    parts += [_change(n, pair, scale, version_of) for n, pair in enumerate(pairwise(windows))]
    parts += [_estimate(n, window.estimate, scale) for n, window in enumerate(windows)]
    parts.append(_line(windows, scale))
    parts += [_judged(n, quality_of(w), scale, matured_share) for n, w in enumerate(windows)]
    description = "; ".join(f"{short_name(w)}: {quality_text(w, matured_share)}" for w in windows)
    return drawing.drawing("Quality over time", description, parts, width=WIDTH, height=HEIGHT)


def quality_text(window: Window, matured_share: float) -> str:
    """Return a window's quality as text."""
    quality, estimate = quality_of(window), window.estimate
    if quality and quality.value is not None:
        is_matured = (quality.coverage or 0.0) >= matured_share
        return phrases.interval(quality) + ("" if is_matured else ", not matured")
    if estimate and estimate.value is not None:
        return f"estimate {phrases.metric(estimate.value)}"
    return "unknown"


def _values(window: Window) -> list[float]:
    quality = quality_of(window)
    measured = [quality, quality.reference] if quality else []
    values = [n for bounds in measured if bounds for n in (bounds.value, bounds.low, bounds.high)]
    values += [window.estimate.value] if window.estimate else []
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


def _names(windows: Sequence[Window], scale: Scale) -> Markup:
    every = -(-len(windows) // NAMES)
    last = len(windows) - 1
    # counted from the newest, which always has its name
    places = [position for position in range(len(windows)) if (last - position) % every == 0]
    return Markup().join(
        drawing.text(scale.x(n), BOTTOM + 20, short_name(windows[n]), "tick", "middle") for n in places
    )


def _reference(position: int, quality: WindowQuality | None, scale: Scale) -> Markup:
    """Return the value of the champion's evaluation as a line, with its interval as a band."""
    reference = quality.reference if quality else None
    if reference is None or reference.value is None:
        return Markup()
    left, y = LEFT + position * scale.step, scale.y(reference.value)
    band = Markup()
    if reference.low is not None and reference.high is not None:
        top = scale.y(reference.high)
        band = drawing.box(left, top, scale.step, scale.y(reference.low) - top, "band")
    return band + drawing.line(left, y, left + scale.step, y, "promise")


def _change(position: int, pair: tuple[Window, Window], scale: Scale, version_of: VersionOf) -> Markup:
    """Return the mark of a new champion between two windows."""
    before, after = (window.champion.version for window in pair)
    if before == after:
        return Markup()
    x = LEFT + (position + 1) * scale.step
    name = drawing.text(x + 4, TOP - 8, version_of(after), "tick")
    return drawing.line(x, TOP - 18, x, BOTTOM, "change") + name


def _estimate(position: int, estimate: QualityEstimate | None, scale: Scale) -> Markup:
    """Return an estimate: a hollow diamond, with its calibration error as a dashed line."""
    if estimate is None or estimate.value is None:
        return Markup()
    # beside the mark of the labels
    x, y, error = scale.x(position) + min(scale.step * 0.22, 14), scale.y(estimate.value), 0.0
    if estimate.calibration_error is not None:
        error = abs(scale.y(estimate.value - abs(estimate.calibration_error)) - y)
    points = [(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)]
    bar = drawing.line(x, y - error, x, y + error, "estimate") if error else Markup()
    return bar + drawing.path(points, "estimate", is_closed=True)


def _judged(position: int, quality: WindowQuality | None, scale: Scale, matured_share: float) -> Markup:
    """Return quality by labels: a dot with its interval, solid if enough labels are known."""
    if quality is None or quality.value is None:
        return Markup()
    x, y = scale.x(position), scale.y(quality.value)
    css = "judged" if (quality.coverage or 0.0) >= matured_share else "judged young"
    bar = Markup()
    if quality.low is not None and quality.high is not None:
        bar = drawing.line(x, scale.y(quality.low), x, scale.y(quality.high), css)
    return bar + drawing.circle(x, y, 5.5, css)


def _line(windows: Sequence[Window], scale: Scale) -> Markup:
    """Return a line through the judged values."""
    points = [
        (scale.x(n), scale.y(quality.value))
        for n, window in enumerate(windows)
        if (quality := quality_of(window)) and quality.value is not None
    ]
    return drawing.path(points, "trend") if len(points) > 1 else Markup()


def draw_coverage(by_age: Sequence[AgeShare]) -> Markup:
    """Draw the share of events with a label by the label's age, the ages at equal steps."""
    points, parts = [], []
    step, every = (AGES_RIGHT - 40) / max(len(by_age), 1), -(-len(by_age) // AGES)
    for n, age in enumerate(by_age):
        x, y = 36 + step * (n + 0.5), AGES_BOTTOM - (AGES_BOTTOM - 20) * (age.share or 0.0)
        points.append((x, y))
        parts.append(drawing.circle(x, y, 4, "judged"))
        if n % every == 0:
            parts.append(drawing.text(x, AGES_BOTTOM + 14, phrases.age(age.age_s), "tick", "middle"))
    for share in (0.0, 0.5, 1.0):
        y = AGES_BOTTOM - (AGES_BOTTOM - 20) * share
        parts.insert(0, drawing.line(34, y, AGES_RIGHT, y, "grid"))
        parts.append(drawing.text(30, y + 4, f"{share:.0%}", "tick", "end"))
    description = "; ".join(f"{phrases.percent(a.share)} within {phrases.age(a.age_s)}" for a in by_age)
    joined = drawing.path(points, "trend") if len(points) > 1 else Markup()
    return drawing.drawing("Labels known by age", description, [joined, *parts])


def quality_row(window: Window, version_of: VersionOf) -> dict[str, object]:
    """Return a window's quality as a row of a table."""
    quality, estimate = quality_of(window), window.estimate
    reference = quality.reference if quality else None
    return {
        "window": short_name(window),
        "by labels": phrases.interval(quality) if quality else "unknown",
        "labels": phrases.number(quality.judged if quality else 0),
        "known": phrases.percent(quality.coverage if quality else None),
        "estimate": phrases.metric(estimate.value) if estimate and estimate.value is not None else "none",
        "evaluation": phrases.interval(reference) if reference and reference.value is not None else "unknown",
        "champion": version_of(window.champion.version),
    }
