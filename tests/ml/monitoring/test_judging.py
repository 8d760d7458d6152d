"""Answers are judged by the labels of a moment, once each, against what was promised of the model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from include.core.documents.codec import narrow
from include.core.documents.model import Bounds
from include.core.documents.monitoring import SliceScore, WindowQuality
from include.ml.evaluation.operating import operating_metrics
from include.ml.evaluation.resampling import Sample
from include.ml.monitoring.judging import (
    Standard,
    cutoffs,
    judged_at,
    measured,
    once_each,
    quality_at,
    slice_scores,
)
from tests.examples import defined, not_none, width

START, END = datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC)
STANDARD = Standard(
    metric="roc_auc", classes=("0", "1"), matured_share=0.9, quality_drop=0.03, repetitions=200
)
REFERENCE = Bounds(0.8, 0.78, 0.82)


def window(rows: int, strength: float = 1.0, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers whose scores tell the truth the better the greater `strength`, and their labels."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, rows)
    score = 1 / (1 + np.exp(-(strength * (2 * truth - 1) + generator.normal(size=rows))))
    times = pd.date_range(START, END, periods=rows + 1)[:rows]
    ids = [f"e{i:05d}" for i in range(rows)]
    predictions = pd.DataFrame(
        {
            "event_id": ids,
            "event_time": times,
            "source": "batch",
            "label": np.where(score >= 0.5, "1", "0"),
            "score": score,
        }
    )
    known = times + pd.Timedelta(hours=2)
    labels = pd.DataFrame({"event_id": ids, "label": truth.astype(str), "known_time": known, "version": 0})
    return predictions, labels


def judge(
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    standard: Standard = STANDARD,
    reference: Bounds | None = REFERENCE,
) -> WindowQuality:
    """The quality at two days after the window's end."""
    cutoff = END + timedelta(days=2)
    return quality_at(predictions, labels, cutoff, standard=standard, reference=reference)


def test_an_entry_has_the_metric_of_scikit_learn() -> None:
    """Value, rows and coverage are those of the labelled events."""
    predictions, labels = window(600)
    found = judge(predictions, labels.iloc[:570])
    truth = labels["label"].iloc[:570].astype(int)
    assert found.value == pytest.approx(roc_auc_score(truth, predictions["score"].iloc[:570]))
    assert (found.judged, found.coverage, found.metric) == (570, 0.95, "roc_auc")
    assert defined(found.low) < defined(found.value) < defined(found.high)
    assert found.reference == REFERENCE
    assert found.cutoff == END + timedelta(days=2)


def test_a_weak_model_is_worse_only_by_enough_labels() -> None:
    """The same loss counts from the matured share on; until then what is missing may be the better part."""
    predictions, labels = window(2000, strength=0.2)
    assert judge(predictions, labels).is_worse
    assert not judge(predictions, labels.iloc[:1799]).is_worse
    assert judge(predictions, labels.iloc[:1800]).is_worse


@pytest.mark.parametrize(("strength", "least", "most"), [(0.8, 0, 1), (0.5, 95, 100)])
def test_a_window_alarms_for_a_loss_and_not_for_chance(strength: float, least: int, most: int) -> None:
    """Of a hundred windows of 500 rows: none while the model is as good as it was, most when it is not."""
    promised = measured(judged_at(*window(20_000, 0.8, seed=999), END + timedelta(days=1)), STANDARD).value
    reference = Bounds(promised, None, None)
    found = [judge(*window(500, strength, seed), reference=reference).is_worse for seed in range(100)]
    assert least <= sum(found) <= most


def test_a_loss_that_chance_explains_is_none() -> None:
    """With a few rows the upper bound reaches what was promised."""
    predictions, labels = window(60, strength=0.4, seed=5)
    found = judge(predictions, labels)
    assert defined(found.value) < 0.8 - STANDARD.quality_drop < defined(found.high)
    assert not found.is_worse


def test_the_drop_that_is_allowed_is_allowed() -> None:
    """A model surely below its evaluation, but by less than the rule's drop, is not worse."""
    predictions, labels = window(4000, strength=1.0)
    found = judge(predictions, labels)
    promised = Bounds(defined(found.high) + 0.02, None, None)
    assert not judge(predictions, labels, reference=promised).is_worse
    tight = replace(STANDARD, quality_drop=0.01)
    assert judge(predictions, labels, reference=promised, standard=tight).is_worse


def test_without_an_evaluation_nothing_is_worse() -> None:
    """A champion that was never evaluated is measured, not judged."""
    predictions, labels = window(500, strength=0.1)
    found = judge(predictions, labels, reference=None)
    assert (found.reference, found.is_worse) == (None, False)
    assert found.value is not None


@pytest.mark.parametrize("rows", [0, 1])
def test_what_is_undefined_is_null(rows: int) -> None:
    """Without rows, or with rows of one class, there is no ranking."""
    predictions, labels = window(rows)
    found = judge(predictions, labels)
    assert (found.value, found.low, found.high, found.is_worse) == (None, None, None, False)
    assert found.coverage == (1.0 if rows else None)


def test_accuracy_is_of_what_was_said() -> None:
    """The label counts, not the score: thresholds differ between models."""
    predictions, labels = window(300)
    truth = labels["label"].to_numpy(copy=True)
    truth[:30] = np.where(truth[:30] == "1", "0", "1")
    standard = replace(STANDARD, metric="accuracy")
    found = judge(predictions.assign(label=truth, score=0.5), labels, standard=standard)
    assert found.value == pytest.approx(0.9)


def test_multiclass_answers_are_judged_by_accuracy() -> None:
    """Any number of classes."""
    predictions, labels = window(3)
    three = replace(STANDARD, metric="accuracy", classes=("a", "b", "c"))
    answers = predictions.assign(label=["a", "b", "c"])
    assert judge(answers, labels.assign(label=["a", "b", "b"]), standard=three).value == pytest.approx(2 / 3)


def test_of_several_labels_the_last_known_counts() -> None:
    """A correction holds from when it was known, whatever the order of rows."""
    predictions, _ = window(2)
    labels = pd.DataFrame(
        {
            "event_id": ["e00000", "e00000", "e00001"],
            "label": ["1", "0", "1"],
            "known_time": pd.to_datetime([END + timedelta(days=1), START, END], utc=True),
            "version": [1, 0, 0],
        }
    )
    found = [judged_at(predictions, labels, END + timedelta(days=day)).truth.tolist() for day in (0, 1)]
    assert found == [["0", "1"], ["1", "1"]]


def test_each_event_is_judged_once_by_its_batch_answer() -> None:
    """Online answers stand in only where the batch has none."""
    predictions = pd.DataFrame(
        {"event_id": ["b", "a", "a"], "source": ["online", "online", "batch"], "score": [0.3, 0.2, 0.1]}
    )
    found = once_each(predictions)
    assert found[["event_id", "source", "score"]].to_numpy().tolist() == [
        ["a", "batch", 0.1],
        ["b", "online", 0.3],
    ]


def test_the_order_of_rows_changes_nothing() -> None:
    """Files may come in any order."""
    predictions, labels = window(300)
    shuffled = predictions.sample(frac=1, random_state=1), labels.sample(frac=1, random_state=2)
    assert judge(*shuffled) == judge(predictions, labels)


def test_blocks_that_share_a_cause_widen_the_interval() -> None:
    """When all rows of a day err together, a bootstrap of single rows promises too much."""
    predictions, labels = window(1400)
    bad_day = predictions["event_time"].dt.day_of_year % 2 == 0
    answers = predictions.assign(score=predictions["score"].where(~bad_day, 1 - predictions["score"]))
    judged = judged_at(answers, labels, END + timedelta(days=1))
    narrow = measured(judged, STANDARD)
    wide = measured(judged, replace(STANDARD, block=timedelta(days=1)))
    assert width(wide) > 2 * width(narrow)


def answering(late: float, rows: int = 2000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A window of a model that ranks well and answers yes to so large a share of the rows."""
    predictions, labels = window(rows, 2.0)
    limit = predictions["score"].quantile(1 - late)
    return predictions.assign(label=np.where(predictions["score"] >= limit, "1", "0")), labels


def promised(late: float) -> dict[str, Bounds]:
    """How the answers of such a model fared on its holdout."""
    predictions, labels = answering(late)
    truth = labels["label"].astype(int).to_numpy()
    measured = operating_metrics("binary", truth, predictions["label"].astype(int).to_numpy(), Sample(truth))
    return {name: narrow(Bounds, number) for name, number in measured.items()}


@pytest.mark.parametrize(
    ("late", "worse"), [(0.5, ()), (0.45, ()), (0.97, ("accuracy", "balanced_error", "share_gap"))]
)
def test_a_model_that_ranks_as_before_and_answers_worse_is_worse(late: float, worse: tuple[str, ...]) -> None:
    """The area is what it was; what clients are answered is not."""
    predictions, labels = answering(late)
    found = quality_at(
        predictions,
        labels,
        END + timedelta(days=2),
        standard=STANDARD,
        reference=REFERENCE,
        operating=promised(0.5),
    )
    assert (found.is_worse, found.worse) == (bool(worse), worse)
    assert set(found.losses) == set(worse)
    assert set(not_none(found.operating)) == set(promised(0.5))


def test_answers_are_not_judged_before_enough_labels_are_known() -> None:
    """What is missing may be what the model is good at."""
    predictions, labels = answering(0.97)
    few = labels.iloc[: len(labels) // 2]
    found = quality_at(predictions, few, END, standard=STANDARD, reference=REFERENCE, operating=promised(0.5))
    assert (found.is_worse, found.worse) == (False, ())


def test_a_record_without_operating_metrics_tells_of_its_metric() -> None:
    """As version 0.1.0 wrote it: what was worse was the metric."""
    found = replace(judge(*window(2000, strength=0.2)), worse=None)
    assert found.losses == {"roc_auc": (found, REFERENCE)}


def test_a_window_is_judged_again_where_labels_changed() -> None:
    """At its end always, and at later ends by which a label or a correction came."""
    ends = [END + timedelta(days=day) for day in range(5)]
    known = pd.Series(
        [START, END, END + timedelta(hours=1), END + timedelta(days=3), END + timedelta(days=30)]
    )
    assert cutoffs(known, ends) == [ends[0], ends[1], ends[3]]
    assert cutoffs(pd.Series([], dtype="datetime64[us, UTC]"), ends) == ends[:1]


def test_slices_come_worst_first_and_only_with_enough_rows() -> None:
    """Ninety-nine rows are too few, and a slice of one class has no ranking and comes last."""
    predictions, labels = window(1000)
    group = np.array(["good"] * 400 + ["bad"] * 401 + ["few"] * 99 + ["one"] * 100, dtype=object)
    score = np.where(group == "bad", 1 - predictions["score"], predictions["score"])
    truth = np.where(group == "one", "0", labels["label"])
    judged = predictions.assign(score=score, truth=truth)
    found = slice_scores(judged, {"kind": group}, STANDARD)
    assert [each.value for each in found] == ["bad", "good", "one"]
    assert [each.rows for each in found] == [401, 400, 100]
    assert defined(found[0].score) < 0.5 < defined(found[1].score)
    assert found[2] == SliceScore(
        column="kind", value="one", rows=100, metric="roc_auc", score=None, reason="one_class"
    )
