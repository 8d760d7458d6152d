"""The direction of a metric comes from its record: turned round there, every judgement turns round."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from include.core.documents.model import Bounds
from include.core.tasks import METRICS
from include.ml.evaluation import comparison, metrics
from include.ml.evaluation.comparison import Answers, BootstrapPlan, Holdout, gains, slice_gains
from include.ml.monitoring import judging
from include.ml.monitoring.judging import Standard
from include.ml.reports import replays
from tests.examples import defined

PLAN = BootstrapPlan(repetitions=200)
ROWS = 600
GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 2, ROWS)
HOLDOUT = Holdout(LABELS, np.arange(ROWS))
GROUPS = {"half": np.where(np.arange(ROWS) < ROWS // 2, "first", "second")}
DECIDING = ("roc_auc", "average_precision", "accuracy", "log_loss")


def answers(strength: float, seed: int) -> Answers:
    """Answers that tell the truth the better the greater `strength`, and better in the first half."""
    drawn = np.random.default_rng(seed).normal(size=ROWS)
    sharp = np.where(GROUPS["half"] == "first", 1.5, 0.5) * strength
    scores = 1 / (1 + np.exp(-(sharp * (2 * LABELS - 1) + drawn)))
    return Answers(np.column_stack([1 - scores, scores]))


GOOD, POOR = answers(1.5, 1), answers(0.3, 2)


@pytest.fixture
def flip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every metric's direction is the other one."""
    turned = {
        name: replace(each, is_higher_better=not each.is_higher_better) for name, each in METRICS.items()
    }
    for module in (comparison, metrics, judging, replays):
        monkeypatch.setattr(module, "METRICS", turned)


def judged(model: Answers) -> pd.DataFrame:
    """The answers with the truth, as a window has them."""
    score = model.probabilities[:, 1]
    return pd.DataFrame(
        {
            "event_id": [f"e{row:04d}" for row in range(ROWS)],
            "event_time": pd.date_range("2013-02-01", periods=ROWS, freq="h", tz="UTC"),
            "label": np.where(score >= model.threshold, "1", "0"),
            "score": score,
            "truth": LABELS.astype(str),
        }
    )


def standard(metric: str) -> Standard:
    """How a window is judged by a metric."""
    return Standard(metric=metric, classes=("0", "1"), matured_share=0.9, quality_drop=0.03, repetitions=200)


def is_worse(metric: str, model: Answers, reference: Bounds) -> bool:
    """Whether a window with all labels is judged worse than the reference."""
    rows = judged(model)
    known = datetime(2013, 3, 1, tzinfo=UTC)
    labels = pd.DataFrame({"event_id": rows["event_id"], "label": rows.pop("truth"), "known_time": known})
    end = known + timedelta(days=1)
    return judging.quality_at(
        rows, labels.assign(version=0), end, standard=standard(metric), reference=reference
    ).is_worse


def decisions(metric: str) -> dict[str, float]:
    """Every judgement between the good and the poor model; positive where the good one wins."""
    gain = gains(metric, HOLDOUT, GOOD, {"poor": POOR}, PLAN)["poor"]
    slices = slice_gains(
        metric, HOLDOUT, challenger=GOOD, champion=POOR, groups=GROUPS, floor=lambda _: 0.0, plan=PLAN
    )
    good, poor = (judging.measured(judged(model), standard(metric)) for model in (GOOD, POOR))
    importance = metrics.permutation_importance(
        lambda columns: np.column_stack([1 - columns["score"], columns["score"]]),
        {"score": GOOD.probabilities[:, 1]},
        LABELS,
        metric,
    )
    scores = judging.slice_scores(judged(GOOD), GROUPS, standard(metric))
    return {
        "gain": defined(gain.value),
        "gain is sure": min(defined(gain.low), defined(gain.high), key=abs),
        "slices": sum(defined(each.gain.value) for each in slices),
        "slices under their floor": 0.5 - sum(each.is_under_floor for each in slices),
        "a poor window is worse": is_worse(metric, POOR, good) - 0.5,
        "a good window is not": 0.5 - is_worse(metric, GOOD, poor),
        "importance": defined(importance["score"]),
        "the worst slice comes first": 1 if scores[0].value == "second" else -1,
    }


@pytest.mark.parametrize("metric", DECIDING)
def test_the_better_model_wins_every_judgement(metric: str) -> None:
    """Whichever way the metric points."""
    assert {name for name, value in decisions(metric).items() if value <= 0} == set()


@pytest.mark.parametrize("metric", DECIDING)
@pytest.mark.usefixtures("flip")
def test_a_flipped_direction_flips_every_judgement(metric: str) -> None:
    """Nothing but the record says which way is better."""
    assert {name for name, value in decisions(metric).items() if value > 0} == set()


def test_a_loss_above_one_keeps_its_interval() -> None:
    """A window's loss is a loss, not a share: it is positive, and nothing cuts it at 1."""
    wrong = Answers(GOOD.probabilities[:, ::-1] ** 2 / (GOOD.probabilities**2).sum(axis=1, keepdims=True))
    found = judging.measured(judged(wrong), standard("log_loss"))
    assert 1 < defined(found.low) < defined(found.value) < defined(found.high)


def test_one_class_leaves_a_loss_defined() -> None:
    """Only what ranks two classes needs both."""
    rows = judged(GOOD).query("truth == '1'")
    values = {name: judging.measured(rows, standard(name)).value for name in DECIDING}
    assert {name for name, value in values.items() if value is None} == {"roc_auc", "average_precision"}
