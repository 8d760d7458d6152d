"""Elements of inline SVG: every drawing is made of them, and the page's style sheet colours them.

A drawing has a title and a description for screen readers. Colours are classes, so one style sheet serves
light and dark. `Markup` escapes every text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

#: size of a small drawing, in the units of its view box
WIDTH, HEIGHT = 320, 132


def drawing(
    title: str, description: str, parts: Iterable[Markup], *, width: float = WIDTH, height: float = HEIGHT
) -> Markup:
    """Return an SVG element with the words that stand for it."""
    return Markup('<svg viewBox="0 0 {:g} {:g}" role="img"><title>{}</title><desc>{}</desc>{}</svg>').format(
        width, height, title, description, Markup().join(parts)
    )


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start") -> Markup:
    """Return words at a place; `anchor` is "start", "middle" or "end"."""
    kind = Markup(' class="{}"').format(css) if css else ""
    alignment = Markup(' text-anchor="{}"').format(anchor) if anchor != "start" else ""
    return Markup('<text x="{:.4g}" y="{:.4g}"{}{}>{}</text>').format(x, y, kind, alignment, words)


def box(x: float, y: float, width: float, height: float, css: str) -> Markup:
    """Return a filled rectangle, or nothing if it is flat."""
    if width <= 0 or height <= 0:
        return Markup()
    rectangle = Markup('<rect x="{:.4g}" y="{:.4g}" width="{:.4g}" height="{:.4g}" class="{}"/>')
    return rectangle.format(x, y, width, height, css)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    """Return a straight line."""
    stroke = Markup('<line x1="{:.4g}" y1="{:.4g}" x2="{:.4g}" y2="{:.4g}" class="{}"/>')
    return stroke.format(x1, y1, x2, y2, css)


def path(points: Sequence[tuple[float, float]], css: str, *, is_closed: bool = False) -> Markup:
    """Return points joined by straight lines."""
    places = " ".join(f"{x:.4g},{y:.4g}" for x, y in points)
    if is_closed:
        return Markup('<polygon points="{}" class="{}"/>').format(places, css)
    return Markup('<polyline points="{}" class="{}"/>').format(places, css)


def circle(x: float, y: float, radius: float, css: str) -> Markup:
    """Return a filled circle."""
    return Markup('<circle cx="{:.4g}" cy="{:.4g}" r="{:g}" class="{}"/>').format(x, y, radius, css)
