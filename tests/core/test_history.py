"""Earlier intervals' outputs are found by keys, whole, or named as missing."""
# ruff: noqa: ANN401 - the service's test class has no types

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.cycle import Cycle, FileSource
from include.core.documents.manifest import Manifest
from include.core.exceptions import HistoryIncomplete, OutputMissing
from include.core.history import (
    check_output,
    clean_record,
    cleaned,
    fetch_record,
    fetch_sources,
    partitions_input,
)
from include.core.layout import Interval, split_uri
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.schedule import history
from include.core.settings import Settings
from tests.examples import manifest, not_none

MARCH = Interval(datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC))


class Outputs:
    """Outputs of fetch and clean, as the jobs would have left them."""

    def __init__(self, service: Any, cycle: Cycle, settings: Settings) -> None:
        self.service, self.cycle, self.settings = service, cycle, settings

    def put(self, interval: Interval, *, fetched: str = "f") -> str:
        """Fetch and clean one interval; the place of the cleaned data."""
        record = fetch_record(self.cycle, interval, self.settings)
        self._write("fetch", interval, manifest(record.key, fetched, flights=4))
        record = clean_record(self.cycle, interval, fetched, self.settings)
        other = manifest(record.key, first=4) if fetched == "first" else manifest(record.key, f=4)
        return self._write("clean", interval, other)

    def _write(self, step: str, interval: Interval, document: Manifest) -> str:
        place = Places(self.settings.bucket, self.cycle.name).output(step, interval, document.key)
        for file in document.files:
            self.object(f"{place}{file.name}", b"PAR1")
        self.object(f"{place}manifest.json", json.dumps(document.as_json()).encode())
        return place

    def object(self, uri: str, body: bytes) -> None:
        """Write an object."""
        bucket, key = split_uri(uri)
        self.service.s3.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture
def outputs(service: Any, cycle: Cycle, installed: Settings) -> Outputs:
    """Nothing yet."""
    return Outputs(service, cycle, installed)


@pytest.fixture
def hook(installed: Settings) -> SageMaker:
    """What the test's connection leads to."""
    return SageMakerHook(installed.aws_conn_id)


def test_every_interval_up_to_this_one_is_found(outputs: Outputs, hook: SageMaker) -> None:
    """And none after it."""
    endless = list(history(outputs.cycle, replace(MARCH, start=datetime(2013, 4, 1, tzinfo=UTC))))
    for interval in endless:
        outputs.put(interval)
    found = cleaned(hook, outputs.cycle, MARCH, outputs.settings)
    assert [p.interval for p in found] == endless[:3]


def test_what_was_fetched_decides_which_cleaned_data_it_is(outputs: Outputs, hook: SageMaker) -> None:
    """A second fetch with other content leads to other cleaned data, however new the first is."""
    january = next(iter(history(outputs.cycle, MARCH)))
    outputs.put(january, fetched="second")
    first = outputs.put(january, fetched="first")
    (found,) = cleaned(hook, outputs.cycle, january, outputs.settings)
    assert found.manifest.digest == manifest("k", first=4).digest
    assert found.key in first


def test_a_hole_is_named_with_what_to_run(outputs: Outputs, hook: SageMaker) -> None:
    """The command can be copied."""
    for interval in list(history(outputs.cycle, MARCH))[1:]:
        outputs.put(interval)
    with pytest.raises(HistoryIncomplete, match="2013-01-01_2013-02-01") as caught:
        cleaned(hook, outputs.cycle, MARCH, outputs.settings)
    assert "backfill create --dag-id flights_train_and_deploy --from-date 2013-01-01" in str(caught.value)


def test_data_cleaned_by_other_settings_is_a_hole(outputs: Outputs, hook: SageMaker) -> None:
    """Mixing results of different settings would be silent."""
    for interval in history(outputs.cycle, MARCH):
        outputs.put(interval)
    with pytest.raises(HistoryIncomplete):
        cleaned(hook, outputs.cycle, MARCH, replace(outputs.settings, threads=7))


def test_the_list_of_files_is_named_by_its_content(outputs: Outputs, hook: SageMaker) -> None:
    """The same partitions give the same list, others another one."""
    for interval in history(outputs.cycle, MARCH):
        outputs.put(interval)
    partitions = cleaned(hook, outputs.cycle, MARCH, outputs.settings)
    uri = partitions_input(hook, outputs.cycle, partitions, outputs.settings)
    assert partitions_input(hook, outputs.cycle, partitions, outputs.settings) == uri
    assert partitions_input(hook, outputs.cycle, partitions[:1], outputs.settings) != uri


def test_the_list_names_every_file_that_is_there(outputs: Outputs, hook: SageMaker) -> None:
    """As SageMaker reads it: a prefix, then names below it."""
    for interval in history(outputs.cycle, MARCH):
        outputs.put(interval)
    partitions = cleaned(hook, outputs.cycle, MARCH, outputs.settings)
    uri = partitions_input(hook, outputs.cycle, partitions, outputs.settings).source.uri
    prefix, *names = json.loads(not_none(hook.read(uri)))
    assert prefix == {"prefix": f"s3://{outputs.settings.bucket}/flights/clean/"}
    assert len(names) == 6
    assert all(hook.sizes(prefix["prefix"] + name) for name in names)


@pytest.mark.parametrize("body", [None, b"PAR", b"PAR12"])
def test_an_output_that_is_not_whole_is_refused(
    outputs: Outputs, hook: SageMaker, body: bytes | None
) -> None:
    """Its files must be there, in the size the manifest says."""
    place = outputs.put(MARCH)
    key = place.rstrip("/").rpartition("/")[2]
    assert check_output(hook, place, key).digest == manifest(key, f=4).digest
    bucket, name = split_uri(f"{place}f.parquet")
    outputs.service.s3.delete_object(Bucket=bucket, Key=name)
    if body is not None:
        outputs.object(f"{place}f.parquet", body)
    with pytest.raises(OutputMissing, match=r"f\.parquet"):
        check_output(hook, place, key)


def test_a_source_in_s3_is_an_input_for_each_table(cycle: Cycle) -> None:
    """With the interval filled in; other sources are the job's business."""
    tables = {"flights": "s3://raw/f/{start:%Y-%m}.csv", "planes": "https://example.com/planes.csv"}
    own = replace(cycle, source=FileSource(tables))
    assert fetch_sources(own, MARCH) == {"source/flights": "s3://raw/f/2013-03.csv"}
    assert fetch_sources(cycle, MARCH) == {}
