"""The report of an evaluation: verdict, gains, metrics, charts, slices and importance as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from include.ml.reports import charts, pages

Row = dict[str, object]
Curve = tuple[Sequence[float], Sequence[float]]


def render_evaluation(
    title: str, verdict: Mapping[str, Any], evaluation: Mapping[str, Any], curves: Mapping[str, Curve]
) -> str:
    """Return the report as an HTML page.

    Parameters
    ----------
    title
        Heading of the page, text.
    verdict, evaluation
        The content of verdict.json and evaluation.json.
    curves
        False and true positive rates of each model, 0 to 1; empty if there are more classes than two.
    """
    return pages.render_page(
        "evaluation.html.j2",
        title=title,
        outcome=outcome_of(verdict),
        reasons=verdict["reasons"],
        method=_method(verdict["rule"], evaluation["rows"]),
        gains=gain_rows(evaluation["gain"]),
        metrics=metric_rows(evaluation["models"]),
        charts=_charts(verdict, evaluation, curves),
        slices=slice_rows(verdict, evaluation["slices"]),
        calibrations=evaluation["calibrations"],
        importance=[{"column": name, "loss": loss} for name, loss in evaluation["importance"].items()],
    )


def _charts(
    verdict: Mapping[str, Any], evaluation: Mapping[str, Any], curves: Mapping[str, Curve]
) -> list[Markup]:
    drawn = [charts.gain_chart(verdict)]
    if verdict["slices"]:
        drawn.append(charts.slice_chart(verdict["slices"], verdict["metric"]))
    if curves:
        drawn.append(charts.roc_chart(curves))
    return [*drawn, charts.calibration_chart(evaluation["calibrations"])]


def outcome_of(verdict: Mapping[str, Any]) -> str:
    """Return the verdict in words."""
    return "Promote" if verdict["promote"] else "Keep what there is"


def _method(rule: Mapping[str, Any], rows: int) -> str:
    """Say how the numbers were computed."""
    drawn = "rows, class by class,"
    if rule["block_s"]:
        drawn = f"blocks of {rule['block_s'] / 3600:g} hours, because their rows share what no column tells,"
    return (
        f"All models were scored by the same code on the same {rows} holdout rows. Brackets hold intervals "
        f"from a bootstrap of {drawn} and those of gains are paired: {rule['confidence']:.0%}, "
        f"{rule['repetitions']} draws."
    )


def gain_rows(gains: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> list[Row]:
    """Return a row for each metric, with a column for every rival."""
    return [
        {"metric": metric, **{f"over {rival}": _interval(found) for rival, found in rivals.items()}}
        for metric, rivals in gains.items()
    ]


def slice_rows(verdict: Mapping[str, Any], slices: Sequence[Mapping[str, object]]) -> list[Row]:
    """Return the challenger's metric in each slice, with its gain over the champion if there is one."""
    over = {(each["column"], each["value"]): each for each in verdict["slices"]}
    return [{**each, **_slice_gain(over.get((each["column"], each["value"])), over)} for each in slices]


def _slice_gain(found: Mapping[str, Any] | None, over: Mapping[Any, object]) -> Row:
    if not over:
        return {}
    if found is None:
        return {"gain over champion": "too few rows", "floor": "", "judged": ""}
    judged = "under its floor" if found["is_under_floor"] else "held"
    return {"gain over champion": _interval(found["gain"]), "floor": found["floor"], "judged": judged}


def metric_rows(models: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Row]:
    """Return a row for each metric, with the interval of every model."""
    return [
        {"metric": metric, **{name: _interval(values[metric]) for name, values in models.items()}}
        for metric in next(iter(models.values()))
    ]


def _interval(found: Mapping[str, float | None]) -> str:
    value, low, high = (_figure(found[name]) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _figure(value: float | None) -> str:
    return "none" if value is None else pages.show_cell(value)
