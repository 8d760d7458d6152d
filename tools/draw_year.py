"""Draws docs/images/year.svg: a year watched by `make watch`, beside the models of `make replay`.

Usage: draw_year.py WATCH.json REPLAY.json OUT.svg, of which the first is `.flywheel/watch.json`, and the
second lies in S3 below `<cycle>/compare/`.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from include.ml.reports import plots

ORANGE, GREEN = plots.COLOURS["champion"], plots.COLOURS["linear"]


def main() -> None:
    """Read both stories and write the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("watch", "replay", "out"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    watched, replayed = (json.loads(path.read_text()) for path in (asked.watch, asked.replay))
    asked.out.write_text(draw(watched["windows"], replayed["months"]) + "\n", encoding="utf-8")


def draw(windows: list[dict[str, Any]], months: list[dict[str, Any]]) -> str:
    """The quality in each month of three ways to keep a model, and what monitoring found and asked for."""
    figure = Figure(figsize=(9, 4.2))
    axes = figure.subplots()
    frozen = [month["models"]["frozen"]["value"] for month in months]
    monthly = [month["models"]["champion"]["value"] for month in months]
    names = [f"{datetime.fromisoformat(month['interval'][0]):%b}" for month in months]
    places = range(len(months))
    axes.plot(places, frozen, color=plots.GREY, marker="o", label="January's model, frozen")
    axes.plot(
        places, monthly, color=GREEN, marker="o", linestyle=":", label="retrained every month (make replay)"
    )
    _watched(axes, windows)
    axes.set_xticks(list(places), names)
    axes.set(ylabel="area under the ROC curve", title="flights 2013, one month after the other")
    axes.legend(loc="upper center", frameon=False, fontsize=9, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(top=axes.get_ylim()[1] + 0.05)
    return plots.svg(figure)


def _watched(axes: Axes, windows: list[dict[str, Any]]) -> None:
    """The champion that monitoring kept: intervals, alarms below, what was asked for above."""
    found = [window["quality"] for window in windows]
    values = [each["value"] for each in found]
    below = [each["value"] - each["low"] for each in found]
    above = [each["high"] - each["value"] for each in found]
    label = "retrained when monitoring asked (make watch)"
    axes.errorbar(range(len(windows)), values, yerr=[below, above], color=plots.BLUE, marker="o", label=label)
    floor = axes.get_ylim()[0]
    alarms = [place for place, window in enumerate(windows) if window["is_alarm"]]
    axes.scatter(alarms, [floor] * len(alarms), color=plots.RED, marker="^", label="the window alarmed")
    for place, window in enumerate(windows):
        if window["retraining"]:
            promoted = window["retraining"]["outcome"] == "promoted"
            axes.axvline(place + 0.5, color=ORANGE, linestyle="-" if promoted else ":", linewidth=1)
            axes.annotate(
                window["retraining"]["outcome"],
                (place + 0.47, floor),
                rotation=90,
                ha="right",
                va="bottom",
                fontsize=8,
            )


if __name__ == "__main__":
    main()
