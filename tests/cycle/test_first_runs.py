"""One whole cycle runs in a real Airflow: raw data to a live endpoint, and a second run repeats nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.cli.airflow_api import airflow_of
from include.cli.environment import client
from include.cli.home import ADMIN, Home
from include.cli.run import (
    FIRST_RUNS,
    RunResult,
    ask,
    collect,
    curl_example,
    first_golden_row,
    python_example,
)
from include.core.settings import Settings

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]

Stack = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def first_run(stack: Stack) -> str:
    """What `make run` printed the first time."""
    done = stack("run", "--exit-when-done")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def results(first_run: str, settings: Settings) -> list[RunResult]:
    """What the three runs left: two trainings and one scoring."""
    assert first_run
    with airflow_of(settings) as api:
        return collect(settings, api, FIRST_RUNS)


def jobs(settings: Settings) -> set[str]:
    """Names of all jobs there ever were."""
    sagemaker = client(settings, "sagemaker")
    return {
        *(job["ProcessingJobName"] for job in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]),
        *(job["TrainingJobName"] for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]),
        *(job["TransformJobName"] for job in sagemaker.list_transform_jobs()["TransformJobSummaries"]),
    }


def status(stack: Stack) -> dict[str, Any]:
    """`make status JSON=1`."""
    found: dict[str, Any] = json.loads(stack("status", "--json").stdout)
    return found


def test_every_step_of_the_cycle_ran(results: list[RunResult]) -> None:
    """Two months are trained on, and the third is scored."""
    training = {
        "fetch",
        "clean",
        "transform",
        "train",
        "evaluate",
        "decide",
        "approve",
        "register",
        "deploy",
        "verify",
    }
    scoring = {
        *("fetch", "clean", "prepare", "batch_transform", "collect"),
        *("monitor", "mature", "decide", "report", "request_retraining", "expire"),
    }
    assert [set(result.seconds) for result in results] == [training, training, scoring]


def test_no_row_vanishes(results: list[RunResult]) -> None:
    """What went into cleaning came out, was quarantined, or was a duplicate."""
    for result in results:
        counts = result.steps["clean"]["counts"]
        assert counts["rows_in"] == sum(counts.values()) - counts["rows_in"]
        assert counts["rows_out"] > 0


def test_the_model_beats_guessing(results: list[RunResult]) -> None:
    """On held-out flights the challenger's interval lies above the constant baseline's value."""
    verdicts = [result.verdict for result in results[:2] if result.verdict]
    bounds = [(verdict.challenger.low, verdict.baselines["constant"].value) for verdict in verdicts]
    assert [low > value for low, value in bounds if low is not None and value is not None] == [True, True]


def test_production_is_what_was_decided(results: list[RunResult], stack: Stack) -> None:
    """The champion in the status is the version that the last promoting run registered."""
    promoted = [result for result in results[:2] if result.verdict and result.verdict.promote]
    assert promoted
    champion = status(stack)["cycles"]["flights"]["champion"]
    assert champion
    assert champion in json.dumps(promoted[-1].steps)


def test_the_endpoint_answers_as_the_model_did_offline(results: list[RunResult], settings: Settings) -> None:
    """A row of the evaluation gets the score the evaluation wrote down."""
    deployed = next(result for result in reversed(results[:2]) if result.verdict and result.verdict.promote)
    uri = deployed.steps["evaluate"]["uri"]
    body = first_golden_row(client(settings, "s3"), uri)
    answer = json.loads(ask(settings, "flights", body))
    golden = read_first_line(settings, f"{uri}golden.jsonl")
    assert answer["predictions"][0]["score"] == pytest.approx(golden["score"], abs=1e-5)


def read_first_line(settings: Settings, uri: str) -> dict[str, Any]:
    """The first of an object's lines of JSON."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = client(settings, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    found: dict[str, Any] = json.loads(body.splitlines()[0])
    return found


def test_the_examples_that_are_printed_work(
    first_run: str, results: list[RunResult], settings: Settings
) -> None:
    """Copied from the terminal, both give a prediction."""
    body = first_golden_row(client(settings, "s3"), results[1].steps["evaluate"]["uri"])
    in_shell, in_python = curl_example(settings, "flights", body), python_example(settings, "flights", body)
    assert in_shell in first_run
    assert in_python in first_run
    for command in (["sh", "-c", in_shell], [sys.executable, "-c", in_python]):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "score" in json.loads(done.stdout)["predictions"][0]


def test_march_was_scored_by_a_model_that_had_not_seen_it(
    results: list[RunResult], settings: Settings
) -> None:
    """Every record the scoring prepared came back with a score."""
    prepared, scored = results[2].steps["prepare"], results[2].steps["batch_transform"]
    rows = prepared["counts"]["rows_out"]
    assert rows > 0
    s3 = client(settings, "s3")
    bucket, _, prefix = scored["uri"].removeprefix("s3://").partition("/")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    outputs = [key for key in keys if key.endswith(".out")]
    lines = sum(len(s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()) for key in outputs)
    assert lines == rows


#: how many rows of pixels of a canvas have the colour of the champion's line
ACCENT_ROWS = """
canvas => {
  const probe = document.createElement("i");
  probe.style.color = "var(--accent)";
  document.body.append(probe);
  const wanted = getComputedStyle(probe).color.match(/[0-9]+/g).slice(0, 3).map(Number);
  probe.remove();
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const isClose = at => wanted.every((value, index) => Math.abs(pixels[at + index] - value) < 30);
  const isWanted = at => pixels[at + 3] > 200 && isClose(at);
  let rows = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (isWanted(4 * (y * width + x))) { rows++; break; }
  return rows;
}
"""


def test_the_page_shows_the_turn(
    first_run: str,
    stack: Stack,
    visit: Any,  # noqa: ANN401 - of conftest.py, which tests cannot import
) -> None:
    """In a browser: the card, the cycle with its chart, runs and map, a window; the console is quiet."""
    assert first_run
    champion = status(stack)["cycles"]["flights"]["champion"]
    page = visit.open("/plugin/flywheel")
    cards = visit.inside(page)
    assert champion.endswith(cards.locator("[data-cycle=flights] .champion").inner_text())
    cards.get_by_role("link", name="flights", exact=True).click()
    cycle = page.frame_locator("iframe").first
    cycle.locator("main[data-state=ready]").wait_for()
    # the only window that is scored has its interval as a bar, far longer than its point of 8 pixels
    assert cycle.locator("#quality canvas").evaluate(ACCENT_ROWS) > 40
    assert cycle.locator("#runs tr[data-run]").count() == len(FIRST_RUNS)
    cycle.locator(".heat [tabindex='0']").click()
    cycle.locator("dialog svg.bars").wait_for()


def test_the_status_has_exactly_the_promised_keys(first_run: str, stack: Stack) -> None:
    """Programs may rely on them."""
    assert first_run
    found = status(stack)
    assert set(found) == {"airflow", "local_sagemaker", "cycles"}
    assert set(found["airflow"]) == set(found["local_sagemaker"]) == {"url", "healthy"}
    assert found["airflow"]["healthy"] is True
    assert found["local_sagemaker"]["healthy"] is True
    flights = found["cycles"]["flights"]
    assert set(flights) == {"champion", "endpoint", "runs"}
    assert flights["endpoint"] == "flights"
    runs = sorted((run["interval"], run["state"]) for run in flights["runs"])
    assert runs == [
        ("2013-01-01_2013-02-01", "success"),
        ("2013-02-01_2013-03-01", "success"),
        ("2013-03-01_2013-04-01", "success"),
    ]


def test_a_second_run_repeats_no_job(first_run: str, stack: Stack, settings: Settings) -> None:
    """It says so, and SageMaker knows of no new job."""
    assert first_run
    before = jobs(settings)
    done = stack("run", "--exit-when-done")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("done before") == len(FIRST_RUNS)
    assert jobs(settings) == before


def test_down_leaves_nothing_and_a_new_start_finds_everything(
    first_run: str, stack: Stack, settings: Settings
) -> None:
    """The endpoint answers again after everything was stopped and started."""
    assert first_run
    before = status(stack)
    assert stack("down").returncode == 0
    assert [path.name for path in (settings.home / "run").glob("*.json")] == []
    assert status(stack)["airflow"]["healthy"] is False
    assert stack("up").returncode == 0
    assert status(stack)["cycles"] == before["cycles"]


def test_the_passwords_file_is_the_installations_own(settings: Settings, first_run: str) -> None:
    """The terminal shows the password that the UI takes."""
    password = json.loads(Path(Home(settings).passwords).read_text())[ADMIN]
    assert password in first_run
