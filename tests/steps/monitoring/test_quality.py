"""watch_quality: what a window's answers were worth, by labels, by group, and by the scores alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.core.documents.codec import to_json
from include.core.documents.model import Calibration, Histogram, MonitoringBaseline
from include.core.monitoring import Facet, Monitoring
from include.ml.exceptions import InvalidInput
from include.ml.monitoring.estimation import calibration_map
from include.steps.contract import Step
from include.steps.monitoring.quality import monitor_quality
from tests.examples import evaluation

START, END = datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 3, tzinfo=UTC)
ROWS = 400
OWN = {"value": 0.8, "low": 0.75, "high": 0.85}


@cache
def promised() -> Calibration:
    """The calibration of the window's answers, which takes seconds: the same for every test."""
    truth, score, _ = answers()
    return calibration_map(truth == 1, score)


def answers() -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Every event's class, its score, and what the rest is drawn from."""
    generator = np.random.default_rng(0)
    truth, noise = generator.integers(0, 2, ROWS), generator.normal(size=ROWS)
    return truth, 1 / (1 + np.exp(-(1.5 * (2 * truth - 1) + noise))), generator


class Window:
    """The inputs of a window's job; tables are changed before they are written."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.step = Step(name="monitor", cycle="ice", start=START, end=END, key="ab" * 32, base=base)
        self._monkeypatch = monkeypatch
        truth, score, generator = answers()
        ids = [f"e{i:03d}" for i in range(ROWS)]
        times = pd.date_range(START, END, periods=ROWS + 1)[:ROWS].as_unit("us")
        self.rows = pd.DataFrame(
            {
                "event_id": ids,
                "event_time": times,
                "station": np.where(generator.random(ROWS) < 0.5, "A", "B"),
                "temp": np.where(np.arange(ROWS) % 10 == 0, np.nan, np.arange(ROWS) % 2),
            }
        )
        said = np.where(score >= 0.5, "1", "0")
        self.predictions = pd.DataFrame(
            {"event_id": ids, "event_time": times, "source": "batch", "label": said, "score": score}
        ).assign(model="s3://model")
        self.labels = pd.DataFrame({"event_id": ids, "label": truth.astype(str), "version": 0}).assign(
            known_time=times + pd.Timedelta(minutes=30)
        )
        self.evaluated: dict[str, Any] = {
            "evaluation.json": evaluation(*OWN.values()).as_json(),
            "monitoring.json": MonitoringBaseline(
                version=1,
                rows=ROWS,
                importance={},
                predictions=Histogram(kind="number", edges=(), counts=()),
                calibration=promised(),
            ).as_json(),
        }

    def rules(self, **told: Any) -> None:  # noqa: ANN401 - any rule of monitoring
        """Give the cycle other rules of monitoring."""
        module = self.step.module("cycle")
        self._monkeypatch.setattr(module, "CYCLE", replace(module.CYCLE, monitoring=Monitoring(**told)))

    def watch(self) -> dict[str, Any]:
        """What the job finds."""
        collected, evaluated = self.step.input("collected"), self.step.input("evaluated")
        for folder in (collected, evaluated, self.step.input("prepared") / "rows"):
            folder.mkdir(parents=True, exist_ok=True)
        self.rows.to_parquet(self.step.input("prepared") / "rows/part-00000.parquet", index=False)
        self.predictions.to_parquet(collected / "predictions.parquet", index=False)
        self.labels.to_parquet(collected / "labels.parquet", index=False)
        for name, content in self.evaluated.items():
            (evaluated / name).write_text(json.dumps(content))
        evidence, metrics = monitor_quality(self.step)
        found = {**to_json(evidence), "metrics": metrics}
        json.dumps(found, allow_nan=False)
        return found


@pytest.fixture
def window(ice: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Window:
    """A window of the cycle "ice" with labels for every event."""
    ice("file:///nowhere.csv")
    return Window(tmp_path / "job", monkeypatch)


def test_a_window_is_judged_at_its_end_and_where_labels_changed(window: Window) -> None:
    """The last events' labels come on the next day, a correction two days later, nothing between."""
    late = window.labels.iloc[[0]].assign(label="0", version=1, known_time=END + timedelta(days=2, hours=1))
    window.labels = pd.concat([window.labels, late.astype(window.labels.dtypes)])
    found = window.watch()["quality"]
    assert [each["cutoff"][:10] for each in found] == ["2020-01-03", "2020-01-04", "2020-01-06"]
    assert [each["judged"] for each in found] == [392, 400, 400]
    assert found[0]["reference"] == OWN
    assert not any(each["is_worse"] for each in found)


def test_a_model_that_has_become_worse_is_told(window: Window) -> None:
    """Scores without meaning are surely below what the evaluation promised."""
    window.predictions["score"] = np.random.default_rng(1).random(ROWS)
    assert [each["is_worse"] for each in window.watch()["quality"]] == [True, True]


def test_blocks_of_the_cycle_are_used(window: Window) -> None:
    """With a whole day as one block there is nothing to vary with, and so no interval and no verdict."""
    module: Any = window.step.module("cycle")
    promotion = replace(module.CYCLE.promotion, block=timedelta(days=2))
    module.CYCLE = replace(module.CYCLE, promotion=promotion)
    window.predictions["score"] = np.random.default_rng(1).random(ROWS)
    (found, _) = window.watch()["quality"]
    assert (found["low"], found["high"], found["is_worse"]) == (None, None, False)


def test_online_answers_are_reported_beside(window: Window) -> None:
    """Events are judged by the batch; what was said online of some of them has entries of its own."""
    online = window.predictions.iloc[:50].assign(source="online", score=0.5)
    window.predictions = pd.concat([window.predictions, online])
    found = window.watch()
    assert [each["judged"] for each in found["quality"]] == [392, 400]
    assert [each["value"] for each in found["online"]] == [0.5, 0.5]
    assert found["metrics"]["scored"] == ROWS


def test_where_there_is_no_batch_online_answers_are_judged(window: Window) -> None:
    """A cycle that is only asked online is judged all the same, once."""
    window.predictions = window.predictions.assign(source="online")
    found = window.watch()
    assert found["online"] == []
    assert found["quality"][0]["judged"] == 392


def test_the_estimate_is_of_all_answers_and_needs_no_label(window: Window) -> None:
    """It is named an estimate by its method, and near what the labels will tell."""
    window.labels = window.labels.iloc[:0]
    found = window.watch()
    assert (found["estimate"]["method"], found["estimate"]["rows"]) == ("confidence", ROWS)
    assert found["estimate"]["value"] == pytest.approx(0.97, abs=0.03)
    assert found["quality"][0]["value"] is None
    assert found["metrics"] == {"scored": ROWS, "judged": 0}


def test_an_older_evaluation_gives_no_estimate(window: Window) -> None:
    """A champion that was evaluated before there were calibrations is judged by labels alone."""
    del window.evaluated["monitoring.json"]
    assert window.watch()["estimate"] is None


def test_slices_of_enough_rows_come_worst_first(window: Window) -> None:
    """One station's answers are worse."""
    bad = (window.rows["station"] == "B").to_numpy()
    window.predictions.loc[bad, "score"] = 1 - window.predictions.loc[bad, "score"]
    found = window.watch()["slices"]
    assert [each["value"] for each in found] == ["B", "A"]
    assert found[0]["rows"] == int(bad.sum())


def test_private_columns_have_no_slices(window: Window) -> None:
    """Their values appear in no report."""
    window.rules(private=("station",))
    assert window.watch()["slices"] == []


def test_each_facet_has_its_bias_metrics(window: Window) -> None:
    """A number is met by its digits; an event without a value belongs to neither side."""
    window.rules(facets=(Facet(column="temp", values=("1",)), Facet(column="station", values=("B",))))
    found = window.watch()["bias"]
    facets = {each["facet"]["column"]: each for each in found if each["metric"] == "CI"}
    assert facets["temp"]["facet"] == {"column": "temp", "values": ["1"]}
    assert facets["temp"]["value"] == pytest.approx((160 - 200) / 360)
    assert facets["station"]["value"] == pytest.approx(1 - 2 * (window.rows["station"] == "B").mean())
    assert len(found) == 2 * 17


def test_an_empty_facet_is_null_and_a_lacking_column_too(window: Window) -> None:
    """Nobody was there, or the column was not: the job goes on."""
    window.rules(facets=(Facet(column="station", values=("Z",)), Facet(column="gone", values=("1",))))
    assert {each["value"] for each in window.watch()["bias"]} == {None}


def test_answers_that_are_no_class_are_refused(window: Window) -> None:
    """The message quotes them."""
    window.predictions.loc[0, "label"] = "9"
    with pytest.raises(InvalidInput, match=r"\['9'\]"):
        window.watch()


def test_an_evaluation_without_the_metric_is_refused(window: Window) -> None:
    """Nothing is judged by a promise that was not made."""
    window.evaluated["evaluation.json"]["models"] = {}
    with pytest.raises(InvalidInput, match="roc_auc"):
        window.watch()


def test_a_damaged_evaluation_is_refused(window: Window) -> None:
    """The message names the file and the step that writes it."""
    window.watch()
    (window.step.input("evaluated") / "evaluation.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"evaluation\.json .* evaluate"):
        monitor_quality(window.step)
