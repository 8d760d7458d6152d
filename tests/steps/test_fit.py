"""The pipeline is fitted as its cycle says: by itself, or by the cycle's own `fit` with validation rows."""
# ruff: noqa: ANN401 - estimators have no types

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from include.cycles.flights import features as flights
from include.ml.exceptions import InvalidInput
from include.steps import train
from include.steps.contract import Step, parse_time
from include.steps.rows import Rows, read_rows
from tests.steps import model_side as side

NUMBERS = [name for name, kind in flights.SIGNATURE.items() if kind == "number"]
MOST = 300


def rows_of(folder: Path, frame: pd.DataFrame, features: Any = flights) -> Rows:
    """Rows as a training job reads them."""
    side.write_part(folder, frame)
    return read_rows(folder, features, may_be_empty=True)


def step(**parameters: str) -> Step:
    """A training of the flights cycle."""
    start, end = parse_time("start", side.START), parse_time("end", side.END)
    return Step(name="train", cycle="flights", start=start, end=end, key=side.KEY, parameters=parameters)


def pipeline(_: Any) -> Pipeline:
    """Trees that go on until they are told to stop."""
    trees = HistGradientBoostingClassifier(max_iter=MOST, learning_rate=0.3, random_state=0)
    trees.set_params(early_stopping=False)
    return Pipeline([("numbers", ColumnTransformer([("n", "passthrough", NUMBERS)])), ("trees", trees)])


def estimator(**offers: Any) -> ModuleType:
    """An estimator.py."""
    return cast("ModuleType", SimpleNamespace(**({"pipeline": pipeline} | offers)))


class Recorder:
    """A cycle's own `fit`, which keeps what it is given: out of fold first, and at last for the model."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    @property
    def given(self) -> tuple[Any, ...]:
        """What the model is fitted on."""
        return self.calls[-1]

    def __call__(self, model: Pipeline, *data: Any) -> Pipeline:
        """Fit on the training rows alone."""
        self.calls.append(data)
        return model.fit(*data[:2])


def stop_early(
    model: Pipeline,
    rows: pd.DataFrame,
    labels: np.ndarray,
    validation_rows: pd.DataFrame,
    validation_labels: np.ndarray,
) -> Pipeline:
    """Fit until the validation rows get no better."""
    numbers, trees = model[:-1].fit(rows), model[-1].set_params(early_stopping=True, n_iter_no_change=5)
    kept = {"X_val": numbers.transform(validation_rows), "y_val": validation_labels}
    trees.fit(numbers.transform(rows), labels, **kept)
    return model


def test_a_cycles_own_fit_gets_the_validation_rows(tmp_path: Path) -> None:
    """All of them as the estimator takes rows, in their order, and nothing else."""
    validation = side.flights(200, seed=1)
    validation.loc[3, "temp_f"] = None
    fit = Recorder()
    trained = rows_of(tmp_path / "a", side.flights(400))
    fitted = train.fit(step(), flights, estimator(fit=fit), trained, rows_of(tmp_path / "b", validation))
    rows, labels, validation_rows, validation_labels = fit.given
    assert (len(rows), len(validation_rows)) == (400, 200)
    assert list(validation_rows) == list(rows) == [*fitted.signature.numbers, *fitted.signature.strings]
    np.testing.assert_array_equal(validation_rows["temp_f"], validation["temp_f"].astype("float32"))
    assert validation_rows["carrier"].tolist() == validation["carrier"].tolist()
    assert validation_labels.tolist() == validation["is_late"].astype(int).tolist()
    assert labels.tolist() == trained.labels.tolist()
    # the threshold is chosen by models that are fitted alike
    assert len(fit.calls) > 1
    assert all(call[2].equals(validation_rows) and len(call[0]) < 400 for call in fit.calls[:-1])


def test_early_stopping_stops_where_the_validation_rows_say(tmp_path: Path) -> None:
    """Long before the end, and elsewhere if their labels are others."""
    trained = rows_of(tmp_path / "a", side.flights(1500))
    validation = side.flights(500, seed=1)
    mixed = validation.assign(is_late=validation["is_late"].to_numpy()[::-1])
    counts = [
        train.fit(step(), flights, estimator(fit=stop_early), trained, rows_of(tmp_path / name, frame))
        .pipeline[-1]
        .n_iter_
        for name, frame in (("b", validation), ("c", mixed))
    ]
    plain = train.fit(step(), flights, estimator(), trained, rows_of(tmp_path / "d", validation))
    assert plain.pipeline[-1].n_iter_ == MOST
    assert counts[1] < counts[0] < MOST


def test_a_class_that_training_has_not_met_is_no_validation_row(tmp_path: Path) -> None:
    """Labels count the classes that training met, from 0 on."""
    several = SimpleNamespace(**{name: getattr(flights, name) for name in vars(flights) if name[0] != "_"})
    several.CLASSES = ("0", "1", "2")
    fit = Recorder()
    met = side.flights(300)
    trained = rows_of(tmp_path / "a", met.assign(is_late=met["is_late"] + 1), several)
    later = side.flights(90, seed=1).assign(is_late=np.tile([0.0, 1.0, 2.0], 30))
    module = cast("ModuleType", several)
    fitted = train.fit(step(), module, estimator(fit=fit), trained, rows_of(tmp_path / "b", later, several))
    assert fitted.signature.classes == ("1", "2")
    assert fit.given[3].tolist() == [0, 1] * 30
    assert fit.given[2].index.tolist() == list(range(60))


def test_no_validation_rows_are_an_empty_table(tmp_path: Path) -> None:
    """With the same columns: the cycle decides what to do then."""
    fit = Recorder()
    nothing = rows_of(tmp_path / "b", side.flights(10).head(0))
    train.fit(step(), flights, estimator(fit=fit), rows_of(tmp_path / "a", side.flights(300)), nothing)
    assert (len(fit.given[2]), len(fit.given[3]), list(fit.given[2])) == (0, 0, list(fit.given[0]))


def test_a_fit_that_returns_nothing_is_told(tmp_path: Path) -> None:
    """By the name of the file, before anything is written."""
    rows = rows_of(tmp_path / "a", side.flights(300))
    with pytest.raises(InvalidInput, match=r"estimator.py of flights: what was fitted is NoneType"):
        train.fit(step(), flights, estimator(fit=lambda *_: None), rows, rows)
