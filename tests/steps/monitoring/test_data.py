"""monitor's evidence: what has drifted, what is broken, and what that means for retraining."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.core.documents.model import Histogram, MonitoringBaseline
from include.ml.monitoring.constraints import suggest_constraints
from include.ml.monitoring.summaries import histogram, quantile_edges
from include.steps.tables import RowSample, read_batches, write_table
from tests.examples import evaluation
from tests.ml.monitoring.frames import describe_frames
from tests.steps.container import DAY, Container, Containers

ROWS = 1500
IMPORTANCE = {"temp": 0.2, "station": 0.1, "country": -0.01}


def readings(seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Rows of the cycle "ice" as prepare writes them."""
    generator = np.random.default_rng(seed)
    temp = generator.normal(shift, 5, ROWS)
    return pd.DataFrame(
        {
            "event_id": [f"e{place}" for place in range(ROWS)],
            "event_time": pd.date_range(DAY[0], periods=ROWS, freq="57s").as_unit("us"),
            "station": generator.choice(["north", "south"], ROWS),
            "country": "US",
            "temp": temp,
            "is_cold": (temp < 0).astype(float),
        }
    )


@pytest.fixture
def watch(
    ice: Callable[[str], None], container: Containers, tmp_path: Path
) -> Callable[[pd.DataFrame], dict[str, Any]]:
    """Watches a window's rows against a baseline without shift; evidence.json."""
    ice("file:///nowhere.csv")

    def run(rows: pd.DataFrame, private: str = "") -> dict[str, Any]:
        if private:
            make_private(tmp_path / "cycles/ice/cycle.py", private)
        job = container("monitor")
        write_baseline(job.base / "processing/input", readings(0), [private] if private else [])
        write_window(job.base / "processing/input", rows)
        job.run(
            "monitor", champion_version="arn:1", champion_data_end=DAY[0], champion_evaluation_uri="s3://e/"
        )
        return dict(json.loads((job.output / "evidence.json").read_text()))

    return run


def make_private(path: Path, column: str) -> None:
    """Declare a column of the cycle private."""
    imported = "from include.core.monitoring import Monitoring\n"
    rule = f'metric="roc_auc", monitoring=Monitoring(private=("{column}",)),'
    path.write_text(imported + path.read_text().replace('metric="roc_auc",', rule))


def write_baseline(inputs: Path, rows: pd.DataFrame, private: list[str]) -> None:
    """What the champion's transform and evaluate left."""
    statistics = describe_frames([rows.drop(columns=["event_id", "event_time"])], private)
    left = MonitoringBaseline(
        version=1,
        rows=ROWS,
        importance=IMPORTANCE,
        predictions=predictions(np.linspace(0, 1, ROWS)),
        calibration=None,
    )
    write(inputs / "baseline/statistics.json", statistics)
    write(inputs / "baseline/constraints.json", suggest_constraints(statistics))
    write(inputs / "evaluated/monitoring.json", left.as_json())
    write(inputs / "evaluated/evaluation.json", evaluation(0.6, 0.4, 0.8).as_json())
    write_table(inputs / "evaluated/reference.parquet", rows.drop(columns=["event_id", *private]))


def predictions(scores: np.ndarray) -> Histogram:
    """The scores' distribution as evaluate describes it."""
    edges = quantile_edges(scores)
    counts = histogram(scores, edges).tolist()
    return Histogram(kind="number", edges=tuple(edges.tolist()), counts=tuple(counts), design_effect=1.0)


def write_window(inputs: Path, rows: pd.DataFrame) -> None:
    """What prepare and collect left of the window: scores spread evenly, and no label yet."""
    write_table(inputs / "prepared/rows/part-00000.parquet", rows)
    write(inputs / "prepared/manifest.json", {})
    answers = rows[["event_id", "event_time"]].assign(
        source="batch", label="0", score=np.linspace(0, 1, len(rows)), model="m"
    )
    write_table(inputs / "collected/predictions.parquet", answers)
    labels = answers[["event_id", "label"]].assign(known_time=answers["event_time"], version=0)
    write_table(inputs / "collected/labels.parquet", labels.iloc[:0])


def write(path: Path, content: object) -> None:
    """One JSON file of an input."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_a_window_like_the_baseline_is_quiet(watch: Callable[..., dict[str, Any]]) -> None:
    """Nothing has drifted, nothing is broken, and nobody is told otherwise."""
    found = watch(readings(1))
    assert found["alarm"] == {"is_alarm": False, "reasons": [], "held_back": None}
    assert (found["rows"], found["broken"], found["predictions"]["is_drifted"]) == (ROWS, [], False)
    assert not any(each["is_drifted"] for each in found["features"])
    assert found["separability"]["low"] < 0.55
    assert found["champion"] == {"version": "arn:1", "data_end": DAY[0], "evaluation_uri": "s3://e/"}


def test_drift_of_what_matters_alarms(watch: Callable[..., dict[str, Any]]) -> None:
    """An important column's shift alarms; a combined attribute's has no importance of its own."""
    found = watch(readings(1, shift=5.0))
    assert found["alarm"]["is_alarm"]
    assert found["alarm"]["reasons"][0] == "temp has drifted: 67% of the model's importance"
    assert found["features"][0]["name"] == "temp"
    combined = next(each for each in found["features"] if each["name"] == "is_cold")
    assert (combined["is_drifted"], combined["importance"]) == (True, None)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (lambda rows: rows.drop(columns="station"), "missing_column_check"),
        (lambda rows: rows.assign(station=1.0), "data_type_check"),
        (lambda rows: rows.assign(station=rows["station"].where(rows.index > 300)), "completeness_check"),
    ],
)
def test_a_broken_column_alerts_and_never_retrains(
    watch: Callable[..., dict[str, Any]], broken: Callable[[pd.DataFrame], pd.DataFrame], check: str
) -> None:
    """The fault is told and counts as no drift; drift of another column is told and held back."""
    found = watch(broken(readings(1, shift=5.0)))
    assert [(each["feature"], each["check"]) for each in found["broken"]] == [("station", check)]
    assert "station" not in {each["name"] for each in found["features"]}
    assert not found["alarm"]["is_alarm"]
    assert "station" in found["alarm"]["held_back"]
    assert found["alarm"]["reasons"]


def test_a_column_that_came_is_told_and_holds_nothing_back(watch: Callable[..., dict[str, Any]]) -> None:
    """No model reads it."""
    found = watch(readings(1, shift=5.0).assign(wind=1.0))
    assert [each["check"] for each in found["broken"]] == ["extra_column_check"]
    assert found["alarm"]["is_alarm"]


def test_a_window_without_rows_is_broken(watch: Callable[..., dict[str, Any]]) -> None:
    """An empty window alerts; it says nothing about any feature."""
    found = watch(readings(1).iloc[:0])
    assert [each["check"] for each in found["broken"]] == ["empty_window_check"]
    assert (found["rows"], found["features"], found["alarm"]["is_alarm"]) == (0, [], False)


def test_few_rows_alarm_nobody(watch: Callable[..., dict[str, Any]]) -> None:
    """Below the minimum nothing is compared."""
    found = watch(readings(1, shift=5.0).iloc[:400])
    assert (found["features"], found["separability"], found["alarm"]["is_alarm"]) == ([], None, False)


def test_a_private_column_is_in_no_file(watch: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Of a private column only type and counts are written."""
    found = watch(readings(1), private="station")
    assert "station" not in {each["name"] for each in found["features"]}
    output = tmp_path / "jobs/monitor/processing/output"
    for name in ("evidence", "statistics", "constraints", "constraint_violations", "distributions"):
        text = (output / f"{name}.json").read_text()
        assert "north" not in text
        assert "south" not in text


def test_both_sides_are_counted_in_common_buckets(
    watch: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Shares of each side add up to one, with those beyond the baseline's range at both ends."""
    watch(readings(1, shift=40.0))
    path = tmp_path / "jobs/monitor/processing/output/distributions.json"
    temp = next(each for each in json.loads(path.read_text())["features"] if each["name"] == "temp")
    assert len(temp["baseline"]) == len(temp["current"]) == len(temp["edges"]) + 1
    assert (sum(temp["baseline"]), sum(temp["current"])) == (pytest.approx(1), pytest.approx(1))
    assert temp["current"][-1] > 0.9


def test_a_sample_does_not_depend_on_batches(tmp_path: Path) -> None:
    """The same rows are drawn from one file or from its pieces."""
    rows = readings(1)
    write_table(tmp_path / "all.parquet", rows)
    for place in range(3):
        write_table(tmp_path / f"part-{place}.parquet", rows.iloc[place * 500 : (place + 1) * 500])
    whole, parts = RowSample(ROWS, 100), RowSample(ROWS, 100)
    for batch in read_batches(tmp_path / "all.parquet"):
        whole.add(batch)
    for path in sorted(tmp_path.glob("part-*.parquet")):
        for batch in read_batches(path):
            parts.add(batch)
    pd.testing.assert_frame_equal(whole.frame(), parts.frame())
    assert len(whole.frame()) == 100


def test_the_job_says_what_it_found(container: Containers, watch: Callable[..., dict[str, Any]]) -> None:
    """The manifest's metrics hold the number of features that drifted, and the alarm."""
    watch(readings(1, shift=5.0))
    made: Container = container("monitor")
    metrics = json.loads((made.output / "manifest.json").read_text())["metrics"]
    assert (metrics["drifted_features"], metrics["broken_features"], metrics["alarm"]) == (2, 0, 1)
