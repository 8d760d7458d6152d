"""The digits cycle runs on the shared machinery, by its own package alone."""

from __future__ import annotations

import itertools
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.cycles.digits import features, source
from include.cycles.digits.cleaning import with_times
from include.cycles.digits.cycle import CYCLE
from include.ml.exceptions import InvalidRow
from include.steps import evaluate, train
from include.steps.contract import Step
from include.steps.rows import read_rows
from include.steps.serving import inference
from tests.examples import not_none

START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC)


def images(start: datetime, end: datetime) -> pd.DataFrame:
    """All images of a period, as the source gives them."""
    return pd.concat(source.tables(start, end)["digits"])


def two_months() -> pd.DataFrame:
    """The first images, as transform gives them to training."""
    rows = with_times(images(START, datetime(2013, 3, 1, tzinfo=UTC)))
    pixels = {name: rows[name].to_numpy(dtype=float) for name in features.SIGNATURE}
    return rows.assign(**features.combine(pixels))


def step(name: str, base: Path) -> Step:
    """A step of the first month."""
    return Step(name=name, cycle="digits", start=START, end=END, key="ab" * 32, base=base)


def write(folder: Path, rows: pd.DataFrame) -> None:
    """One part of a training set."""
    folder.mkdir(parents=True)
    rows.to_parquet(folder / "part.parquet", index=False)


def test_every_image_is_written_once() -> None:
    """The months of the year hold every image once, about as many each."""
    months = [*pd.date_range(CYCLE.start, not_none(CYCLE.end), freq="MS")]
    parts = [images(a.to_pydatetime(), b.to_pydatetime()) for a, b in itertools.pairwise(months)]
    assert [*range(1797)] == pd.concat(parts)["image"].astype(int).tolist()
    assert min(map(len, parts)) > 130


def test_digits_are_learnt_and_told(tmp_path: Path) -> None:
    """The model tells most of the images after those it learnt from, alike through ONNX and scikit-learn.

    An image without one of its pixels is refused by the pixel's name.
    """
    rows = two_months()
    write(tmp_path / "input/data/train", rows[:200])
    write(tmp_path / "input/data/validation", rows[200:240])
    write(tmp_path / "processing/input/holdout", rows[240:])
    train.train(step("train", tmp_path))
    onnx, skops = (inference.read_model(tmp_path / "model", prefer_onnx=each) for each in (True, False))
    holdout = read_rows(tmp_path / "processing/input/holdout", features)
    expected = skops.probabilities(holdout.columns)
    assert (tmp_path / "model/model.onnx").exists()
    np.testing.assert_allclose(onnx.probabilities(holdout.columns), expected, atol=1e-5)
    assert (expected.argmax(axis=1) == holdout.labels).mean() > 0.8
    image = {name: values[:1].copy() for name, values in holdout.columns.items()}
    image["pixel_3_4"][0] = np.nan
    for model in (onnx, skops):
        with pytest.raises(InvalidRow, match="Row 1: column 'pixel_3_4' is missing"):
            model.probabilities(image)


def test_an_evaluation_of_ten_classes_is_whole(tmp_path: Path) -> None:
    """The verdict is about accuracy, and the registry's part is that of several classes."""
    rows = two_months()
    write(tmp_path / "input/data/train", rows[:200])
    write(tmp_path / "processing/input/train", rows[:200])
    write(tmp_path / "input/data/validation", rows[200:240])
    write(tmp_path / "processing/input/holdout", rows[240:])
    train.train(step("train", tmp_path))
    (tmp_path / "processing/input/challenger").mkdir()
    with tarfile.open(tmp_path / "processing/input/challenger/model.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "model", ".")
    told = evaluate.evaluate(step("evaluate", tmp_path))
    output = tmp_path / "processing/output"
    document = json.loads((output / "evaluation.json").read_text())
    verdict = json.loads((output / "verdict.json").read_text())
    assert verdict["metric"] == "accuracy"
    assert told["accuracy"] == document["multiclass_classification_metrics"]["accuracy"]["value"]
    matrix = document["multiclass_classification_metrics"]["confusion_matrix"]
    assert len(rows[240:]) == sum(sum(row.values()) for row in matrix.values())
