"""A replayed stretch of time as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.figure import Figure

from include.ml.reports.evaluation import STYLE
from include.ml.reports.plots import svg

#: dates and numbers stay on one line
NARROW = "td:not(:last-child) { white-space: nowrap }"
#: how each model is called and drawn
LINES = {
    "champion": ("champion of the interval", "#2d6cdf", "-"),
    "frozen": ("first champion, frozen", "#d9822b", "--"),
    "linear": ("linear baseline", "#5c7080", ":"),
    "constant": ("constant baseline", "#a7b6c2", ":"),
}


def page(title: str, document: Mapping[str, Any]) -> str:
    """The report of a replay.

    Parameters
    ----------
    title
        Heading of the page, text.
    document
        The content of replay.json: `metric`, `months` (each with `interval`, `version`, `rows` and the
        estimates `models`), `decisions`, and `seconds`.
    """
    metric, months = document["metric"], document["months"]
    parts = [
        f"<p>{escape(summary(metric, months))}</p>",
        f"<figure>{quality_plot(metric, months)}</figure>",
        _quality(metric, months),
        _table("Decisions", [_decision(each) for each in document["decisions"]]),
        f"<figure>{seconds_plot(document['seconds']['steps'])}</figure>",
        _table("Seconds of all tasks, by step", _seconds(document["seconds"])),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}{NARROW}</style></head><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def summary(metric: str, months: Sequence[Mapping[str, Any]]) -> str:
    """What retraining was worth, in words.

    >>> month = {"models": {"champion": {"value": 0.7}, "frozen": {"value": 0.6}}}
    >>> summary("roc_auc", [month])
    'Mean roc_auc over 1 intervals: champion 0.7000, frozen 0.6000. The champion was better in 1 of them.'
    """
    values = {name: [m["models"][name]["value"] for m in months] for name in ("champion", "frozen")}
    means = {name: sum(each) / len(each) for name, each in values.items()}
    better = sum(one > other for one, other in zip(values["champion"], values["frozen"], strict=True))
    return (
        f"Mean {metric} over {len(months)} intervals: champion {means['champion']:.4f}, frozen "
        f"{means['frozen']:.4f}. The champion was better in {better} of them."
    )


def _quality(metric: str, months: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for month in months:
        row: dict[str, object] = {"from": month["interval"][0][:10], "rows": month["rows"]}
        row["champion is"] = month["version"]
        row |= {name: _estimate(month["models"][name]) for name in LINES}
        rows.append(row)
    caption = (
        f"{metric} on each interval's own rows, later than all that the models learnt from [95 % interval]"
    )
    return _table(caption, rows)


def _estimate(found: Mapping[str, float]) -> str:
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"


def _decision(found: Mapping[str, Any]) -> dict[str, object]:
    outcome = "promoted" if found["promoted"] else "refused"
    reasons = " ".join(found["reasons"])
    return {"from": found["interval"][0][:10], "version": found["version"], "": outcome, "why": reasons}


def _seconds(seconds: Mapping[str, Any]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {**each, "seconds": round(each["seconds"], 1)} for each in seconds["steps"]
    ]
    wall = {"step": "from the first task's start to the last one's end", "tasks": "", "seconds": ""}
    return [*rows, {**wall, "seconds": round(seconds["wall_s"], 1)}]


def quality_plot(metric: str, months: Sequence[Mapping[str, Any]]) -> str:
    """The metric of every model over time; bars are 95 % intervals; an SVG element."""
    figure = Figure(figsize=(9, 4.5))
    axes = figure.subplots()
    names = [month["interval"][0][:7] for month in months]
    for model, (label, color, style) in LINES.items():
        found = [month["models"][model] for month in months]
        values = [each["value"] for each in found]
        bars = [
            [max(0.0, each["value"] - each["low"]) for each in found],
            [max(0.0, each["high"] - each["value"]) for each in found],
        ]
        axes.errorbar(
            names, values, yerr=bars, label=label, color=color, linestyle=style, marker="o", capsize=3
        )
    axes.set(ylabel=metric, title="Quality of what was in production, and of what could have been")
    axes.tick_params(axis="x", rotation=90)
    axes.legend()
    return svg(figure)


def seconds_plot(steps: Sequence[Mapping[str, Any]]) -> str:
    """Mean seconds of a task, by step; an SVG element."""
    figure = Figure(figsize=(9, 3))
    axes = figure.subplots()
    means = [each["seconds"] / each["tasks"] for each in steps]
    axes.bar([each["step"] for each in steps], means, color="#2d6cdf")
    axes.set(ylabel="seconds per task", title="Where the time went")
    axes.tick_params(axis="x", rotation=90)
    return svg(figure)


def _table(caption: str, rows: Sequence[Mapping[str, object]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row.values())}</tr>" for row in rows
    )
    caption = escape(caption)
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
