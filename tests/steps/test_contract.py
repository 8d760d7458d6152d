"""What a job is told, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.ml.exceptions import InvalidInput
from include.steps import contract

TOLD = {
    "cycle": "flights",
    "start": "2013-01-01T00:00:00+00:00",
    "end": "2013-02-01T01:00:00+01:00",
    "key": "ab",
}


def arguments(told: dict[str, str]) -> list[str]:
    """Values by name, as a job gets them."""
    return [text for name, value in told.items() for text in (f"--{name}", value)]


@pytest.mark.parametrize("before", [[], ["clean"], ["process", "clean"]])
def test_arguments_describe_the_step(before: list[str]) -> None:
    """Pairs of names and values become a step in UTC, whatever the entry point left before them."""
    step = contract.from_arguments(
        "clean", [*before, *arguments(TOLD | {"known-until": "now"})], Path("/base")
    )
    assert (step.cycle, step.key, step.parameters) == ("flights", "ab", {"known-until": "now"})
    assert (step.start, step.end) == (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))
    assert step.input("fetch") == Path("/base/processing/input/fetch")


def test_hyperparameters_describe_a_training_job(tmp_path: Path) -> None:
    """A training job reads its hyperparameters, and its places are those of a training job."""
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(TOLD | {"depth": "3"}))
    step = contract.from_hyperparameters("train", tmp_path)
    assert step.parameters == {"depth": "3"}
    assert (step.input("train"), step.output) == (tmp_path / "input/data/train", tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"start": "January"}, "--start 'January'"),
        ({"start": "2013-01-01T00:00:00"}, "--start '2013-01-01T00:00:00'"),
        ({"end": "2012-01-01T00:00:00+00:00"}, "to 2012-01-01T00:00:00"),
        ({"key": ""}, "told its key "),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, str], named: str) -> None:
    """A malformed time, an empty interval and a missing value are refused in words."""
    with pytest.raises(InvalidInput, match=named):
        contract.step_from("clean", TOLD | change, Path())


def test_classes_that_are_computed_are_counted_by_the_job(ice: Callable[[str], None], tmp_path: Path) -> None:
    """A task of two classes with three of them would be measured as another task."""
    ice("file:///nowhere.csv")
    path = tmp_path / "cycles/ice/features.py"
    path.write_text(path.read_text().replace('("0", "1")', "tuple(str(n) for n in range(3))"))
    step = contract.step_from("transform", TOLD | {"cycle": "ice"}, tmp_path)
    with pytest.raises(InvalidInput, match=r"Cycle ice: features\.py has 3 CLASSES for task='binary'"):
        step.module("features")


def test_an_argument_without_a_value_is_refused() -> None:
    """Arguments that are no pairs are refused rather than guessed at."""
    with pytest.raises(InvalidInput, match=r"\['--cycle'\]"):
        contract.from_arguments("clean", ["--cycle"], Path())


@pytest.mark.parametrize(("training", "name"), [(False, "message"), (True, "failure")])
def test_a_refusal_is_left_where_sagemaker_shows_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    training: bool,  # noqa: FBT001
) -> None:
    """The message stands in the file, cut to 1,024 bytes of whole characters, and ends the log."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        contract.refuse("x" + "é" * 1000, training=training)
    assert stopped.value.code == 1
    assert (tmp_path / "output" / name).read_text(encoding="utf-8") == "x" + "é" * 511
    assert capsys.readouterr().out == "x" + "é" * 1000 + "\n"


def test_a_missing_input_is_refused_by_name(tmp_path: Path) -> None:
    """A step says which of its inputs is not there."""
    step = contract.step_from("clean", TOLD, tmp_path)
    with pytest.raises(InvalidInput, match="'fetch' of step clean"):
        step.required("fetch")


def test_a_metric_line_can_be_read_by_metric_definitions() -> None:
    """Counts stay whole, fractions are short."""
    assert contract.metric_line({"rows_in": 842, "auc": 0.70412345}) == "rows_in=842 auc=0.704123"
