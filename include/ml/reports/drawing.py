"""Small drawings for pages: inline SVG made by hand and coloured by the page's style sheet.

Every drawing has a title and a description, which screen readers say. Colours are classes: `base` and `now`
for distributions, so that one style sheet serves light and dark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: equal steps that a distribution of numbers is drawn in
STEPS = 28
#: shares outside of the drawn range, at each end, above which it is drawn as a bar of its own
TAIL = 0.002
#: categories drawn one by one
CATEGORIES = 8
#: edges of a number up to which its buckets are drawn one by one
FEW_EDGES = 6
#: letters of a category's name
NAME_LETTERS = 14

WIDTH, HEIGHT = 320, 132
#: where numbers are drawn: left, right, top and bottom
LEFT, RIGHT, TOP, BOTTOM = 4.0, 316.0, 14.0, 112.0
#: width of the bar for what lies outside of the range, and the gap beside it
TAIL_WIDTH, TAIL_GAP = 26.0, 8.0

#: of the first and of the second distribution
CLASSES = ("base", "now")

Array = NDArray[np.float64]
#: shares in equal steps, below them and above them
Spread = tuple[Array, float, float]
#: how a place on an axis is said
Label = Callable[[float], str]


def drawing(
    title: str, description: str, content: str, *, width: float = WIDTH, height: float = HEIGHT
) -> str:
    """An SVG element with the words that stand for it."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(description)}</desc>{content}</svg>"
    )


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start") -> str:
    """Words at a place."""
    kind = f' class="{css}"' if css else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.4g}" y="{y:.4g}"{kind}{place}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, css: str) -> str:
    """A filled rectangle; nothing where it would be flat."""
    if width <= 0 or height <= 0:
        return ""
    return f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" class="{css}"/>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.4g}" y1="{y1:.4g}" x2="{x2:.4g}" y2="{y2:.4g}" class="{css}"/>'


def path(points: Sequence[tuple[float, float]], css: str, *, is_closed: bool = False) -> str:
    """Points joined by straight lines."""
    said = " ".join(f"{x:.4g},{y:.4g}" for x, y in points)
    kind = "polygon" if is_closed else "polyline"
    return f'<{kind} points="{said}" class="{css}"/>'


def spread(entry: Mapping[str, Any], side: str) -> tuple[Array, Array, float, float]:
    """Edges, shares between them, and the shares below the first and above the last one.

    Shares may come with those two at their ends, or without. A last bucket that holds one value alone, and so
    has no width, is given that of the one before.
    """
    edges, shares = np.array(entry["edges"], float), np.asarray(entry[side], float)
    if len(edges) > 2 and edges[-1] == edges[-2]:  # noqa: PLR2004 - a bucket before the last one
        edges[-1] += edges[-2] - edges[-3]
    if len(shares) == len(edges) + 1:
        return edges, shares[1:-1], float(shares[0]), float(shares[-1])
    return edges, shares, 0.0, 0.0


def common_range(entry: Mapping[str, Any], sides: Sequence[str]) -> tuple[float, float]:
    """The range that holds nearly all of every side, so that one odd value does not flatten it."""
    lows, highs = [], []
    for side in sides:
        edges, inside, below, above = spread(entry, side)
        if inside.sum() <= 0:
            continue
        total = inside.sum() + below + above
        reached = (np.concatenate([[0.0], inside.cumsum()]) + below) / total
        first = max(int(np.searchsorted(reached, TAIL, side="right")) - 1, 0)
        last = min(int(np.searchsorted(reached, 1 - TAIL)), len(edges) - 1)
        lows.append(float(edges[first]))
        highs.append(float(edges[last]))
    edges = spread(entry, sides[0])[0]
    ends = float(edges[0]), float(edges[-1])
    low, high = (min(lows), max(highs)) if lows else ends
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def rebinned(entry: Mapping[str, Any], side: str, grid: Array) -> Spread:
    """Shares in equal steps, and outside of them; within a bucket values count as spread evenly.

    Examples
    --------
    >>> entry = {"edges": [0.0, 1.0, 3.0], "current": [0.1, 0.4, 0.4, 0.1]}
    >>> shares, below, above = rebinned(entry, "current", np.array([0.0, 1.0, 2.0, 3.0]))
    >>> shares.round(3).tolist(), round(below, 3), round(above, 3)
    ([0.4, 0.2, 0.2], 0.1, 0.1)
    """
    edges, inside, below, above = spread(entry, side)
    total = float(inside.sum() + below + above) or 1.0
    if len(edges) < 2 or edges[0] == edges[-1]:  # noqa: PLR2004 - a constant has no width
        place = np.searchsorted(grid, edges[0], side="right") - 1
        shares = np.zeros(len(grid) - 1)
        shares[min(max(place, 0), len(shares) - 1)] = inside.sum() / total
        return shares, below / total, above / total
    reached = np.interp(grid, edges, np.concatenate([[0.0], inside.cumsum()]))
    left, right = reached[0], inside.sum() - reached[-1]
    return np.diff(reached) / total, float(below + left) / total, float(above + right) / total


def numbers(entry: Mapping[str, Any], title: str, sides: Sequence[str] = ("baseline", "current")) -> str:
    """Distributions of a number on the same axes: the first filled, the second as a line before it."""
    low, high = common_range(entry, sides)
    label = _time if entry["kind"] == "time" else _number
    grid = np.linspace(low, high, STEPS + 1)
    found = {side: rebinned(entry, side, grid) for side in sides}
    outside = [(below, above) for _, below, above in found.values()]
    tails = [max(each[place] for each in outside) > TAIL for place in (0, 1)]
    left = LEFT + (TAIL_WIDTH + TAIL_GAP) * tails[0]
    right = RIGHT - (TAIL_WIDTH + TAIL_GAP) * tails[1]
    peak = max(float(shares.max()) for shares, _, _ in found.values()) or 1.0
    parts = [
        _steps(shares / peak, left, right, css)
        for css, (shares, _, _) in zip(CLASSES, found.values(), strict=False)
    ]
    ends = ((LEFT, "below"), (RIGHT - TAIL_WIDTH, "above"))
    for place, (x, word) in enumerate(ends):
        if tails[place]:
            parts.append(_gauge(x, [each[place] for each in outside], word))
    parts.append(line(left, BOTTOM, right, BOTTOM, "axis"))
    parts += _ticks(low, high, left, right, label)
    return drawing(title, _said(found, low, high, label), "".join(parts))


def _height(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share


def _steps(heights: Array, left: float, right: float, css: str) -> str:
    """A distribution as a line of steps, down to the axis at both ends."""
    places = np.linspace(left, right, len(heights) + 1)
    points = [(places[0], BOTTOM)]
    for place, height in enumerate(heights):
        points += [(places[place], _height(height)), (places[place + 1], _height(height))]
    return path([*points, (places[-1], BOTTOM)], css, is_closed=css == "base")


def _gauge(x: float, shares: Sequence[float], word: str) -> str:
    """What lies outside of the range, as a gauge: full means all of it, since it has no width."""
    middle = x + TAIL_WIDTH / 2
    parts = [box(x, TOP, TAIL_WIDTH, BOTTOM - TOP, "gauge")]
    for css, share, inset in zip(CLASSES, shares, (0, 6), strict=False):
        y = _height(share)
        parts.append(box(x + inset, y, TAIL_WIDTH - 2 * inset, BOTTOM - y, css))
    parts.append(text(middle, TOP - 3, _share(shares[-1]), "tick", "middle"))
    parts.append(text(middle, BOTTOM + 14, word, "tick", "middle"))
    return "".join(parts)


def _share(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"  # noqa: PLR2004 - 0 % would be wrong


def _ticks(low: float, high: float, left: float, right: float, label: Label) -> list[str]:
    """The range's ends and middle."""
    y = BOTTOM + 14
    return [
        text(left, y, label(low), "tick"),
        text((left + right) / 2, y, label((low + high) / 2), "tick", "middle"),
        text(right, y, label(high), "tick", "end"),
    ]


def _said(found: Mapping[str, Spread], low: float, high: float, label: Label) -> str:
    """A distribution of numbers in words: its quarters, and what lies outside."""
    said = []
    for side, (shares, below, above) in found.items():
        quarters = [float(part.sum()) for part in np.array_split(shares, 4)]
        inside = ", ".join(f"{each:.0%}" for each in quarters)
        said.append(f"{side}: {below:.0%} below, {inside} in the quarters of the range, {above:.0%} above")
    return f"Range {label(low)} to {label(high)}. {'; '.join(said)}."


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits are enough


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%d %b %Y}"


def texts(entry: Mapping[str, Any], title: str, sides: Sequence[str] = ("baseline", "current")) -> str:
    """Shares of categories on the same axes: the first as a wide bar, the second as a thin one before it."""
    rows = top(entry, sides)
    height = max(len(rows) * 15 + 4, 24)
    widest = max((max(shares) for _, shares in rows), default=1.0) or 1.0
    parts, said = [], []
    for place, (name, shares) in enumerate(rows):
        y, scale = place * 15 + 2.0, 138 / widest
        parts.append(text(104, y + 9, _shortened(name), "tick", "end"))
        parts.append(box(110, y, shares[0] * scale, 11, "base"))
        if len(shares) > 1:
            parts.append(box(110, y + 3.5, shares[1] * scale, 4, "now"))
        values = " → ".join(map(_share, shares))
        parts.append(text(RIGHT, y + 9, values, "tick", "end"))
        said.append(f"{name} {values}")
    return drawing(title, f"{' → '.join(sides)}: {'; '.join(said)}.", "".join(parts), height=height)


def top(entry: Mapping[str, Any], sides: Sequence[str]) -> list[tuple[str, list[float]]]:
    """The largest categories with their shares on every side, and all others together.

    Examples
    --------
    >>> entry = {"values": ["UA", "B6"], "baseline": [0.5, 0.5], "current": [0.2, 0.6]}
    >>> for name, shares in top(entry, ("baseline", "current")):
    ...     print(name, [round(share, 3) for share in shares])
    B6 [0.5, 0.6]
    UA [0.5, 0.2]
    all others [0.0, 0.2]
    """
    rows = [
        (str(name), [float(entry[side][place]) for side in sides])
        for place, name in enumerate(entry["values"])
    ]
    rows.sort(key=lambda row: -max(row[1]))
    shown = sorted(rows[:CATEGORIES], key=lambda row: -row[1][0])
    rest = [
        max(float(any(entry[side])) - sum(row[1][n] for row in shown), 0.0) for n, side in enumerate(sides)
    ]
    return [*shown, ("all others", rest)] if max(rest) > TAIL / 2 else shown


def ranges(edges: Sequence[float]) -> list[str]:
    """Names of buckets that reach from one edge to the next, without that.

    >>> ranges([0.0, 1.0, 2.5, 2.5])
    ['0 to <1', '1 to <2.5', '2.5']
    """
    said = [_number(edge) for edge in edges]
    pairs = list(pairwise(said))
    names = [f"{low} to <{high}" for low, high in pairs[:-1]]
    low, high = pairs[-1]
    return [*names, low if low == high else f"{low} to {high}"]


def few(entry: Mapping[str, Any], sides: Sequence[str]) -> dict[str, Any]:
    """A number of few buckets as categories, in the order of their values."""
    names, made = ranges(entry["edges"]), {}
    for side in sides:
        _, inside, below, above = spread(entry, side)
        made[side] = [below, *inside.tolist(), above]
    values = [f"below {_number(entry['edges'][0])}", *names, f"above {_number(entry['edges'][-1])}"]
    is_met = [any(made[side][place] > 0 for side in sides) for place in range(len(values))]
    kept = {side: [v for v, met in zip(made[side], is_met, strict=True) if met] for side in sides}
    return {"kind": "text", "values": [v for v, met in zip(values, is_met, strict=True) if met], **kept}


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else name[: NAME_LETTERS - 1] + "…"


def distribution(entry: Mapping[str, Any], title: str, sides: Sequence[str] = ("baseline", "current")) -> str:
    """An entry of distributions.json as a drawing.

    Parameters
    ----------
    entry
        `kind` "number" or "time" (in seconds since 1970, UTC) with `edges`, or "text" with `values`; for each
        side a list of shares.
    title
        What the drawing is called.
    sides
        Which lists are drawn, at most two.
    """
    if entry["kind"] == "number" and len(entry["edges"]) <= FEW_EDGES:
        entry = few(entry, sides)
    return (texts if entry["kind"] == "text" else numbers)(entry, title, sides)
