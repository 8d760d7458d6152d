"""`make replay`: a cycle backfilled interval by interval, and what retraining was worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from include.cli.airflow_api import AirflowApi, Json
from include.cli.driver import Driver, cycle_named, driver_of, short_version
from include.cli.environment import client, read_document, read_object, sagemaker_of
from include.cli.stack import Stack
from include.cli.terminal import StackError, Terminal, bounds_text
from include.core.cycle import Cycle
from include.core.documents.codec import canonical, digest
from include.core.documents.ledger import Entry
from include.core.documents.reports import (
    Replay,
    ReplayedDecision,
    ReplayedInterval,
    ReplayInput,
    ReplaySeconds,
    StepSeconds,
)
from include.core.exceptions import FlywheelError
from include.core.keys import key_record
from include.core.layout import (
    REPLAY,
    REPLAY_INPUT,
    REPLAY_PAGE,
    Interval,
    scoring_dag,
    training_dag,
)
from include.core.ledger import Ledger, champion_as_of, last_decision
from include.core.places import Places, below_step
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import kind_of
from include.core.sagemaker.requests import Source, StepInput, StepInputs, step_request
from include.core.sagemaker.runner import JobRunner, prepare_job
from include.core.schedule import history, newest_complete, window_schedule
from include.core.settings import Settings

#: the first interval makes the first model, the second one judges it
LEAST = 2
MODELS = ("champion", "frozen", "linear", "constant")
STEP = "compare"
LOOK_INTERVAL_S = 0.5


def replay(settings: Settings, terminal: Terminal, *, cycle: str, intervals: int | None, again: bool) -> int:
    """Backfill both DAGs over a cycle's first intervals, or all; compare, print, write the report.

    The services stay up. Called again, it repeats nothing that is done; with `again`, as after a change of
    the code, it makes every run once more, and a run repeats the jobs whose keys have changed.
    """
    replayed = cycle_named(cycle)
    if window_schedule(replayed) != replayed.schedule:
        raise StackError(
            f"{cycle} is watched in windows of their own ({window_schedule(replayed)!r}), and a replay "
            "compares models by training intervals. Use `make watch` for it."
        )
    chosen = _intervals(replayed, intervals)
    stack = Stack(settings, terminal)
    stack.start()
    try:
        with driver_of(stack) as driver:
            uri = _replay(settings, driver, replayed, chosen, again=again)
    except FlywheelError as error:
        raise StackError(str(error)) from error
    s3 = client(settings, "s3")
    report = settings.home / "reports" / f"replay-{cycle}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    draft = report.with_suffix(".part")
    draft.write_bytes(read_object(s3, f"{uri}{REPLAY_PAGE}"))
    draft.replace(report)
    _print(read_document(s3, f"{uri}{REPLAY}", Replay), terminal)
    terminal.say(f"\n  The report, with plots: {report}")
    return 0


def _intervals(cycle: Cycle, count: int | None) -> list[Interval]:
    """Return the cycle's intervals from its start; a source that goes on is replayed up to now."""
    intervals = list(history(cycle, newest_complete(cycle, datetime.now(UTC))))
    if count is not None and not LEAST <= count <= len(intervals):
        raise StackError(
            f"{count} intervals cannot be replayed: {cycle.name} has {len(intervals)}, and the first one's "
            "model needs a second one to be judged by. Ask for a number between."
        )
    return intervals[:count]


def _replay(
    settings: Settings, driver: Driver, cycle: Cycle, intervals: list[Interval], *, again: bool
) -> str:
    """Run what is missing, and compare; return the URI of the comparison."""
    trainings = driver.backfill(training_dag(cycle.name), intervals, again=again)
    scorings = driver.backfill(scoring_dag(cycle.name), intervals, again=again)
    sagemaker = sagemaker_of(settings)
    entries = Ledger(sagemaker.s3, settings.bucket, cycle.name).entries()
    replay_input = replay_input_of(driver.api, intervals, entries, trainings, scorings)
    driver.terminal.say()
    with driver.terminal.timed("comparison"):
        inputs = _comparison_inputs(sagemaker, Places(settings.bucket, cycle.name), replay_input)
        record = key_record(
            step=STEP,
            cycle=cycle,
            interval=Interval(intervals[0].start, intervals[-1].end),
            # the replay input and the lists are named by their content
            inputs={name: given.digest for name, given in inputs.items()},
            parameters={},
            settings=settings,
        )
        runner = JobRunner(
            sagemaker, kind_of(STEP), poll_interval_s=LOOK_INTERVAL_S, on_look=lambda _: driver.heal()
        )
        spec = prepare_job(sagemaker, cycle, record, settings, inputs)
        attached = runner.start(spec, lambda named: step_request(named, StepInputs(inputs)))
        runner.finish(attached)
    return attached.uri


def _comparison_inputs(
    sagemaker: SageMaker, places: Places, replay_input: ReplayInput
) -> dict[str, StepInput]:
    """Put what `include/steps/compare.py` reads where the same replay input always has it."""

    def listed(step: str, folders: Iterable[str]) -> StepInput:
        """Return one input for all files at places below a step's outputs, kept as SageMaker reads it."""
        root = places.step(step)
        content: list[Any] = [{"prefix": root}]
        content += [folder + name for folder in folders for name in sagemaker.sizes(root + folder)]
        uri = places.manifest_list(digest(content))
        sagemaker.put_once(uri, canonical(content).encode())
        return StepInput(Source(uri, "ManifestFile"), uri)

    content, compared = replay_input.as_json(), replay_input.months
    folder = places.replay_input(digest(content))
    sagemaker.put_once(folder + REPLAY_INPUT, canonical(content).encode())
    models = sorted({replay_input.frozen, *(interval.champion for interval in compared)})
    prepared = listed("prepare", (interval.prepared for interval in compared))
    return {"replay_input": StepInput.at(folder), "prepared": prepared, "models": listed("train", models)}


# What happened, from Airflow's runs and the ledger, as the comparing job is told it


def replay_input_of(
    api: AirflowApi,
    intervals: Sequence[Interval],
    entries: list[Entry],
    trainings: Sequence[Json],
    scorings: Sequence[Json],
) -> ReplayInput:
    """Return the intervals that had a champion, the first champion, decisions, and where the time went.

    Everything comes from runs that have ended, so that asking again gives the same.
    """
    champions = [champion_as_of(entries, interval.start, inclusive=True) for interval in intervals]
    compared = tuple(
        ReplayedInterval(
            interval=interval,
            prepared=below_step(api.step_result(run["dag_id"], run["dag_run_id"], "prepare")["uri"]),
            champion=below_step(champion.model_uri),
            version=short_version(champion.version),
        )
        for interval, champion, run in zip(intervals, champions, scorings, strict=True)
        if champion
    )
    if not compared:
        raise StackError(
            "No interval of the replay had a champion to be scored with. Replay two intervals at least; if "
            "that was so, no model was better than the baselines: the decisions tell why."
        )
    return ReplayInput(
        months=compared,
        frozen=compared[0].champion,
        decisions=tuple(
            _decision(api, interval, entries, run) for interval, run in zip(intervals, trainings, strict=True)
        ),
        seconds=_seconds(api, [*trainings, *scorings]),
    )


def _decision(api: AirflowApi, interval: Interval, entries: list[Entry], run: Json) -> ReplayedDecision:
    """Return the last decision about an interval, and the version it was about."""
    decided = last_decision(entries, interval.end)
    registered = api.step_result(run["dag_id"], run["dag_run_id"], "register")
    return ReplayedDecision(
        interval=interval,
        version=short_version(registered.get("version")),
        promoted=registered.get("promotion") is not None,
        reasons=decided.reasons if decided else (),
        undecided=decided.verdict.undecided if decided and decided.verdict else None,
    )


def _seconds(api: AirflowApi, runs: Sequence[Json]) -> ReplaySeconds:
    """Return the wall time of all runs, and for each step the number of its tasks and their seconds."""
    steps: dict[str, list[float]] = {}
    for run in runs:
        kind = "scoring" if run["dag_id"].endswith("score_and_monitor") else "training"
        tasks = [task for task in api.tasks(run["dag_id"], run["dag_run_id"]) if task["duration"]]
        for task in sorted(tasks, key=lambda task: task["start_date"]):
            steps.setdefault(f"{kind}: {task['task_id']}", []).append(task["duration"])
    began = min(datetime.fromisoformat(run["start_date"]) for run in runs)
    return ReplaySeconds(
        wall_s=(max(datetime.fromisoformat(run["end_date"]) for run in runs) - began).total_seconds(),
        steps=tuple(
            StepSeconds(step=step, tasks=len(seconds), seconds=sum(seconds))
            for step, seconds in steps.items()
        ),
    )


# What is printed: the same tables as in the report


def _print(replay: Replay, terminal: Terminal) -> None:
    rows = [[replay.metric, "rows", "version", *MODELS]]
    for compared in replay.months:
        values = [bounds_text(compared.models[model]) for model in MODELS]
        rows.append([compared.interval.day, f"{compared.rows:,}", compared.version, *values])
    terminal.say()
    terminal.table(rows)
    terminal.say()
    for decision in replay.decisions:
        reasons = " ".join(decision.reasons)
        terminal.say(f"  {decision.interval.day}  {decision.version:<12} {decision.outcome:<10}  {reasons}")
    terminal.say()
    rows = [["step", "tasks", "seconds", "each"]]
    for step in replay.seconds.steps:
        mean = step.seconds / step.tasks
        rows.append([step.step, str(step.tasks), f"{step.seconds:.1f}", f"{mean:.1f}"])
    terminal.table(rows)
    terminal.say(f"  from the first task's start to the last one's end: {replay.seconds.wall_s:.0f} s")
