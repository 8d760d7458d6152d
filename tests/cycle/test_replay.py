"""Three months of flights replayed by Airflow's backfills; a second replay repeats no job."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from include.cli.environment import client
from include.core.settings import Settings

pytestmark = [pytest.mark.airflow, pytest.mark.long, pytest.mark.timeout(2400)]

Stack = Callable[..., "subprocess.CompletedProcess[str]"]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def replayed(stack: Stack) -> str:
    """What `make replay INTERVALS=3` printed the first time."""
    done = stack("replay", "--intervals", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def objects(settings: Settings, name: str) -> list[Any]:
    """All JSON objects of the cycle that are called `name`, by their place."""
    s3 = client(settings, "s3")
    found = s3.list_objects_v2(Bucket=settings.bucket, Prefix="flights/")
    assert not found["IsTruncated"]
    keys = sorted(item["Key"] for item in found["Contents"] if item["Key"].endswith(f"/{name}"))
    return [json.load(s3.get_object(Bucket=settings.bucket, Key=key)["Body"]) for key in keys]


@pytest.fixture(scope="module")
def document(replayed: str, settings: Settings) -> Document:
    """The one replay.json there is."""
    assert replayed
    (found,) = objects(settings, "replay.json")
    value: Document = found
    return value


def jobs(settings: Settings) -> set[str]:
    """Names of all processing and training jobs there ever were."""
    sagemaker = client(settings, "sagemaker")
    processing = sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"]
    training = sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    return {*(j["ProcessingJobName"] for j in processing), *(j["TrainingJobName"] for j in training)}


def test_every_month_with_a_champion_is_judged(document: Document) -> None:
    """January has none; February is scored by January's model, March by the champion of then."""
    assert [month["interval"][0][:7] for month in document["months"]] == ["2013-02", "2013-03"]
    assert all(month["rows"] > 20_000 for month in document["months"])
    assert len(document["decisions"]) == 3


def test_the_frozen_model_is_the_first_champion(document: Document) -> None:
    """In February the two are the same model, and so are their figures."""
    february = document["months"][0]
    assert february["champion"] == document["frozen"]
    assert february["models"]["champion"] == february["models"]["frozen"]


def test_the_figures_are_those_the_monitor_found(document: Document, settings: Settings) -> None:
    """Batch transform and monitor, and the replay's own comparison, agree on the champion."""
    watched = objects(settings, "model_quality.json")
    areas = [each["binary_classification_metrics"]["auc"]["value"] for each in watched]
    compared = [month["models"]["champion"]["value"] for month in document["months"]]
    assert compared == pytest.approx(areas, abs=1e-4)


def test_the_champion_beats_guessing(document: Document) -> None:
    """A constant score ranks nothing; a trained model does, in every month."""
    for month in document["months"]:
        assert month["models"]["constant"]["value"] == pytest.approx(0.5)
        assert month["models"]["champion"]["low"] > 0.5


def test_decisions_are_printed_with_their_reasons(document: Document, replayed: str) -> None:
    """Each version was promoted or refused, and the terminal says why."""
    for decision in document["decisions"]:
        assert decision["reasons"]
        assert " ".join(decision["reasons"]) in replayed
    assert document["decisions"][0]["promoted"] is True


def test_the_report_needs_nothing_else(replayed: str, settings: Settings) -> None:
    """It is one file with its plots inside, and loads nothing from elsewhere."""
    report = settings.home / "reports/replay-flights.html"
    assert str(report) in replayed
    text = report.read_text()
    assert text.count("<svg") == 2
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', text.replace("xlink:href", "href")) == []


def test_a_second_replay_repeats_no_job(replayed: str, stack: Stack, settings: Settings) -> None:
    """It says what was done before, and prints the same figures."""
    before = jobs(settings)
    done = stack("replay", "--intervals", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("3 of 3 intervals done before") == 2
    assert jobs(settings) == before
    figures = [line for line in replayed.splitlines() if line.startswith("  2013-0") and "[" in line]
    assert figures
    assert [line for line in figures if line not in done.stdout] == []
