"""Draw docs/images/year.svg: a year monitored by `make watch`, beside the models of `make replay`.

`python -m tools.draw_year WATCH.json REPLAY.json OUT.svg`: the first is `.flywheel/watch.json`; the second
lies in S3 below `<cycle>/compare/`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from include.ml.reports import charts, drawing
from include.ml.reports.charts import Axis, Frame, Series

Json = dict[str, Any]

WIDTH, HEIGHT = 860.0, 400.0
#: a picture of its own has no page to take its style from
STYLE = """
svg { --ink: #1b2733; --soft: #5b6875; --edge: #dbe1e7; --now: #0b6aa8; --moved: #c04f00; --good: #00795a;
  --bad: #b3261e; background: #fff; font-family: system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg { --ink: #e7ecf1; --soft: #9cabb9; --edge: #2c3844; --now: #62b5ec;
  --moved: #ff9a4d; --good: #3cc79c; --bad: #ff8278; background: #19222b } }
text { fill: var(--soft); font-size: 11px } .heading { fill: var(--ink); font-weight: 600; font-size: 13px }
.c1 { --c: var(--now) } .c3 { --c: var(--good) } .c4 { --c: var(--soft) } .grid { stroke: var(--edge) }
.series { fill: none; stroke: var(--c); stroke-width: 2 } .dotted { stroke-dasharray: 2 4 }
.dot { fill: var(--c) } .thin { stroke: var(--c) } .axis { stroke: var(--soft) }
.promoted, .refused { stroke: var(--moved) } .refused { stroke-dasharray: 2 4 } .alarm { fill: var(--bad) }
"""


def main() -> None:
    """Read both documents and write the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("watch", "replay", "out"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    watched, replayed = (json.loads(path.read_text()) for path in (asked.watch, asked.replay))
    asked.out.write_text(draw_year(watched["windows"], replayed["months"]) + "\n", encoding="utf-8")


def draw_year(windows: list[Json], intervals: list[Json]) -> str:
    """Return an SVG of the quality of three ways to keep a model, with alarms and retrainings."""
    kept = [window["quality"] for window in windows]
    series = [
        Series("first model, frozen", _points(intervals, "frozen"), "c4"),
        Series("retrained every interval (make replay)", _points(intervals, "champion"), "c3 dotted"),
        Series(
            "retrained when monitoring asked (make watch)",
            [(float(n), estimate["value"]) for n, estimate in enumerate(kept)],
            "c1",
            [(estimate["low"], estimate["high"]) for estimate in kept],
        ),
    ]
    values = [y for line in series for _, y in line.points]
    values += [bound for estimate in kept for bound in (estimate["low"], estimate["high"])]
    names = [f"{datetime.fromisoformat(interval['interval'][0]):%b}" for interval in intervals]
    x_axis = Axis(
        "▲ the window alarmed", -0.5, len(names) - 0.5, [(float(n), name) for n, name in enumerate(names)]
    )
    y_axis = charts.axis_over("area under the ROC curve", values, 0.12)
    # two rows of keys above the lines
    frames = charts.line_frames(x_axis, y_axis, charts.HEAD + 44, WIDTH, HEIGHT)
    title = "flights 2013, interval by interval"
    marks = list(_marks(windows, *frames))
    chart = charts.line_chart(title, series, x_axis, y_axis, width=WIDTH, height=HEIGHT, marks=marks)
    style = f'<svg xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style><svg '
    return style + str(chart).removeprefix("<svg ") + "</svg>"


def _points(intervals: list[Json], model: str) -> list[tuple[float, float]]:
    return [(float(n), interval["models"][model]["value"]) for n, interval in enumerate(intervals)]


def _marks(windows: list[Json], x: Frame, y: Frame) -> Iterator[Markup]:
    """Yield a sign for each alarm, and a line for each retraining with its outcome."""
    for number, window in enumerate(windows):
        if window["is_alarm"]:
            yield drawing.text(x.position(number), y.start - 4, "▲", "alarm", "middle")
        if window["retraining"]:
            outcome, middle = window["retraining"]["outcome"], x.position(number + 0.5)
            css = "promoted" if outcome == "promoted" else "refused"
            yield drawing.line(middle, y.start, middle, y.end, css)
            yield drawing.text(middle - 4, y.end + 10, outcome, "tick", "end")


if __name__ == "__main__":
    main()
