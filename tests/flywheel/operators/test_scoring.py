"""Which model scores an interval: the one that was in production when it began."""
# ruff: noqa: ANN401 - the service's test class has no types

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.operators import BatchTransformOperator
from flywheel.operators.monitoring import champion_of
from include.core.cycle import Cycle
from include.core.documents.ledger import Entry
from include.core.exceptions import NoChampion
from include.core.layout import Interval
from include.core.settings import Settings


def month(number: int) -> Interval:
    """One month of 2013."""
    return Interval(datetime(2013, number, 1, tzinfo=UTC), datetime(2013, number + 1, 1, tzinfo=UTC))


def promote(operator: Any, number: int) -> None:
    """Promote a model of the data up to and including a month."""
    entry = Entry(
        kind="decision",
        at=datetime(2013, 1, 1, tzinfo=UTC),
        by={},
        interval=month(number),
        key="k",
        model_uri=f"s3://b/{number}/model.tar.gz",
        transform_uri="s3://b/t/",
        evaluation_uri=f"s3://b/{number}/",
        data_end=month(number).end,
        verdict=None,
        reasons=(),
    )
    decision = operator.ledger.decide(entry)
    operator.ledger.promote(Entry(**{**vars(entry), "kind": "promotion", "version": "arn"}), decision)


@pytest.fixture
def operator(cycle: Cycle, installed: Settings) -> BatchTransformOperator:
    """The operator that scores, with an empty ledger."""
    made = BatchTransformOperator(task_id="batch_transform", cycle=cycle)
    assert made.settings == installed
    return made


def test_the_champion_has_seen_nothing_of_the_interval(operator: BatchTransformOperator) -> None:
    """A model of the interval's own data is promoted already, but was not when the interval began."""
    for number in (1, 2, 3):
        promote(operator, number)
    assert champion_of(operator, month(3)).model_uri == "s3://b/2/model.tar.gz"


def test_the_first_interval_is_skipped(operator: BatchTransformOperator) -> None:
    """Nothing can have been trained before it."""
    promote(operator, 1)
    with pytest.raises(AirflowSkipException, match=str(month(1))):
        champion_of(operator, month(1))


def test_a_later_interval_without_a_champion_fails_with_what_to_run(operator: BatchTransformOperator) -> None:
    """Somebody forgot to train."""
    promote(operator, 3)
    with pytest.raises(NoChampion, match="flights_train_and_deploy"):
        champion_of(operator, month(3))
