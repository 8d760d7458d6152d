"""`make run`: services up, the first runs of the cycle, what came out, and then up until Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from include.cli.airflow_api import AirflowApi, Json
from include.cli.driver import CycleRun, driver_of, short_version
from include.cli.environment import (
    ACCESS_KEY,
    SECRET_KEY,
    client,
    login,
    read_document,
    read_object,
    sagemaker_url,
)
from include.cli.stack import Stack
from include.cli.terminal import StackError, Terminal, bounds_text
from include.core.documents.model import Verdict
from include.core.layout import GOLDEN_ROWS, VERDICT
from include.core.settings import Settings

#: between two looks at the services while nothing else is to do, in seconds
WATCH_INTERVAL_S = 2.0
TRAINING, SCORING = "train_and_deploy", "score_and_monitor"
#: what `make run` shows of the cycle: two trainings, and the month after scored with the champion
FIRST_RUNS = (
    CycleRun("flights", TRAINING, "2013-01-01"),
    CycleRun("flights", TRAINING, "2013-02-01"),
    CycleRun("flights", SCORING, "2013-03-01"),
)
TRAINING_HEADING = ["interval", "fetched", "quarantined", "trained on", "metric", "champion", "endpoint"]
PYTHON = """\
import boto3
runtime = boto3.client("sagemaker-runtime", endpoint_url="{url}", region_name="us-east-1",
                       aws_access_key_id="{access_key}", aws_secret_access_key="{secret_key}")
answer = runtime.invoke_endpoint(EndpointName="{endpoint}", ContentType="application/json",
                                 Body=r'''{body}''')
print(answer["Body"].read().decode())"""


class Stopped(KeyboardInterrupt):
    """Somebody pressed Ctrl-C, or asked this process to end."""


def run(settings: Settings, terminal: Terminal, *, exit_when_done: bool) -> int:
    """Bring everything up and run the cycle; then stay until Ctrl-C, or leave the services running.

    Ctrl-C at any time stops the services; a job that runs is finished by nobody until the next run, which
    attaches to it.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    stack = Stack(settings, terminal)
    try:
        stack.start()
        _run_cycle(stack)
        if not exit_when_done:
            terminal.say("\n  Ctrl-C stops everything; `make run` goes on where it stopped.")
            _watch(stack)
    except Stopped:
        # a second Ctrl-C must not interrupt the stopping
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        terminal.say("\nStopping ...")
        stack.down()
    return 0


def _run_cycle(stack: Stack) -> None:
    """Do the runs, and print what came out; the services go on if one fails, so that one can look."""
    settings, terminal = stack.settings, stack.terminal
    try:
        with driver_of(stack) as driver:
            driver.complete(FIRST_RUNS)
            results = collect(settings, driver.api, FIRST_RUNS)
    except StackError:
        terminal.say("\n  The services go on, for you to look; `make down` stops them.")
        raise
    print_results(results, terminal)
    _print_example(settings, results, terminal)
    terminal.say(f"\n  {login(settings)}")


def _watch(stack: Stack) -> None:
    """Keep the services up until they are stopped from elsewhere."""
    while stack.is_wanted():
        stack.heal()
        time.sleep(WATCH_INTERVAL_S)
    stack.terminal.say("The services were stopped from elsewhere.")


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


# What came out, as tables: rows, metrics, the champion, and where the time went


@dataclass(frozen=True)
class RunResult:
    """One finished run: what its steps returned, and how long its tasks took."""

    run: CycleRun
    #: task -> the step's XCom
    steps: Mapping[str, Json]
    #: task -> seconds
    seconds: Mapping[str, float]
    #: of the evaluation; None where nothing was evaluated
    verdict: Verdict | None

    def count(self, step: str, name: str, kind: str = "counts") -> str:
        """Return a count of a step, `-` where it has none."""
        value = self.steps.get(step, {}).get(kind, {}).get(name)
        return "-" if value is None else f"{value:,.0f}"


def collect(settings: Settings, api: AirflowApi, runs: Sequence[CycleRun]) -> list[RunResult]:
    """Return the results of finished runs."""
    s3, results = client(settings, "s3"), []
    for run in runs:
        tasks = sorted(api.tasks(run.dag_id, run.run_id), key=lambda task: task["start_date"] or "~")
        steps = {task["task_id"]: api.step_result(run.dag_id, run.run_id, task["task_id"]) for task in tasks}
        seconds = {task["task_id"]: task["duration"] for task in tasks if task["duration"] is not None}
        evaluation = steps.get("evaluate", {}).get("uri")
        verdict = read_document(s3, f"{evaluation.rstrip('/')}/{VERDICT}", Verdict) if evaluation else None
        results.append(RunResult(run, steps, seconds, verdict))
    return results


def print_results(results: Sequence[RunResult], terminal: Terminal) -> None:
    """Print the tables."""
    trainings = [result for result in results if result.run.kind == TRAINING]
    terminal.say()
    terminal.table([TRAINING_HEADING, *map(_training_row, trainings)])
    terminal.say()
    for result in trainings:
        terminal.say(_comparison(result))
    for result in results:
        if result.run.kind != TRAINING:
            terminal.say(_scoring(result))
    terminal.say()
    terminal.table(_seconds_table(results))


def _training_row(result: RunResult) -> list[str]:
    registered, deployed = result.steps.get("register", {}), result.steps.get("deploy", {})
    verdict = result.verdict
    return [
        result.run.interval_start,
        result.count("fetch", "rows_out"),
        result.count("clean", "rows_quarantined"),
        result.count("train", "rows", "metrics"),
        f"{verdict.metric} {bounds_text(verdict.challenger)}" if verdict else "-",
        short_version(registered.get("version")) if verdict and verdict.promote else "as before",
        str(deployed.get("endpoint") or "-"),
    ]


def _scoring(result: RunResult) -> str:
    """Return how the champion did on rows it was not trained on."""
    metrics = result.steps.get("monitor", {}).get("metrics", {})
    numbers = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value:.4f}"
        for name, value in metrics.items()
    )
    return f"  {result.run.interval_start} scored {result.count('prepare', 'rows_out')} rows: {numbers}"


def _comparison(result: RunResult) -> str:
    """Return the challenger beside the champion and the baselines, on the same holdout."""
    verdict = result.verdict
    if verdict is None:
        return f"  {result.run.interval_start} nothing was evaluated"
    models = {"challenger": verdict.challenger, "champion": verdict.champion, **verdict.baselines}
    measured = "; ".join(f"{name} {bounds_text(bounds)}" for name, bounds in models.items() if bounds)
    return f"  {result.run.interval_start} {verdict.metric}: {measured}"


def _seconds_table(results: Sequence[RunResult]) -> list[list[str]]:
    """Return seconds per step, a column for every run."""
    names = list(dict.fromkeys(name for result in results for name in result.seconds))
    rows = [["seconds", *(f"{r.run.interval_start} {r.run.kind.split('_')[0]}" for r in results)]]
    for name in names:
        seconds = [result.seconds.get(name) for result in results]
        rows.append([name, *("-" if value is None else f"{value:.1f}" for value in seconds)])
    return [*rows, ["sum", *(f"{sum(result.seconds.values()):.1f}" for result in results)]]


# A prediction from the live endpoint, tried before it is shown


def _print_example(settings: Settings, results: Sequence[RunResult], terminal: Terminal) -> None:
    """Ask the endpoint about a flight it never saw, and show how anybody can."""
    evaluations = [uri for result in results if (uri := result.steps.get("evaluate", {}).get("uri"))]
    endpoint = results[-1].run.cycle
    body = first_golden_row(client(settings, "s3"), evaluations[-1])
    terminal.say(f"\nThe endpoint {endpoint} answers: {ask(settings, endpoint, body).strip()}")
    terminal.say("Ask it yourself, from a shell:")
    terminal.say(curl_example(settings, endpoint, body))
    terminal.say("or from Python:")
    terminal.say(python_example(settings, endpoint, body))


def first_golden_row(s3: Any, evaluation_uri: str) -> str:  # noqa: ANN401 - a boto3 client
    """Return a real row that the evaluation kept with its prediction, as the body of a request."""
    lines = read_object(s3, f"{evaluation_uri.rstrip('/')}/{GOLDEN_ROWS}").splitlines()
    return json.dumps(json.loads(lines[0])["row"])


def ask(settings: Settings, endpoint: str, body: str) -> str:
    """Return the endpoint's answer to a JSON body."""
    answer = client(settings, "sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="application/json", Body=body
    )
    return str(answer["Body"].read().decode())


def python_example(settings: Settings, endpoint: str, body: str) -> str:
    """Return a program that asks the endpoint, whole."""
    url = sagemaker_url(settings)
    return PYTHON.format(url=url, access_key=ACCESS_KEY, secret_key=SECRET_KEY, endpoint=endpoint, body=body)


def curl_example(settings: Settings, endpoint: str, body: str) -> str:
    """Return a shell command that asks the endpoint."""
    url = f"{sagemaker_url(settings)}/endpoints/{endpoint}/invocations"
    return f"curl -s {url} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
