"""Which capture files and ground-truth files concern a window, in a real S3; and which windows are late."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.cycle import Cycle
from include.core.documents.model import Bounds
from include.core.documents.monitoring import MaturePlan
from include.core.layout import Interval
from include.core.monitoring import Monitoring
from include.core.places import Places
from include.core.retraining.late_labels import LateLabels
from include.core.retraining.records import MonitoringLog
from include.core.sagemaker.captures import (
    as_input,
    captured_files,
    horizon,
    identity,
    truth_files,
)
from include.core.sagemaker.client import SageMaker
from include.core.settings import Settings
from tests.examples import evidence, key_record, manifest, watch_record

MARCH, APRIL = (
    Interval(datetime(2013, month, 1, tzinfo=UTC), datetime(2013, month + 1, 1, tzinfo=UTC))
    for month in (3, 4)
)
#: the version that `evidence` tells of
CHAMPION = evidence(APRIL).champion.version
#: puts an object below the cycle's place
Put = Callable[..., None]


@pytest.fixture
def hook(installed: Settings) -> SageMaker:
    """What the connection leads to."""
    return SageMakerHook(installed.aws_conn_id)


@pytest.fixture
def put(service: Any, installed: Settings) -> Put:
    """Puts objects below the cycle's place."""

    def write(*names: str, body: bytes = b"{}\n") -> None:
        for name in names:
            service.s3.put_object(Bucket=installed.bucket, Key=f"flights/{name}", Body=body)

    return write


def with_rule(cycle: Cycle, **rule: Any) -> Cycle:
    """The cycle with another rule of monitoring."""
    return replace(cycle, monitoring=Monitoring(**rule))


def captured(*names: str) -> list[str]:
    """Names of capture files of the flights' endpoint."""
    return [f"captured/flights/{name}.jsonl" for name in names]


def test_captures_are_listed_from_a_windows_start_on(
    hook: SageMaker, installed: Settings, cycle: Cycle, put: Put
) -> None:
    """Of every variant, by the hour; a request may come a day before its event, and at any time after it."""
    early, lead = "champion/2013/02/27/23/a", "champion/2013/02/28/00/a"
    inside, late = "canary-1/2013/03/09/08/a", "champion/2026/11/21/08/a"
    put(*captured(early, lead, inside, late), "captured/other/champion/2013/03/09/08/a.jsonl")
    put("captured/flights/champion/2013/03/09/08/notes.txt")
    kept = with_rule(cycle, retention=None)
    found = [file.name for file in captured_files(hook, installed, kept, MARCH)]
    assert found == [f"flights/{name}.jsonl" for name in (inside, lead, late)]


def test_a_lag_bounds_the_captures(hook: SageMaker, installed: Settings, cycle: Cycle, put: Put) -> None:
    """Where no traffic is sent again, nothing long after the window is read."""
    put(*captured("champion/2013/04/01/11/a", "champion/2013/04/01/12/a", "champion/2013/05/01/00/a"))
    bounded = with_rule(cycle, request_lag=timedelta(hours=12), retention=None)
    found = [file.name for file in captured_files(hook, installed, bounded, MARCH)]
    assert found == ["flights/champion/2013/04/01/11/a.jsonl"]


def test_what_is_about_to_expire_is_not_read(
    hook: SageMaker, installed: Settings, cycle: Cycle, put: Put
) -> None:
    """A job that has begun must not lose a file under its hands."""
    short = with_rule(cycle, retention=timedelta(days=2))
    hours = [datetime.now(UTC) - timedelta(hours=age) for age in (60, 48, 40, 1)]
    put(*captured(*(f"champion/{hour:%Y/%m/%d/%H}/a" for hour in hours)))
    found = [file.name for file in captured_files(hook, installed, short, MARCH)]
    assert found == [f"flights/champion/{hour:%Y/%m/%d/%H}/a.jsonl" for hour in hours[2:]]


def test_truth_is_listed_up_to_the_horizon(
    hook: SageMaker, installed: Settings, cycle: Cycle, put: Put
) -> None:
    """From the window's start to the end of the last window that may look at its labels."""
    names = ["2013/02/28/23/a", "2013/03/01/00/a", "2013/05/31/23/a", "2013/06/01/00/a"]
    put(*(f"truth/{name}.jsonl" for name in names))
    bounded = with_rule(cycle, alarms=1, windows=2)
    found = [file.name for file in truth_files(hook, installed, bounded, MARCH)]
    assert horizon(bounded, MARCH) == datetime(2013, 6, 1, tzinfo=UTC)
    assert found == ["2013/03/01/00/a.jsonl", "2013/05/31/23/a.jsonl"]


def test_a_listing_is_told_by_names_and_contents(
    hook: SageMaker, installed: Settings, cycle: Cycle, put: Put
) -> None:
    """The same files have the same identity; another content of the same size has not."""
    kept = with_rule(cycle, retention=None)
    put(*captured("champion/2013/03/09/08/a"))
    first = captured_files(hook, installed, kept, MARCH)
    put(*captured("champion/2013/03/09/08/a"), body=b"[]\n")
    second = captured_files(hook, installed, kept, MARCH)
    assert identity(first) != identity(second)
    given = as_input(hook, installed, cycle, Places(installed.bucket, cycle.name).captured, first)
    listed = json.loads(hook.read(given.source.uri) or b"")
    assert listed == [
        {"prefix": f"s3://{installed.bucket}/flights/captured/"},
        "flights/champion/2013/03/09/08/a.jsonl",
    ]


@pytest.fixture
def watched(hook: SageMaker, installed: Settings, cycle: Cycle, put: Put) -> LateLabels:
    """March was collected with one ground-truth file and watched."""
    put("truth/2013/03/09/08/a.jsonl")
    seen = identity(truth_files(hook, installed, cycle, MARCH))
    put("keys/ck.json", body=json.dumps(key_record(truth=seen).as_json()).encode())
    put("keys/mk.json", body=json.dumps(key_record(collected="content").as_json()).encode())
    for place, key, digest in (("ck", "ck", "content"), ("aa", "other", "other")):
        made = manifest(key, digest, predictions=1, labels=1)
        put(f"collect/{MARCH}/{place}/manifest.json", body=json.dumps(made.as_json()).encode())
    MonitoringLog(hook.s3, installed.bucket, cycle.name).put_record(watch_record(evidence(MARCH), "mk"))
    return LateLabels(hook, installed, cycle)


def test_nothing_is_late_where_no_truth_came(watched: LateLabels) -> None:
    """The list of ground truth is what the window's collect had read."""
    assert watched.windows(APRIL, CHAMPION) == []
    assert watched.truth(APRIL, []) == []


def test_truth_that_came_later_makes_a_window_late(watched: LateLabels, put: Put) -> None:
    """With the collect that its monitor has read, and what its quality was compared with."""
    put("truth/2013/04/20/08/b.jsonl", "truth/2013/05/02/08/c.jsonl")
    (late,) = watched.windows(APRIL, CHAMPION)
    earlier = late.earlier
    assert (earlier.window, earlier.monitor_key, earlier.reference) == (MARCH, "mk", Bounds(0.7, 0.69, 0.71))
    assert [file.name for file in late.files] == [
        f"{MARCH}/ck/predictions.parquet",
        f"{MARCH}/ck/labels.parquet",
    ]
    # what was delivered after April is for the windows after it
    names = [file.name for file in watched.truth(APRIL, [MARCH])]
    assert names == ["2013/03/09/08/a.jsonl", "2013/04/20/08/b.jsonl"]


def test_windows_of_another_champion_are_left_alone(watched: LateLabels, put: Put) -> None:
    """Their quality says nothing about the model that is watched now."""
    put("truth/2013/04/20/08/b.jsonl")
    assert watched.windows(APRIL, "another") == []


def test_the_plan_tells_all_ends(watched: LateLabels, hook: SageMaker, put: Put) -> None:
    """The job judges at the ends of all windows, also of those that are not late themselves."""
    put("truth/2013/04/20/08/b.jsonl")
    given = watched.put_plan(APRIL, watched.windows(APRIL, CHAMPION))
    plan = hook.read_document(f"{given.source.uri}plan.json", MaturePlan)
    assert plan is not None
    assert [earlier.window for earlier in plan.windows] == [MARCH]
    assert plan.ends == tuple(datetime(2013, month, 1, tzinfo=UTC) for month in (2, 3, 4, 5))
