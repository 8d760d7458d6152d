"""Drawings of distributions: numbers and times as steps over a range, categories as bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from include.core.documents.data import Distribution
from include.ml.reports import drawing

#: equal steps that a distribution of numbers is drawn in
STEPS = 28
#: shares outside of the drawn range, at each end, that get a gauge of their own
TAIL = 0.002
#: categories drawn one by one
CATEGORIES = 8
#: different edges of a number up to which its buckets are drawn one by one
FEW_EDGES = 5
#: longest name of a category, in characters
NAME_LETTERS = 14

#: where numbers are drawn: left, right, top and bottom
LEFT, RIGHT, TOP, BOTTOM = 4.0, 316.0, 14.0, 112.0
#: width of a gauge, and of the gap beside it
TAIL_WIDTH, TAIL_GAP = 26.0, 8.0

#: classes of the first and of the second distribution
CLASSES = ("base", "now")

Array = NDArray[np.float64]
#: shares in equal steps, below them and above them
Spread = tuple[Array, float, float]
#: text of a value on an axis
TickText = Callable[[float], str]
#: the share of each bin, by the name of one side or of two
Sides = Mapping[str, Sequence[float]]
#: [s since 1970] ends of the calendar: the years 1 to 9999
FIRST_S, LAST_S = -62_135_596_800.0, 253_402_300_799.0


def split_tails(bounds: Sequence[float], counted: Sequence[float]) -> tuple[Array, Array, float, float]:
    """Return edges, shares between them, and the shares below the first edge and above the last one.

    The shares may have those two at their ends or not.
    """
    edges, shares = np.array(bounds, float), np.asarray(counted, float)
    if len(shares) == len(edges) + 1:
        return edges, shares[1:-1], float(shares[0]), float(shares[-1])
    return edges, shares, 0.0, 0.0


def common_range(bounds: Sequence[float], sides: Sides) -> tuple[float, float]:
    """Return the range of nearly all values of every side: one outlier must not flatten the drawing."""
    lows, highs = [], []
    for counted in sides.values():
        edges, inside, below, above = split_tails(bounds, counted)
        if inside.sum() <= 0:
            continue
        total = inside.sum() + below + above
        reached = (np.concatenate([[0.0], inside.cumsum()]) + below) / total
        first = max(int(np.searchsorted(reached, TAIL, side="right")) - 1, 0)
        last = min(int(np.searchsorted(reached, 1 - TAIL)), len(edges) - 1)
        lows.append(float(edges[first]))
        highs.append(float(edges[last]))
    low, high = (min(lows), max(highs)) if lows else (float(edges[0]), float(edges[-1]))
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def rebin(bounds: Sequence[float], counted: Sequence[float], grid: Array) -> Spread:
    """Return shares in the steps of `grid`, below and above it; values lie evenly within a bucket.

    A bucket without width, which holds one value, lies in the step where that value lies.

    Examples
    --------
    >>> grid = np.array([0.0, 1.0, 2.0, 3.0])
    >>> shares, below, above = rebin([0.0, 0.0, 1.0, 3.0], [0.1, 0.2, 0.2, 0.4, 0.1], grid)
    >>> shares.round(3).tolist(), round(below, 3), round(above, 3)
    ([0.4, 0.2, 0.2], 0.1, 0.1)
    """
    edges, inside, below, above = split_tails(bounds, counted)
    total = float(inside.sum() + below + above) or 1.0
    is_point = edges[1:] == edges[:-1]
    spread = np.where(is_point, 0.0, inside)
    reached = np.interp(grid, edges, np.append(0.0, spread.cumsum()))
    shares, left, right = np.diff(reached), reached[0], spread.sum() - reached[-1]
    for point, share in zip(edges[1:][is_point], inside[is_point], strict=True):
        if point < grid[0]:
            left += share
        elif point > grid[-1]:
            right += share
        else:
            step = np.searchsorted(grid, point, side="right") - 1
            shares[min(step, len(shares) - 1)] += share
    return shares / total, float(below + left) / total, float(above + right) / total


def number_text(value: float) -> str:
    """Return a number as an axis shows it."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits are enough


def time_text(seconds: float) -> str:
    """Return a time, given in seconds since 1970 in UTC, as an axis shows it."""
    # an axis may reach beyond the calendar
    return f"{datetime.fromtimestamp(min(max(seconds, FIRST_S), LAST_S), UTC):%d %b %Y}"


def draw_numbers(edges: Sequence[float], sides: Sides, title: str, label: TickText = number_text) -> Markup:
    """Draw distributions of a number on the same axes: the first filled, the second as a line over it."""
    low, high = common_range(edges, sides)
    grid = np.linspace(low, high, STEPS + 1)
    spreads = {side: rebin(edges, counted, grid) for side, counted in sides.items()}
    outside = [(below, above) for _, below, above in spreads.values()]
    tails = [max(pair[end] for pair in outside) > TAIL for end in (0, 1)]
    left = LEFT + (TAIL_WIDTH + TAIL_GAP) * tails[0]
    right = RIGHT - (TAIL_WIDTH + TAIL_GAP) * tails[1]
    peak = max(float(shares.max()) for shares, _, _ in spreads.values()) or 1.0
    parts = [
        _steps(shares / peak, left, right, css)
        for css, (shares, _, _) in zip(CLASSES, spreads.values(), strict=False)
    ]
    ends = ((LEFT, "below"), (RIGHT - TAIL_WIDTH, "above"))
    for end, (x, word) in enumerate(ends):
        if tails[end]:
            parts.append(_gauge(x, [pair[end] for pair in outside], word))
    parts.append(drawing.line(left, BOTTOM, right, BOTTOM, "axis"))
    parts += _ticks(low, high, left, right, label)
    return drawing.drawing(title, _description(spreads, low, high, label), parts)


def _height(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share


def _steps(heights: Array, left: float, right: float, css: str) -> Markup:
    """Return a distribution as a line of steps that meets the axis at both ends."""
    places = np.linspace(left, right, len(heights) + 1)
    points = [(places[0], BOTTOM)]
    for step, height in enumerate(heights):
        points += [(places[step], _height(height)), (places[step + 1], _height(height))]
    return drawing.path([*points, (places[-1], BOTTOM)], css, is_closed=css == "base")


def _gauge(x: float, shares: Sequence[float], word: str) -> Markup:
    """Return a gauge of the share outside the range; full means all values."""
    middle = x + TAIL_WIDTH / 2
    parts = [drawing.box(x, TOP, TAIL_WIDTH, BOTTOM - TOP, "gauge")]
    for css, share, inset in zip(CLASSES, shares, (0, 6), strict=False):
        y = _height(share)
        parts.append(drawing.box(x + inset, y, TAIL_WIDTH - 2 * inset, BOTTOM - y, css))
    parts.append(drawing.text(middle, TOP - 3, _share(shares[-1]), "tick", "middle"))
    parts.append(drawing.text(middle, BOTTOM + 14, word, "tick", "middle"))
    return Markup().join(parts)


def _share(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"  # noqa: PLR2004 - 0 % would be wrong


def _ticks(low: float, high: float, left: float, right: float, label: TickText) -> list[Markup]:
    """Return the labels of the range's ends and middle."""
    y = BOTTOM + 14
    return [
        drawing.text(left, y, label(low), "tick"),
        drawing.text((left + right) / 2, y, label((low + high) / 2), "tick", "middle"),
        drawing.text(right, y, label(high), "tick", "end"),
    ]


def _description(spreads: Mapping[str, Spread], low: float, high: float, label: TickText) -> str:
    """Describe a distribution of numbers by the quarters of its range and what lies outside."""
    texts = []
    for side, (shares, below, above) in spreads.items():
        quarters = [float(part.sum()) for part in np.array_split(shares, 4)]
        inside = ", ".join(f"{share:.0%}" for share in quarters)
        texts.append(f"{side}: {below:.0%} below, {inside} in the quarters of the range, {above:.0%} above")
    return f"Range {label(low)} to {label(high)}. {'; '.join(texts)}."


def draw_categories(names: Sequence[str], sides: Sides, title: str) -> Markup:
    """Draw shares of categories on the same axes: the first as a wide bar, the second as a thin one."""
    rows = largest_categories(names, sides)
    height = max(len(rows) * 15 + 4, 24)
    widest = max((max(shares) for _, shares in rows), default=1.0) or 1.0
    parts, phrases = [], []
    for row, (name, shares) in enumerate(rows):
        y, scale = row * 15 + 2.0, 138 / widest
        parts.append(drawing.text(104, y + 9, _shortened(name), "tick", "end"))
        parts.append(drawing.box(110, y, shares[0] * scale, 11, "base"))
        if len(shares) > 1:
            parts.append(drawing.box(110, y + 3.5, shares[1] * scale, 4, "now"))
        values = " → ".join(map(_share, shares))
        parts.append(drawing.text(RIGHT, y + 9, values, "tick", "end"))
        phrases.append(f"{name} {values}")
    return drawing.drawing(title, f"{' → '.join(sides)}: {'; '.join(phrases)}.", parts, height=height)


def largest_categories(names: Sequence[str], sides: Sides) -> list[tuple[str, list[float]]]:
    """Return the largest categories with their shares on every side, and all others together.

    Examples
    --------
    >>> sides = {"baseline": [0.5, 0.5], "current": [0.2, 0.6]}
    >>> for name, shares in largest_categories(["UA", "B6"], sides):
    ...     print(name, [round(share, 3) for share in shares])
    B6 [0.5, 0.6]
    UA [0.5, 0.2]
    all others [0.0, 0.2]
    """
    rows = [(name, [counted[code] for counted in sides.values()]) for code, name in enumerate(names)]
    rows.sort(key=lambda row: -max(row[1]))
    shown = sorted(rows[:CATEGORIES], key=lambda row: -row[1][0])
    rest = [
        max(float(any(counted)) - sum(row[1][n] for row in shown), 0.0)
        for n, counted in enumerate(sides.values())
    ]
    return [*shown, ("all others", rest)] if max(rest) > TAIL / 2 else shown


def bucket_names(edges: Sequence[float]) -> list[str]:
    """Return names of buckets that reach from one edge up to the next, which they exclude, or hold one value.

    >>> bucket_names([0.0, 0.0, 1.0, 2.5, 2.5])
    ['0', 'over 0 to <1', '1 to <2.5', '2.5']
    """
    names: list[str] = []
    for at, (low, high) in enumerate(pairwise(edges)):
        start = number_text(low)
        if at and edges[at - 1] == low:
            start = f"over {start}"
        end = number_text(high) if at == len(edges) - 2 else f"<{number_text(high)}"
        names.append(number_text(low) if low == high else f"{start} to {end}")
    return names


def as_categories(edges: Sequence[float], sides: Sides) -> tuple[list[str], Sides]:
    """Return the buckets of a number that has few as categories, in the order of their values."""
    tails = {side: split_tails(edges, counted) for side, counted in sides.items()}
    made = {side: [below, *inside.tolist(), above] for side, (_, inside, below, above) in tails.items()}
    names = [f"below {number_text(edges[0])}", *bucket_names(edges), f"above {number_text(edges[-1])}"]
    met = [n for n in range(len(names)) if any(counted[n] > 0 for counted in made.values())]
    return [names[n] for n in met], {side: [counted[n] for n in met] for side, counted in made.items()}


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else name[: NAME_LETTERS - 1] + "…"


def draw_comparison(spread: Distribution, name: str) -> Markup:
    """Draw a window's distribution over the baseline's."""
    title, sides = f"{name}: baseline and current", {"baseline": spread.baseline, "current": spread.current}
    if spread.edges is None:
        return draw_categories(spread.values or (), sides, title)
    if len(set(spread.edges)) <= FEW_EDGES:
        return draw_categories(*as_categories(spread.edges, sides), title)
    return draw_numbers(spread.edges, sides, title)
