"""Which cleaned data a step reads."""
# ruff: noqa: ANN401 - contexts and the service's test class have no types

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flywheel.operators import PrepareOperator, TransformOperator
from include.core.cycle import Cycle
from include.core.exceptions import HistoryIncomplete, OutputMissing
from include.core.layout import Interval, split_uri
from include.core.places import Places
from include.core.settings import Settings
from tests.examples import manifest, step_result

MARCH = Interval(datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC))


@pytest.fixture
def context(service: Any, installed: Settings, attempt: Any) -> Any:
    """March's run after its clean; no other month was ever cleaned."""
    uri = Places(installed.bucket, "flights").output("clean", MARCH, "k")
    written = json.dumps(manifest("k", a=4).as_json()).encode()
    for name, body in (("a.parquet", b"PAR1"), ("manifest.json", written)):
        service.s3.put_object(Bucket=installed.bucket, Key=split_uri(uri)[1] + name, Body=body)
    context = attempt(task_id="prepare")
    context.results["clean"] = step_result("clean", uri)
    return context


def test_prepare_reads_its_own_interval_only(cycle: Cycle, context: Any) -> None:
    """Scoring works without any history."""
    operator = PrepareOperator(task_id="prepare", cycle=cycle)
    source = operator.step_inputs(context, MARCH).inputs["clean"].source
    assert source.kind == "ManifestFile"
    _, *names = json.loads(operator.hook.read(source.uri) or b"")
    place = "2013-03-01_2013-04-01/k"
    assert names == [f"{place}/a.parquet", f"{place}/manifest.json"]


def test_prepare_tells_that_its_input_is_gone(cycle: Cycle, context: Any) -> None:
    """Somebody deleted the cleaned data meanwhile."""
    context.results["clean"]["key"] = "other"
    with pytest.raises(OutputMissing, match="key other"):
        PrepareOperator(task_id="prepare", cycle=cycle).step_inputs(context, MARCH)


def test_transform_needs_every_interval_before(cycle: Cycle, context: Any) -> None:
    """A training set with a hole would be silent."""
    with pytest.raises(HistoryIncomplete, match="2013-01-01_2013-02-01"):
        TransformOperator(task_id="transform", cycle=cycle).step_inputs(context, MARCH)
