"""What came out of the first turn, as tables: rows, metrics, the champion, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.cli.airflow_api import AirflowApi
from include.cli.aws import client, read_json
from include.cli.first_run import Turn
from include.cli.terminal import Terminal
from include.core.layout import VERDICT, version_of
from include.core.settings import Settings

TRAINING = "train_and_deploy"
TRAINING_HEADING = ["interval", "fetched", "quarantined", "trained on", "metric", "champion", "endpoint"]


@dataclass(frozen=True)
class RunResult:
    """One finished run: what its steps returned, and how long its tasks took."""

    turn: Turn
    #: task -> the step's XCom
    steps: Mapping[str, dict[str, Any]]
    #: task -> seconds
    seconds: Mapping[str, float]
    #: verdict.json of the evaluation; empty where nothing was evaluated
    verdict: Mapping[str, Any]


def collect(settings: Settings, api: AirflowApi, turns: Sequence[Turn]) -> list[RunResult]:
    """The results of finished runs."""
    s3 = client(settings, "s3")
    return [_result(api, s3, turn) for turn in turns]


def _result(api: AirflowApi, s3: Any, turn: Turn) -> RunResult:  # noqa: ANN401 - a boto3 client
    tasks = sorted(api.tasks(turn.dag_id, turn.run_id), key=lambda task: task["start_date"] or "~")
    steps = {task["task_id"]: api.step_result(turn.dag_id, turn.run_id, task["task_id"]) for task in tasks}
    evaluation = steps.get("evaluate", {}).get("uri")
    return RunResult(
        turn=turn,
        steps=steps,
        seconds={task["task_id"]: task["duration"] for task in tasks if task["duration"] is not None},
        verdict=read_json(s3, f"{evaluation.rstrip('/')}/{VERDICT}") if evaluation else {},
    )


def print_results(results: Sequence[RunResult], terminal: Terminal) -> None:
    """The tables."""
    trainings = [result for result in results if result.turn.kind == TRAINING]
    terminal.say()
    terminal.table([TRAINING_HEADING, *(_training_row(result) for result in trainings)])
    terminal.say()
    for result in trainings:
        _print_comparison(result, terminal)
    for result in results:
        if result.turn.kind != TRAINING:
            _print_scoring(result, terminal)
    _print_seconds(results, terminal)


def _training_row(result: RunResult) -> list[str]:
    registered, deployed = result.steps.get("register", {}), result.steps.get("deploy", {})
    return [
        result.turn.interval_start,
        _count(result, "fetch", "counts", "rows_out"),
        _count(result, "clean", "counts", "rows_quarantined"),
        _count(result, "train", "metrics", "rows"),
        _metric(result.verdict, "challenger"),
        _short(registered.get("version")) if result.verdict.get("promote") else "as before",
        str(deployed.get("endpoint") or "-"),
    ]


def _print_scoring(result: RunResult, terminal: Terminal) -> None:
    """How the champion did on rows it was not trained on."""
    metrics = result.steps.get("monitor", {}).get("metrics", {})
    told = ", ".join(f"{name} {_number(value)}" for name, value in metrics.items())
    scored = _count(result, "prepare", "counts", "rows_out")
    terminal.say(f"  {result.turn.interval_start} scored {scored} rows: {told}")


def _print_comparison(result: RunResult, terminal: Terminal) -> None:
    """The challenger beside the champion and the baselines, on the same holdout."""
    verdict = result.verdict
    rivals = {"champion": verdict.get("champion"), **(verdict.get("baselines") or {})}
    beside = [f"{name} {_interval(value)}" for name, value in rivals.items() if value]
    terminal.say(
        f"  {result.turn.interval_start} {verdict.get('metric')}: challenger "
        f"{_interval(verdict['challenger'])}; {'; '.join(beside)}"
    )


def _print_seconds(results: Sequence[RunResult], terminal: Terminal) -> None:
    """Seconds per step, a column for every run."""
    names = list(dict.fromkeys(name for result in results for name in result.seconds))
    rows = [["seconds", *(f"{r.turn.interval_start} {r.turn.kind.split('_')[0]}" for r in results)]]
    for name in names:
        seconds = [result.seconds.get(name) for result in results]
        rows.append([name, *("-" if value is None else f"{value:.1f}" for value in seconds)])
    rows.append(["sum", *(f"{sum(result.seconds.values()):.1f}" for result in results)])
    terminal.say()
    terminal.table(rows)


def _count(result: RunResult, step: str, kind: str, name: str) -> str:
    """A count of a step, `-` where it has none."""
    value = result.steps.get(step, {}).get(kind, {}).get(name)
    return "-" if value is None else f"{value:,.0f}"


def _short(version: str | None) -> str:
    """`flights/2` of a model package's ARN."""
    return version_of(version) if version else "-"


def _metric(verdict: Mapping[str, Any], who: str) -> str:
    return f"{verdict['metric']} {_interval(verdict[who])}" if verdict.get(who) else "-"


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
