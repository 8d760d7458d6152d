"""The comparison of a replay, run as a container runs it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from include.core.documents.codec import to_json
from include.cycles.flights import features
from include.cycles.flights.cycle import CYCLE
from include.ml.monitoring.judging import Standard, measured
from include.steps.rows import to_columns
from include.steps.serving import inference
from tests.steps import model_side as side

ROWS = side.flights(400, seed=3)
#: so many of them have labels that were known by the end of the month
KNOWN = 300
MONTH = {
    "interval": [side.END, "2013-03-01T00:00:00+00:00"],
    "prepared": "2013-02-01_2013-03-01/k",
    "champion": "2013-01-01_2013-02-01/k/job/output/model.tar.gz",
    "version": "flights/1",
}
REPLAY_INPUT = {
    "months": [MONTH],
    "frozen": MONTH["champion"],
    "decisions": [
        {"interval": [side.START, side.END], "version": "flights/1", "promoted": True, "reasons": ["<good>"]}
    ],
    "seconds": {"wall_s": 12.5, "steps": [{"step": "training: train", "tasks": 2, "seconds": 9.0}]},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained model."""
    base = tmp_path_factory.mktemp("train")
    code, log = side.train(base, side.flights(1200), side.flights(300, seed=1))
    assert code == 0, log
    return base / "model"


def compare(base: Path, given: dict[str, Any], model: Path | None) -> tuple[int, str]:
    """Run the job over one month, of whose labels the last hundred are not known yet."""
    inputs = base / "processing/input"
    prepared = inputs / "prepared" / str(MONTH["prepared"])
    side.write_part(prepared / "rows", ROWS)
    labels = ROWS.assign(label=ROWS["is_late"].astype(int).astype(str))[["event_id", "known_time", "label"]]
    # the month ends before the last hundred are known, although the data holds them already
    labels.loc[labels.index >= KNOWN, "known_time"] = pd.Timestamp("2013-03-02", tz="UTC")
    (prepared / "labels").mkdir()
    labels.to_parquet(prepared / "labels/labels.parquet", index=False)
    (inputs / "replay_input").mkdir()
    (inputs / "replay_input/replay_input.json").write_text(json.dumps(given))
    archive = inputs / "models" / str(MONTH["champion"])
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        if model:
            tar.add(model, ".")
    side.write_code(inputs / "code")
    told = ("--cycle", "flights", "--start", side.START, "--end", side.END, "--key", side.KEY)
    return side.run(base, "process", "compare", *told)


@pytest.fixture(scope="module")
def output(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the job wrote."""
    base = tmp_path_factory.mktemp("compare")
    code, log = compare(base, REPLAY_INPUT, model)
    assert code == 0, log
    return base / "processing/output"


def test_models_are_judged_on_the_rows_with_known_labels(output: Path, model: Path) -> None:
    """The champion's figure is what scikit-learn says of its scores on those rows."""
    known: pd.DataFrame = ROWS.iloc[:KNOWN]
    scores = inference.read_model(model).probabilities(to_columns(known, features.SIGNATURE))[:, 1]
    (month,) = json.loads((output / "replay.json").read_text())["months"]
    assert month["rows"] == KNOWN
    assert month["models"]["champion"]["value"] == pytest.approx(roc_auc_score(known["is_late"], scores))
    assert month["models"]["frozen"] == month["models"]["champion"]
    assert month["models"]["constant"]["value"] == 0.5


def test_an_interval_of_the_replay_is_the_one_of_monitoring(output: Path, model: Path) -> None:
    """Both draw the cycle's blocks: the same rows by the same model have the same interval."""
    known = ROWS.iloc[:KNOWN].sort_values("event_id", ignore_index=True)
    read = inference.read_model(model)
    labels, scores = read.label(read.probabilities(to_columns(known, features.SIGNATURE)))
    truth = known["is_late"].astype(int).astype(str)
    standard = Standard(
        metric="roc_auc",
        classes=features.CLASSES,
        matured_share=0.9,
        quality_drop=0.0,
        block=CYCLE.promotion.block,
    )
    window = measured(known.assign(label=labels, score=scores, truth=truth), standard)
    (month,) = json.loads((output / "replay.json").read_text())["months"]
    assert CYCLE.promotion.block is not None
    assert month["models"]["champion"] == to_json(window)


def test_an_interval_without_a_known_label_is_undefined(tmp_path: Path, model: Path) -> None:
    """The others are compared all the same, and the page says so."""
    given = {
        **REPLAY_INPUT,
        "months": [{**MONTH, "interval": ["2012-11-01T00:00:00+00:00", "2012-12-01T00:00:00+00:00"]}],
    }
    code, log = compare(tmp_path, given, model)
    assert code == 0, log
    (month,) = json.loads((tmp_path / "processing/output/replay.json").read_text())["months"]
    assert (month["rows"], month["models"]["champion"]["value"]) == (0, None)
    assert month["models"]["champion"]["reason"] == "empty"
    assert "undefined in every interval" in (tmp_path / "processing/output/replay.html").read_text()


def test_the_page_tells_of_the_replay(output: Path) -> None:
    """Versions, outcomes and reasons are on it as text, with two plots."""
    page = (output / "replay.html").read_text()
    assert page.count("<svg") == 2
    for text in ("flights/1", "promoted", "&lt;good&gt;", "training: train", "12.5"):
        assert text in page


def test_an_input_without_months_is_refused(tmp_path: Path, model: Path) -> None:
    """Nothing to compare is told as such, and no report is left."""
    code, log = compare(tmp_path, {**REPLAY_INPUT, "months": []}, model)
    assert code == 1
    assert "nothing to compare" in log.splitlines()[-1]
    assert not (tmp_path / "processing/output/manifest.json").exists()


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    """A model without its manifest is never loaded."""
    code, log = compare(tmp_path, REPLAY_INPUT, None)
    assert code == 1
    assert "manifest.json" in log.splitlines()[-1]
