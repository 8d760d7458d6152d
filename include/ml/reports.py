"""The evaluation as one HTML page that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733 }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #d5dbe1; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums } svg { max-width: 100%; height: auto }
.verdict { border-left: .4rem solid #2d6cdf; padding: .5rem 1rem; background: #f2f6fc }
"""


def page(title: str, verdict: Mapping[str, Any], evaluation: Mapping[str, Any], plots: Sequence[str]) -> str:
    """The report: the verdict in words, metrics with intervals, plots, slices and importance.

    Parameters
    ----------
    title
        Heading of the page, text.
    verdict, evaluation
        The content of verdict.json and evaluation.json.
    plots
        SVG elements.
    """
    outcome = "Promote" if verdict["promote"] else "Keep what there is"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict["reasons"])
    parts = [
        f'<div class="verdict"><strong>{outcome}.</strong><ul>{reasons}</ul></div>',
        (
            f"<p>All models were scored by the same code on the same {evaluation['rows']} holdout rows. "
            "Brackets are 95 % bootstrap intervals.</p>"
        ),
        _metrics(evaluation["models"]),
        *(f"<figure>{plot}</figure>" for plot in plots),
        _table("Slices", evaluation["slices"]),
        _table("Calibration of the challenger", evaluation["calibration"]),
        _table(
            "Permutation importance: loss when a column is shuffled",
            [{"column": name, "loss": value} for name, value in evaluation["importance"].items()],
        ),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def _metrics(models: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    rows = []
    for metric in next(iter(models.values())):
        row: dict[str, object] = {"metric": metric}
        for name, values in models.items():
            found = values[metric]
            row[name] = f"{_shown(found['value'])} [{_shown(found['low'])}, {_shown(found['high'])}]"
        rows.append(row)
    return _table("Metrics", rows)


def _table(caption: str, rows: Sequence[Mapping[str, object]]) -> str:
    if not rows:
        return f"<p>{escape(caption)}: too few rows to tell.</p>"
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    body = "".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _cell(value: object) -> str:
    if isinstance(value, (int, float)):
        return f'<td class="number">{_shown(value)}</td>'
    return f"<td>{escape(str(value))}</td>"


def _shown(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # a fixed salt and no date: the same evaluation gives the same page
    with rc_context({"svg.hashsalt": "flywheel", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return text.getvalue()[text.getvalue().index("<svg") :]


def curves_plot(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """ROC curves by model name, each as false and true positive rates; an SVG element."""
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    for name, (false, true) in curves.items():
        axes.plot(false, true, label=name)
    axes.plot([0, 1], [0, 1], color="#999", linestyle=":", label="chance")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC curve")
    axes.legend()
    return _svg(figure)


def calibration_plot(bins: Sequence[Mapping[str, float]]) -> str:
    """Observed share against mean score; an SVG element."""
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#999", linestyle=":", label="perfect")
    axes.plot(
        [each["score"] for each in bins], [each["share"] for each in bins], marker="o", label="challenger"
    )
    axes.set(xlabel="mean score", ylabel="observed share", title="Calibration")
    axes.legend()
    return _svg(figure)
