"""prepare and monitor: the interval's records, and how they and their predictions compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.examples import evaluation
from tests.steps.conftest import readings
from tests.steps.container import Container, Containers, History

DAY_2 = {"start": "2020-01-02T00:00:00+00:00", "end": "2020-01-03T00:00:00+00:00"}
CHAMPION = {"champion_version": "arn:1", "champion_data_end": DAY_2["start"]}


@pytest.fixture
def prepared(with_history: History) -> Container:
    """The prepared second day."""
    job = with_history("prepare", 2)
    job.run("prepare", **DAY_2)
    return job


@pytest.fixture
def monitored(prepared: Container, with_history: History, container: Containers, tmp_path: Path) -> Container:
    """A container for monitor, with perfect predictions of the second day."""
    transform = with_history("baseline", 1)
    transform.run("transform")
    labels = prepared.table("labels/labels.parquet")
    scored = tmp_path / "scored"
    scored.mkdir()
    lines = [f"{row.event_id},{row.label},{0.9 if row.label == '1' else 0.1}" for row in labels.itertuples()]
    (scored / "part-00000.csv.out").write_text("\n".join(lines) + "\n")
    collected = container("collect")
    collected.link("prepared", prepared.output)
    collected.link("scored", scored)
    collected.run("collect", **DAY_2)
    evaluated = tmp_path / "evaluated"
    evaluated.mkdir()
    own = evaluation(0.9, 0.85, 0.95)
    (evaluated / "evaluation.json").write_text(json.dumps(own.as_json()))
    job = container("monitor")
    job.link("prepared", prepared.output)
    job.link("collected", collected.output)
    job.link("baseline", transform.output / "baseline")
    job.link("evaluated", evaluated)
    return job


def test_records_are_the_event_and_the_signature(prepared: Container) -> None:
    """A record to score is the event id and the signature's columns, in order, without a header."""
    first = (prepared.output / "batch/part-00000.csv").read_text().splitlines()[0]
    assert first == "A-20200102T0000,A,US,-6.0"


def test_rows_and_labels_are_those_of_the_interval(prepared: Container) -> None:
    """Rows to watch hold the combined attributes; there is a label for each, with the time it was known."""
    rows, labels = prepared.table("rows/part-00000.parquet"), prepared.table("labels/labels.parquet")
    assert list(rows.columns) == ["event_id", "event_time", "station", "country", "temp", "is_cold"]
    assert labels["label"].tolist() == ["1"] * 12 + ["0"] * 12
    assert (labels["known_time"] <= pd.Timestamp(DAY_2["end"])).all()


def test_an_interval_without_its_partition_is_refused(with_history: History) -> None:
    """Earlier partitions do not stand in for the interval's own."""
    assert "is not among the inputs" in with_history("prepare", 1).refuse("prepare", **DAY_2)


def test_predictions_are_judged_by_known_labels(monitored: Container) -> None:
    """Perfect predictions have perfect metrics, in Model Monitor's schema."""
    manifest = monitored.run("monitor", **DAY_2, **CHAMPION)
    quality = json.loads((monitored.output / "model_quality.json").read_text())
    assert quality["binary_classification_metrics"]["auc"] == {"value": 1.0, "standard_deviation": 0.0}
    assert quality["binary_classification_metrics"]["confusion_matrix"]["1"] == {"0": 0, "1": 12}
    assert (manifest["metrics"]["judged"], manifest["metrics"]["accuracy"]) == (24, 1.0)


def test_broken_constraints_are_told(monitored: Container, prepared: Container) -> None:
    """A column that is gone and one that came are violations of their kinds."""
    path = prepared.output / "rows/part-00000.parquet"
    pd.read_parquet(path).rename(columns={"temp": "heat"}).to_parquet(path)
    monitored.run("monitor", **DAY_2, **CHAMPION)
    found = json.loads((monitored.output / "constraint_violations.json").read_text())["violations"]
    assert {(v["feature_name"], v["constraint_check_type"]) for v in found} == {
        ("temp", "missing_column_check"),
        ("heat", "extra_column_check"),
    }


def test_a_damaged_baseline_is_refused(monitored: Container) -> None:
    """Without the champion's baseline nothing is compared."""
    (monitored.base / "processing/input/baseline/statistics.json").write_text("{")
    assert "run its transform again" in monitored.refuse("monitor", **DAY_2, **CHAMPION)


@pytest.mark.parametrize(
    ("known", "judged"),
    [
        ("9999-12-31T23:59:59.999999Z", 23),
        ("9999-12-30T23:59:59Z", 24),
        ("2500-01-01T12:00:00Z", 24),
        ("0001-01-01T00:00:00Z", 24),
        ("", 23),
    ],
)
def test_the_first_and_the_last_time_pass_through_every_step(
    cleaned: Callable[..., Path],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    known: str,
    judged: int,
) -> None:
    """A label that is still open is judged by nobody, one that will be known when it is; no step stumbles."""
    for day in (1, 2):
        first, *others = readings(day)
        cleaned(day, [first.replace(f"2020-01-{day:02d}T00:30:00Z", known), *others])
    job: Container = request.getfixturevalue("monitored")
    assert job.run("monitor", **DAY_2, **CHAMPION)["metrics"]["judged"] == judged
    assert "There is no profile" not in capsys.readouterr().out
