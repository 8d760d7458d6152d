"""The report of a replay: the quality of every model by interval, decisions, and where the time went."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from include.core.documents.reports import (
    ComparedInterval,
    Replay,
    ReplayedDecision,
    ReplaySeconds,
    StepSeconds,
)
from include.core.tasks import METRICS
from include.ml.reports import charts, pages, phrases
from include.ml.reports.charts import Series

Row = dict[str, object]

#: how each model is called, and the classes of its line
LINES = {
    "champion": ("champion of the interval", "c1"),
    "frozen": ("first champion, frozen", "c2 dashed"),
    "linear": ("linear baseline", "c3 dotted"),
    "constant": ("constant baseline", "c4 dotted"),
}


def render_replay(title: str, replay: Replay) -> str:
    """Return the report of a replay as an HTML page; `title` is its heading."""
    metric, intervals = replay.metric, replay.months
    return pages.render_page(
        "replay.html.j2",
        title=title,
        summary=summarize_replay(metric, intervals),
        quality_chart=quality_chart(metric, intervals),
        quality_caption=f"{metric} on each interval's own rows, later than all that the models learnt from "
        "[95 % interval], by the labels known at the interval's end; monitoring may judge by later ones",
        quality=[_quality_row(interval) for interval in intervals],
        decisions=[_decision_row(decision) for decision in replay.decisions],
        seconds_chart=seconds_chart(replay.seconds.steps),
        seconds=_seconds_rows(replay.seconds),
    )


def summarize_replay(metric: str, intervals: Sequence[ComparedInterval]) -> str:
    """Say what retraining was worth."""
    pairs = [
        (champion, frozen)
        for interval in intervals
        if (champion := interval.models["champion"].value) is not None
        and (frozen := interval.models["frozen"].value) is not None
    ]
    if not pairs:
        return f"{metric} is undefined in every interval."
    means = [sum(values) / len(pairs) for values in zip(*pairs, strict=True)]
    return (
        f"Mean {metric} over {len(pairs)} intervals: champion {means[0]:.4f}, frozen {means[1]:.4f}. "
        f"The champion was better in {sum(METRICS[metric].gain(*pair) > 0 for pair in pairs)} of them."
    )


def _quality_row(interval: ComparedInterval) -> Row:
    row: Row = {"from": f"{interval.interval.start:%Y-%m-%d}", "rows": interval.rows}
    row["champion is"] = interval.version
    return row | {name: phrases.estimate(interval.models[name]) for name in LINES}


def _decision_row(decision: ReplayedDecision) -> Row:
    return {
        "from": f"{decision.interval.start:%Y-%m-%d}",
        "version": decision.version,
        "": decision.outcome,
        "why": " ".join(decision.reasons),
    }


def _seconds_rows(seconds: ReplaySeconds) -> list[Row]:
    rows: list[Row] = [
        {"step": step.step, "tasks": step.tasks, "seconds": f"{step.seconds:.1f}"} for step in seconds.steps
    ]
    whole = {"step": "from the first task's start to the last one's end", "tasks": ""}
    return [*rows, {**whole, "seconds": f"{seconds.wall_s:.1f}"}]


def quality_chart(metric: str, intervals: Sequence[ComparedInterval]) -> Markup:
    """Draw the metric of every model by interval, with 95 % intervals."""
    series, values = [], []
    for model, (name, css) in LINES.items():
        known = [
            (float(position), measured.value, measured.low, measured.high)
            for position, measured in enumerate(interval.models[model] for interval in intervals)
            if measured.value is not None and measured.low is not None and measured.high is not None
        ]
        bounds = [(low, high) for *_, low, high in known]
        series.append(Series(name, [(x, value) for x, value, *_ in known], css, bounds))
        values += [value for pair in bounds for value in pair]
    every = -(-len(intervals) // 12)
    ticks = [(float(n), f"{intervals[n].interval.start:%Y-%m}") for n in range(0, len(intervals), every)]
    x_axis = charts.Axis("", -0.5, len(intervals) - 0.5, ticks)
    title = "Quality of what was in production, and of what could have been"
    y_axis = charts.axis_over(metric, values)
    return charts.line_chart(title, series, x_axis, y_axis, width=900, height=420)


def seconds_chart(steps: Sequence[StepSeconds]) -> Markup:
    """Draw the mean seconds of a task, by step."""
    means = {step.step: step.seconds / step.tasks for step in steps}
    return charts.bar_chart("Where the time went", "seconds per task", means, width=900)
