"""The plots of the evaluation's report: SVG elements that need nothing else."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, RED, GREY = "#2d6cdf", "#c0392b", "#999999"
#: one colour per model in every plot
COLOURS = {"challenger": BLUE, "champion": "#d97706", "linear": "#4b8b3b", "constant": GREY}


def svg(figure: Figure) -> str:
    """A figure as an element of an HTML page."""
    text = io.StringIO()
    # a fixed salt and no date: the same figures give the same page
    with rc_context({"svg.hashsalt": "flywheel", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return text.getvalue()[text.getvalue().index("<svg") :]


def gain(verdict: Mapping[str, Any]) -> str:
    """The challenger's gain over each rival with its interval, and the gain that is required."""
    found = {"baseline " + name: each for name, each in verdict["baseline_gains"].items()}
    if verdict["gain"]:
        found = {"champion": verdict["gain"], **found}
    figure = Figure(figsize=(7, 0.9 + 0.5 * len(found)))
    axes = figure.subplots()
    for place, each in enumerate(found.values()):
        _bar(axes, place, each, BLUE)
    axes.axvline(0, color=GREY, linewidth=1)
    if verdict["gain"]:
        axes.axvline(verdict["rule"]["minimum_gain"], color=RED, linestyle="--", label="required")
        axes.legend(loc="best")
    _rows(axes, [f"over {name}" for name in found])
    axes.set(xlabel=f"gain in {verdict['metric']}", title="Gain of the challenger on the same rows")
    return svg(figure)


def slices(found: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The gain over the champion in each slice with its interval and floor; red is under the floor."""
    figure = Figure(figsize=(7, 1.2 + 0.28 * len(found)))
    axes = figure.subplots()
    for place, each in enumerate(found):
        _bar(axes, place, each["gain"], RED if each["is_under_floor"] else BLUE)
        axes.plot([each["floor"]] * 2, [place - 0.4, place + 0.4], color=RED, linewidth=1.5)
    axes.axvline(0, color=GREY, linewidth=1)
    _rows(axes, [f"{each['column']}={each['value']} ({each['rows']})" for each in found])
    axes.set(xlabel=f"gain over the champion in {metric}", title="Slices, the worst first; red: the floor")
    return svg(figure)


def _bar(axes: Axes, place: int, found: Mapping[str, float | None], colour: str) -> None:
    """One interval as a line with a dot at its value; what is undefined is left out."""
    value, low, high = (found[name] for name in ("value", "low", "high"))
    if low is not None and high is not None:
        axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="butt", alpha=0.5)
    if value is not None:
        axes.plot([value], [place], "o", color=colour)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def curves(found: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """ROC curves by model name, each as false and true positive rates."""
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    for name, (false, true) in found.items():
        axes.plot(false, true, label=name, color=COLOURS.get(name))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC curve")
    axes.legend()
    return svg(figure)


def calibration(found: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Observed share against mean score, by model name."""
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfect")
    for name, bins in found.items():
        scores, shares = ([each[key] for each in bins] for key in ("score", "share"))
        axes.plot(scores, shares, marker="o", markersize=4, label=name, color=COLOURS.get(name))
    axes.set(xlabel="mean score", ylabel="observed share", title="Calibration")
    axes.legend()
    return svg(figure)
