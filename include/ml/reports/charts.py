"""Charts with axes: intervals beside each other, lines over a common range, and bars.

The classes `c1` to `c4` are the colours of the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from include.core.documents.model import Bounds, CalibrationBin, JudgedSlice, Verdict
from include.ml.reports import drawing, phrases

#: a value and the text that stands beside it on an axis
Tick = tuple[float, str]

#: class of each model in every chart
MODEL_COLOURS = {"challenger": "c1", "champion": "c2", "linear": "c3", "constant": "c4"}
#: steps between ticks, times a power of ten
STEPS = (1, 2, 2.5, 5, 10)
#: about how wide a character and how high a row of text is
CHARACTER, ROW = 6.2, 20.0
#: space above a chart for its title, and below for ticks and the name of the axis
HEAD, FOOT = 26.0, 38.0


@dataclass(frozen=True)
class Interval:
    """A value with its bounds, and how they are drawn."""

    name: str
    bounds: Bounds
    #: class of its colour
    css: str = "c1"
    #: a bound drawn across the row
    floor: float | None = None


@dataclass(frozen=True)
class Series:
    """Points that a line joins."""

    name: str
    points: Sequence[tuple[float, float]]
    #: classes: a colour, and "dashed" or "dotted"
    css: str
    #: bounds of each point's interval; empty if there are none
    bounds: Sequence[tuple[float, float]] = ()
    has_dots: bool = True


@dataclass(frozen=True)
class Axis:
    """One direction of a chart."""

    name: str
    low: float
    high: float
    ticks: Sequence[Tick]


@dataclass(frozen=True)
class Frame:
    """Where an axis' values are drawn: from `start` to `end` in units of the drawing."""

    axis: Axis
    start: float
    end: float

    def position(self, value: float) -> float:
        """Return where a value is drawn."""
        share = (value - self.axis.low) / ((self.axis.high - self.axis.low) or 1.0)
        return self.start + share * (self.end - self.start)


def round_ticks(low: float, high: float, most: int = 6) -> list[Tick]:
    """Return at most `most` round values between two bounds, with their texts.

    >>> round_ticks(0.0, 0.05, 3)
    [(0.0, '0.000'), (0.025, '0.025'), (0.05, '0.050')]
    """
    raw = max(high - low, 1e-12) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(multiple * power for multiple in STEPS if multiple * power >= raw * (1 - 1e-9))
    digits = max(0, -math.floor(math.log10(step)) + (step / power == 2.5))  # noqa: PLR2004 - has a digit more
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(round(n * step, 12), f"{n * step:.{digits}f}") for n in range(first, last + 1)]


def axis_over(name: str, values: Sequence[float], margin_share: float = 0.06) -> Axis:
    """Return an axis with round ticks that holds all values and a margin."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * margin_share or 0.01
    return Axis(name, low - margin, high + margin, round_ticks(low - margin, high + margin))


def interval_chart(
    title: str, axis_name: str, intervals: Sequence[Interval], required: float | None = None
) -> Markup:
    """Draw one interval below the other, with a line at 0 and a dashed one at what is required."""
    numbers = [
        number
        for interval in intervals
        for number in (interval.bounds.value, interval.bounds.low, interval.bounds.high, interval.floor)
        if number is not None
    ]
    axis = axis_over(axis_name, [0.0, *numbers, *([] if required is None else [required])])
    left = 16 + CHARACTER * max((len(interval.name) for interval in intervals), default=0)
    width, bottom = 640.0, HEAD + ROW * max(len(intervals), 1)
    frame = Frame(axis, left, width - 12)
    parts = [_title(title), *_x_axis(frame, HEAD, bottom), _vertical(frame.position(0.0), bottom, "zero")]
    if required is not None:
        parts.append(_vertical(frame.position(required), bottom, "required"))
    for row, interval in enumerate(intervals):
        parts.append(_interval_row(interval, HEAD + ROW * (row + 0.5), left, frame))
    words = "; ".join(f"{interval.name}: {phrases.estimate(interval.bounds)}" for interval in intervals)
    return drawing.drawing(title, f"{axis_name}. {words}.", parts, width=width, height=bottom + FOOT)


def _interval_row(interval: Interval, y: float, left: float, frame: Frame) -> Markup:
    value, low, high = interval.bounds.value, interval.bounds.low, interval.bounds.high
    parts = [drawing.text(left - 8, y + 4, interval.name, "tick", "end")]
    if low is not None and high is not None:
        parts.append(drawing.line(frame.position(low), y, frame.position(high), y, f"bound {interval.css}"))
    if interval.floor is not None:
        x = frame.position(interval.floor)
        parts.append(drawing.line(x, y - 7, x, y + 7, "floor"))
    if value is not None:
        parts.append(drawing.circle(frame.position(value), y, 4, f"dot {interval.css}"))
    return Markup().join(parts)


def line_chart(
    title: str,
    series: Sequence[Series],
    x_axis: Axis,
    y_axis: Axis,
    *,
    width: float = 640.0,
    height: float = 300.0,
    marks: Sequence[Markup] = (),
) -> Markup:
    """Draw lines on common axes, with a legend above them; `marks` are drawn below the lines."""
    legend, top = _legend(series, 46.0, width)
    frame_x, frame_y = line_frames(x_axis, y_axis, top, width, height)
    bottom = frame_y.start
    parts = [_title(title), *legend, *_y_axis(frame_y, frame_x.start, frame_x.end)]
    parts += [*_x_axis(frame_x, top, bottom), *marks]
    for line in series:
        places = [(frame_x.position(x), frame_y.position(y)) for x, y in line.points if math.isfinite(x + y)]
        for (x, _), (low, high) in zip(places, line.bounds, strict=False):
            parts.append(
                drawing.line(x, frame_y.position(low), x, frame_y.position(high), f"thin {line.css}")
            )
        parts.append(drawing.path(places, f"series {line.css}"))
        parts += [drawing.circle(x, y, 3, f"dot {line.css}") for x, y in places if line.has_dots]
    words = "; ".join(
        f"{line.name}: {', '.join(f'{x:.3g} {y:.3g}' for x, y in _some(line.points))}" for line in series
    )
    return drawing.drawing(
        title, f"{y_axis.name} by {x_axis.name}. {words}.", parts, width=width, height=height
    )


def line_frames(x_axis: Axis, y_axis: Axis, top: float, width: float, height: float) -> tuple[Frame, Frame]:
    """Return where a line chart draws the values of its axes."""
    foot = FOOT if x_axis.name else FOOT - 14
    return Frame(x_axis, 46.0, width - 16), Frame(y_axis, height - foot, top + 12)


def _some(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return at most a dozen of the points, from all over them."""
    return points[:: max(len(points) // 12, 1)][:13]


def bar_chart(title: str, axis_name: str, bars: Mapping[str, float], width: float = 640.0) -> Markup:
    """Draw one horizontal bar below the other."""
    axis = axis_over(axis_name, [0.0, *bars.values()], 0.0)
    left = 16 + CHARACTER * max((len(name) for name in bars), default=0)
    bottom = HEAD + ROW * max(len(bars), 1)
    frame = Frame(axis, left, width - 24)
    parts = [_title(title), *_x_axis(frame, HEAD, bottom)]
    for row, (name, value) in enumerate(bars.items()):
        y = HEAD + ROW * (row + 0.5)
        parts.append(drawing.text(left - 8, y + 4, name, "tick", "end"))
        parts.append(drawing.box(left, y - 6, frame.position(value) - left, 12, "bar"))
    words = "; ".join(f"{name}: {value:.3g}" for name, value in bars.items())
    return drawing.drawing(title, f"{axis_name}. {words}.", parts, width=width, height=bottom + FOOT)


def _title(title: str) -> Markup:
    return drawing.text(4, 14, title, "heading")


def _vertical(x: float, bottom: float, css: str) -> Markup:
    return drawing.line(x, HEAD, x, bottom, css)


def _x_axis(frame: Frame, top: float, bottom: float) -> list[Markup]:
    """Return grid, ticks and name of a horizontal axis."""
    parts = [drawing.line(frame.start, bottom, frame.end, bottom, "axis")]
    for value, words in frame.axis.ticks:
        x = frame.position(value)
        parts.append(drawing.line(x, top, x, bottom, "grid"))
        parts.append(drawing.text(x, bottom + 14, words, "tick", "middle"))
    middle = (frame.start + frame.end) / 2
    return [*parts, drawing.text(middle, bottom + 30, frame.axis.name, "tick", "middle")]


def _y_axis(frame: Frame, left: float, right: float) -> list[Markup]:
    """Return grid, ticks and name of a vertical axis; the name stands at its top."""
    parts = [drawing.text(4, frame.end - 8, frame.axis.name, "tick")]
    for value, words in frame.axis.ticks:
        y = frame.position(value)
        parts.append(drawing.line(left, y, right, y, "grid"))
        parts.append(drawing.text(left - 6, y + 4, words, "tick", "end"))
    return parts


def _legend(series: Sequence[Series], left: float, width: float) -> tuple[list[Markup], float]:
    """Return a key for each line, row by row, and where the chart below may begin."""
    parts, x, y = [], left, HEAD + 8
    for line in series:
        needed = 40 + CHARACTER * len(line.name)
        if x > left and x + needed > width:
            x, y = left, y + 16
        parts.append(drawing.path([(x, y), (x + 22, y)], f"series {line.css}"))
        parts.append(drawing.text(x + 28, y + 4, line.name, "tick"))
        x += needed
    return parts, y + 20


def gain_chart(verdict: Verdict) -> Markup:
    """Draw the challenger's gain over each rival, and the gain that is required over the champion."""
    rivals = {"baseline " + name: gain for name, gain in verdict.baseline_gains.items()}
    if verdict.gain:
        rivals = {"champion": verdict.gain, **rivals}
    intervals = [Interval(f"over {name}", gain) for name, gain in rivals.items()]
    required = verdict.rule.minimum_gain if verdict.rule and verdict.gain else None
    name = f"gain in {verdict.metric}" + ("" if required is None else "; dashed: required")
    return interval_chart("Gain of the challenger on the same rows", name, intervals, required)


def slice_chart(slices: Sequence[JudgedSlice], metric: str) -> Markup:
    """Draw the gain over the champion in each slice with its floor; red is under the floor."""
    intervals = [
        Interval(
            f"{judged.column}={judged.value} ({judged.rows})",
            judged.gain,
            css="bad" if judged.is_under_floor else "c1",
            floor=judged.floor,
        )
        for judged in slices
    ]
    name = f"gain over the champion in {metric}"
    return interval_chart("Slices, the worst first; red: the floor", name, intervals)


def roc_chart(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Markup:
    """Draw ROC curves by model, each as false and true positive rates."""
    series = [Series("chance", [(0.0, 0.0), (1.0, 1.0)], "c4 dotted", has_dots=False)]
    for name, (false, true) in curves.items():
        points = list(zip(false, true, strict=True))
        series.append(Series(name, points, MODEL_COLOURS.get(name, "c4"), has_dots=False))
    shares = round_ticks(0.0, 1.0)
    x_axis, y_axis = Axis("false positive rate", 0, 1, shares), Axis("true positive rate", 0, 1, shares)
    return line_chart("ROC curve", series, x_axis, y_axis, height=400)


def calibration_chart(calibrations: Mapping[str, Sequence[CalibrationBin]]) -> Markup:
    """Draw the observed share against the mean score, by model."""
    series = [Series("perfect", [(0.0, 0.0), (1.0, 1.0)], "c4 dotted", has_dots=False)]
    for name, bins in calibrations.items():
        points = [(group.score, group.share) for group in bins]
        series.append(Series(name, points, MODEL_COLOURS.get(name, "c4")))
    shares = round_ticks(0.0, 1.0)
    x_axis, y_axis = Axis("mean score", 0, 1, shares), Axis("observed share", 0, 1, shares)
    return line_chart("Calibration", series, x_axis, y_axis, height=400)
