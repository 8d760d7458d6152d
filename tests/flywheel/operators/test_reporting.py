"""What the report of a window is made from, read from real records in the real service."""
# ruff: noqa: ANN401 - contexts and results have no types

from __future__ import annotations

import json
from typing import Any

import pytest

from flywheel.operators import ReportOperator
from include.core.cycle import Cycle
from include.core.documents.monitoring import MaturedQuality
from include.core.documents.reports import AnswerCounts, Coverage
from include.core.exceptions import OutputMissing
from include.core.layout import split_uri
from include.core.retraining.records import MonitoringLog
from include.core.settings import Settings
from tests.examples import decision, evidence, matured, month, quality, step_result, watch_record

COVERAGE = Coverage(
    events=10,
    labelled=9,
    late=0,
    corrected=0,
    duplicate=0,
    unknown_events=0,
    by_age=(),
    answers=AnswerCounts(batch=10, online=0, repeated=0, of_other_windows=0),
    malformed={},
)


class Place:
    """Where a window's steps have left their results."""

    def __init__(self, service: Any, bucket: str, cycle: Cycle, attempt: Any) -> None:
        self.s3, self.bucket, self.log = service.s3, bucket, MonitoringLog(service.s3, bucket, cycle.name)
        self.attempt, self.operator = attempt, ReportOperator(task_id="report", cycle=cycle)

    def put(self, name: str, content: Any) -> None:
        """Write a JSON object."""
        self.s3.put_object(Bucket=self.bucket, Key=name, Body=json.dumps(content).encode())

    def read(self, uri: str) -> Any:
        """Read a JSON object."""
        bucket, key = split_uri(uri)
        return json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def watch(self, number: int, *late: MaturedQuality) -> str:
        """Record a month; the record's URI."""
        return self.log.put_record(watch_record(evidence(month(number)), f"k{number}", *late))

    def context(self, number: int, record: str, *, run: str = "one") -> Any:
        """The context after decide, in a run of its own."""
        found = evidence(month(number), alarm=True)
        self.put(f"m{number}/evidence.json", found.as_json())
        self.put(f"c{number}/coverage.json", COVERAGE.as_json())
        made = self.attempt(run, interval_start=f"2013-{number:02d}-01")
        for step in ("monitor", "collect"):
            made.results[step] = step_result(step, f"s3://{self.bucket}/{step[0]}{number}/")
        decided = decision(found, run).as_json()
        made.results["decide"] = step_result(
            "decide", "s3://b/decision.json", record=record, decision=decided, again=[]
        )
        return made

    def report_input(self, number: int, record: str, **given: Any) -> tuple[str, Any]:
        """The folder of a month's report input, and the input."""
        work = self.operator.step_inputs(self.context(number, record, **given), month(number))
        uri = work.inputs["report_input"].source.uri
        return uri, self.read(f"{uri}report_input.json")


@pytest.fixture
def place(service: Any, installed: Settings, cycle: Cycle, attempt: Any) -> Place:
    """A bucket of the test's own."""
    return Place(service, installed.bucket, cycle, attempt)


def test_the_report_input_tells_the_windows_up_to_its_own(place: Place) -> None:
    """In order of time, and none that came after."""
    records = {number: place.watch(number) for number in (4, 6, 3, 5)}
    _, told = place.report_input(5, records[5])
    assert [each["window"] for each in told["windows"]] == [month(n).iso for n in (3, 4, 5)]
    assert told["coverage"]["labelled"] == 9
    assert told["decision"]["due"] is True


def test_the_same_report_input_has_the_same_place(place: Place) -> None:
    """Who made it and when is no part of it, so a report is made once."""
    record = place.watch(3)
    assert place.report_input(3, record, run="one")[0] == place.report_input(3, record, run="two")[0]


def test_quality_is_told_as_it_was_known_at_the_windows_end(place: Place) -> None:
    """Labels that came late count from the window on in which they were found."""
    late = matured(month(3), quality(month(4).end, is_worse=True))
    later = matured(month(3), quality(month(5).end))
    place.watch(3)
    record = place.watch(4, late)
    place.watch(5, later)
    _, told = place.report_input(4, record)
    assert [each["quality"][0]["value"] for each in told["windows"]] == [0.6, 0.7]


def test_everything_the_report_is_made_from_has_an_address(place: Place) -> None:
    """Records, files and the champion's own pages."""
    record = place.watch(3)
    _, told = place.report_input(3, record)
    places = {each["what"]: each["uri"] for each in told["provenance"]}
    assert places["watch record"] == record
    assert places["decision"] == "s3://b/decision.json"
    assert places["evidence"].endswith("/m3/evidence.json")
    assert places["the champion's model card"] == "s3://b/evaluate/model_card.html"


def test_a_window_without_collect_tells_no_coverage(place: Place) -> None:
    """A DAG may lack the step."""
    context = place.context(3, place.watch(3))
    del context.results["collect"]
    work = place.operator.step_inputs(context, month(3))
    assert place.read(f"{work.inputs['report_input'].source.uri}report_input.json")["coverage"] is None


def test_evidence_that_is_gone_is_named(place: Place) -> None:
    """Somebody removed monitor's output."""
    context = place.context(3, place.watch(3))
    place.s3.delete_object(Bucket=place.bucket, Key="m3/evidence.json")
    with pytest.raises(OutputMissing, match=r"m3/evidence\.json.*`monitor`"):
        place.operator.step_inputs(context, month(3))
