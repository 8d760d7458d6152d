"""What happened in a replay, from Airflow's runs and the ledger, as the comparing job is told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from include.cli.airflow_api import AirflowApi
from include.cli.errors import StackError
from include.core.documents.ledger import Entry
from include.core.layout import Interval, version_of
from include.core.ledger import champion_as_of
from include.core.places import below_step

Run = dict[str, Any]


def story_of(
    api: AirflowApi,
    intervals: Sequence[Interval],
    entries: list[Entry],
    trainings: Sequence[Run],
    scorings: Sequence[Run],
) -> dict[str, Any]:
    """Months that had a champion, the first champion, decisions, and where the time went.

    Everything comes from runs that have ended, so that telling it again gives the same.
    """
    champions = [champion_as_of(entries, interval.start, inclusive=True) for interval in intervals]
    months = [
        _month(api, interval, champion, run)
        for interval, champion, run in zip(intervals, champions, scorings, strict=True)
        if champion
    ]
    if not months:
        raise StackError(
            "No interval of the replay had a champion to be scored with. Replay two intervals at least; if "
            "that was so, no model was better than the baselines: the decisions tell why."
        )
    pairs = zip(intervals, trainings, strict=True)
    return {
        "months": months,
        "frozen": months[0]["champion"],
        "decisions": [_decision(api, interval, entries, run) for interval, run in pairs],
        "seconds": _seconds(api, [*trainings, *scorings]),
    }


def _month(api: AirflowApi, interval: Interval, champion: Entry, run: Run) -> dict[str, Any]:
    prepared = api.step_result(run["dag_id"], run["dag_run_id"], "prepare")["uri"]
    return {
        "interval": interval.iso,
        "prepared": below_step(prepared),
        "champion": below_step(champion.model_uri),
        "version": _short(champion.version),
    }


def _decision(api: AirflowApi, interval: Interval, entries: list[Entry], run: Run) -> dict[str, Any]:
    """The last decision about an interval, and the version it was about."""
    mine = [e for e in entries if e.kind == "decision" and e.data_end == interval.end]
    registered = api.step_result(run["dag_id"], run["dag_run_id"], "register")
    return {
        "interval": interval.iso,
        "version": _short(registered.get("version")),
        "promoted": registered.get("promotion") is not None,
        "reasons": list(mine[-1].reasons) if mine else [],
    }


def _seconds(api: AirflowApi, runs: Sequence[Run]) -> dict[str, Any]:
    """Wall time of all runs, and for each step the number of its tasks and the sum of their seconds."""
    steps: dict[str, dict[str, float]] = {}
    for run in runs:
        kind = "scoring" if run["dag_id"].endswith("score_and_monitor") else "training"
        tasks = [task for task in api.tasks(run["dag_id"], run["dag_run_id"]) if task["duration"]]
        for task in sorted(tasks, key=lambda task: task["start_date"]):
            of = steps.setdefault(f"{kind}: {task['task_id']}", {"tasks": 0, "seconds": 0.0})
            of["tasks"] += 1
            of["seconds"] += task["duration"]
    return {"wall_s": _wall(runs), "steps": [{"step": name, **of} for name, of in steps.items()]}


def _wall(runs: Sequence[Mapping[str, Any]]) -> float:
    began = min(datetime.fromisoformat(run["start_date"]) for run in runs)
    ended = max(datetime.fromisoformat(run["end_date"]) for run in runs)
    return (ended - began).total_seconds()


def _short(version: str | None) -> str:
    """`flights/2` of a model package's ARN."""
    return version_of(version) if version else "-"
