"""Captured traffic is removed when it is old enough, and nothing else is, in a real S3."""
# ruff: noqa: ANN401 - contexts and the service's test class have no types

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.hooks.sagemaker import SageMakerHook
from flywheel.operators import ExpireOperator
from include.core.cycle import Cycle
from include.core.monitoring import Monitoring
from include.core.sagemaker.captures import Expiry
from include.core.settings import Settings

NOW = datetime(2026, 5, 10, 12, 30, tzinfo=UTC)
CAPTURED = [
    "captured/flights/champion/{hour}/a.jsonl",
    "captured/flights/canary-2/{hour}/a.jsonl",
    "captured/former-name/champion/{hour}/a.jsonl",
    "captured-batch/input/{hour}/job.jsonl",
    "captured-batch/output/{hour}/job.jsonl",
]
#: as old as can be, and not captured traffic
KEPT = [
    "truth/2013/03/09/08/a.jsonl",
    "collect/2013-03-01_2013-04-01/key/merged/part-00000.jsonl",
    "captured/2013/03/09/08/a.jsonl",
    "captured/flights/champion/0000-notes.txt",
    "captured/flights/champion/2013/03/09/08/deeper/a.jsonl",
    "captured-batch/other/2013/03/09/08/job.jsonl",
    "captured-elsewhere/input/2013/03/09/08/job.jsonl",
]


@pytest.fixture
def kept_for_a_day(cycle: Cycle) -> Cycle:
    """The cycle with a retention of one day."""
    return replace(cycle, monitoring=Monitoring(retention=timedelta(days=1)))


def put(service: Any, bucket: str, names: list[str]) -> None:
    """Write empty objects below the cycle's place."""
    for name in names:
        service.s3.put_object(Bucket=bucket, Key=f"flights/{name}", Body=b"")


def names(service: Any, bucket: str) -> set[str]:
    """All objects below the cycle's place."""
    found = service.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {item["Key"].removeprefix("flights/") for item in found}


def hours(*ages: int) -> list[str]:
    """Captured files of the hours that began so many full hours before 12:00 of NOW's day."""
    began = [NOW.replace(minute=0) - timedelta(hours=age) for age in ages]
    return [name.format(hour=f"{hour:%Y/%m/%d/%H}") for hour in began for name in CAPTURED]


def test_hours_that_ended_before_the_retention_are_removed(
    service: Any, installed: Settings, kept_for_a_day: Cycle
) -> None:
    """An hour goes when its last moment is old enough; whatever else lies there stays."""
    put(service, installed.bucket, [*hours(0, 23, 24, 25, 26, 1000), *KEPT])
    expiry = Expiry(SageMakerHook(installed.aws_conn_id), installed, kept_for_a_day, NOW)
    assert expiry.remove() == 3 * len(CAPTURED)
    assert names(service, installed.bucket) == {*hours(0, 23, 24), *KEPT}
    assert expiry.remove() == 0


def test_more_than_one_request_holds_are_removed(
    service: Any, installed: Settings, kept_for_a_day: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 deletes so many at a time; here two."""
    monkeypatch.setattr("include.core.sagemaker.captures.BATCH", 2)
    put(service, installed.bucket, [f"captured/flights/champion/2013/03/09/08/{n}.jsonl" for n in range(5)])
    assert Expiry(SageMakerHook(installed.aws_conn_id), installed, kept_for_a_day, NOW).remove() == 5
    assert names(service, installed.bucket) == set()


def test_the_task_removes_by_the_clock_whatever_its_interval(
    service: Any, installed: Settings, cycle: Cycle, attempt: Any
) -> None:
    """A backfilled run of 2013 removes what is older than ninety days now."""
    now = datetime.now(UTC)
    old, new = (
        f"captured/flights/champion/{now - timedelta(days=age):%Y/%m/%d/%H}/a.jsonl" for age in (91, 89)
    )
    put(service, installed.bucket, [old, new])
    made = ExpireOperator(task_id="expire", cycle=cycle)
    result = made.execute(attempt(interval_start="2013-03-01"))
    assert result["counts"] == {"removed": 1}
    assert names(service, installed.bucket) == {new}


def test_what_is_kept_for_ever_is_left(service: Any, installed: Settings, cycle: Cycle, attempt: Any) -> None:
    """Without a retention the task is skipped."""
    put(service, installed.bucket, hours(1000))
    kept = replace(cycle, monitoring=Monitoring(retention=None))
    with pytest.raises(AirflowSkipException, match=kept.name):
        ExpireOperator(task_id="expire", cycle=kept).execute(attempt(interval_start="2013-03-01"))
    assert Expiry(SageMakerHook(installed.aws_conn_id), installed, kept, NOW).remove() == 0
    assert names(service, installed.bucket) == set(hours(1000))
