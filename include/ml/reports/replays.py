"""The report of a replay: the quality of every model by interval, decisions, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from include.ml.reports import charts, pages
from include.ml.reports.charts import Series

Interval = Mapping[str, Any]
Row = dict[str, object]

#: how each model is called, and the classes of its line
LINES = {
    "champion": ("champion of the interval", "c1"),
    "frozen": ("first champion, frozen", "c2 dashed"),
    "linear": ("linear baseline", "c3 dotted"),
    "constant": ("constant baseline", "c4 dotted"),
}


def render_replay(title: str, document: Mapping[str, Any]) -> str:
    """Return the report of a replay as an HTML page.

    Parameters
    ----------
    title
        Heading of the page, text.
    document
        The content of replay.json: `metric`, `months` (the intervals, each with `interval`, `version`, `rows`
        and the estimates `models`), `decisions`, and `seconds`.
    """
    metric, intervals = document["metric"], document["months"]
    return pages.render_page(
        "replay.html.j2",
        title=title,
        summary=summarize_replay(metric, intervals),
        quality_chart=quality_chart(metric, intervals),
        quality_caption=f"{metric} on each interval's own rows, later than all that the models learnt from "
        "[95 % interval]",
        quality=[_quality_row(each) for each in intervals],
        decisions=[_decision_row(each) for each in document["decisions"]],
        seconds_chart=seconds_chart(document["seconds"]["steps"]),
        seconds=_seconds_rows(document["seconds"]),
    )


def summarize_replay(metric: str, intervals: Sequence[Interval]) -> str:
    """Say what retraining was worth.

    >>> interval = {"models": {"champion": {"value": 0.7}, "frozen": {"value": 0.6}}}
    >>> summarize_replay("roc_auc", [interval])
    'Mean roc_auc over 1 intervals: champion 0.7000, frozen 0.6000. The champion was better in 1 of them.'
    """
    values = {name: [each["models"][name]["value"] for each in intervals] for name in ("champion", "frozen")}
    means = {name: sum(each) / len(each) for name, each in values.items()}
    better = sum(one > other for one, other in zip(values["champion"], values["frozen"], strict=True))
    return (
        f"Mean {metric} over {len(intervals)} intervals: champion {means['champion']:.4f}, frozen "
        f"{means['frozen']:.4f}. The champion was better in {better} of them."
    )


def _quality_row(interval: Interval) -> Row:
    row: Row = {"from": interval["interval"][0][:10], "rows": interval["rows"]}
    row["champion is"] = interval["version"]
    return row | {name: _estimate(interval["models"][name]) for name in LINES}


def _estimate(found: Mapping[str, float]) -> str:
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"


def _decision_row(found: Mapping[str, Any]) -> Row:
    outcome = "promoted" if found["promoted"] else "refused"
    reasons = " ".join(found["reasons"])
    return {"from": found["interval"][0][:10], "version": found["version"], "": outcome, "why": reasons}


def _seconds_rows(seconds: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = [
        {"step": each["step"], "tasks": each["tasks"], "seconds": f"{each['seconds']:.1f}"}
        for each in seconds["steps"]
    ]
    whole = {"step": "from the first task's start to the last one's end", "tasks": ""}
    return [*rows, {**whole, "seconds": f"{seconds['wall_s']:.1f}"}]


def quality_chart(metric: str, intervals: Sequence[Interval]) -> Markup:
    """Draw the metric of every model by interval, with 95 % intervals."""
    series, values = [], []
    for model, (name, css) in LINES.items():
        found = [each["models"][model] for each in intervals]
        points = [(float(place), each["value"]) for place, each in enumerate(found)]
        bounds = [(each["low"], each["high"]) for each in found]
        series.append(Series(name, points, css, bounds))
        values += [value for pair in bounds for value in pair]
    every = -(-len(intervals) // 12)
    ticks = [(float(n), each["interval"][0][:7]) for n, each in enumerate(intervals) if n % every == 0]
    x_axis = charts.Axis("", -0.5, len(intervals) - 0.5, ticks)
    title = "Quality of what was in production, and of what could have been"
    y_axis = charts.axis_over(metric, values)
    return charts.line_chart(title, series, x_axis, y_axis, width=900, height=420)


def seconds_chart(steps: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw the mean seconds of a task, by step."""
    means = {each["step"]: each["seconds"] / each["tasks"] for each in steps}
    return charts.bar_chart("Where the time went", "seconds per task", means, width=900)
