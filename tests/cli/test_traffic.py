"""Clients' traffic against a live endpoint of the real local service, and what collect makes of it."""
# ruff: noqa: ANN401 - boto3 clients, contexts and the service's test class have no types

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.operators import (
    BatchTransformOperator,
    CleanOperator,
    CollectOperator,
    FetchOperator,
    MatureOperator,
    PrepareOperator,
    TrainOperator,
    TransformOperator,
)
from include.cli.__main__ import main
from include.core.cycle import find_cycles
from include.core.documents.codec import canonical
from include.core.documents.ledger import Entry
from include.core.documents.manifest import KeyRecord, Manifest, OutputFile, files_digest
from include.core.layout import MANIFEST, Interval, split_uri
from include.core.ledger import Ledger
from include.core.retraining.records import MonitoringLog
from include.core.sagemaker import requests
from include.core.schedule import starting_at
from include.core.settings import PROJECT, Settings, settings
from include.cycles.digits.features import SIGNATURE
from include.steps.prepare import has_line_breaks, write_json_lines
from include.steps.traffic import read_scored
from sagemaker_kit.service import Service
from tests.attempt import Attempt, run_outside_airflow
from tests.examples import evidence, watch_record

CYCLE = find_cycles()["digits"]
JANUARY, FEBRUARY, MARCH = "2013-01-01", "2013-02-01", "2013-03-01"
BUCKET = "traffic"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Changes that last for the module."""
    with pytest.MonkeyPatch.context() as made:
        yield made


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One local SageMaker with the project's own image."""
    place = tmp_path_factory.mktemp("service")
    image = PROJECT / "include/image/image.toml"
    made = Service(place / "root", place / "log", "--image", str(image))
    made.start()
    made.s3.create_bucket(Bucket=BUCKET)
    yield made
    made.close()


@pytest.fixture(scope="module")
def configured(service: Any, patch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings and a connection that lead to the service."""
    extra = {"region_name": "us-east-1", "endpoint_url": service.url}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    patch.setenv("FLYWHEEL_BUCKET", BUCKET)
    patch.setenv("FLYWHEEL_POLL_INTERVAL_S", "0.2")
    run_outside_airflow(patch)
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


def run_steps(start: str, *operators: Any) -> dict[str, Any]:
    """Do steps of one run as Airflow would; their results."""
    context = Attempt(f"run {start}", interval_start=start)
    for operator in operators:
        context.results[operator.step] = operator(task_id=operator.step, cycle=CYCLE).execute(context)
    return context.results


@pytest.fixture(scope="module")
def scored(service: Any, configured: Settings) -> dict[str, Any]:
    """A model of January in production, and February scored with it; the results of February's run."""
    trained = run_steps(JANUARY, FetchOperator, CleanOperator, TransformOperator, TrainOperator)
    entry = Entry(
        kind="decision",
        at=datetime(2013, 2, 1, tzinfo=UTC),
        by={},
        interval=Interval.from_iso(trained["train"]["interval"]),
        key=trained["train"]["key"],
        model_uri=trained["train"]["model_uri"],
        transform_uri=trained["transform"]["uri"],
        evaluation_uri="s3://b/e/",
        data_end=Interval.from_iso(trained["train"]["interval"]).end,
        verdict=None,
        reasons=(),
    )
    ledger = Ledger(service.s3, BUCKET, CYCLE.name)
    ledger.promote(Entry(**{**vars(entry), "kind": "promotion", "version": "arn"}), ledger.decide(entry))
    service.sagemaker.create_model(**requests.model("m", entry.model_uri, configured))
    service.sagemaker.create_endpoint_config(**requests.endpoint_config("c", CYCLE, "m", configured))
    service.sagemaker.create_endpoint(EndpointName=CYCLE.name, EndpointConfigName="c")
    results = run_steps(FEBRUARY, FetchOperator, CleanOperator, PrepareOperator, BatchTransformOperator)
    service.sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName=CYCLE.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    return results


def keys(service: Any, folder: str) -> list[str]:
    """The objects below a folder of the cycle."""
    pages = service.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"digits/{folder}/")
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def lines(service: Any, folder: str) -> list[dict[str, Any]]:
    """The records in all files below a folder of the cycle."""
    bodies = [service.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys(service, folder)]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def until(look: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline, "it did not come about in 30 s"
        time.sleep(0.1)


def collected(scored: dict[str, Any]) -> dict[str, Any]:
    """The result of collect in February's run."""
    context: Any = Attempt(f"run {FEBRUARY}", interval_start=FEBRUARY)
    context.results.update(scored)
    result: dict[str, Any] = CollectOperator(task_id="collect", cycle=CYCLE).execute(context)
    return result


def output(service: Any, result: dict[str, Any], name: str) -> bytes:
    """A file of a step's output."""
    bucket, prefix = split_uri(result["uri"])
    body: bytes = service.s3.get_object(Bucket=bucket, Key=prefix + name)["Body"].read()
    return body


def answers(service: Any, result: dict[str, Any], folder: Path) -> pd.DataFrame:
    """The scored rows of a batch transform, by event, as collect reads them."""
    bucket, prefix = split_uri(result["uri"])
    folder.mkdir()
    for item in service.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        body = service.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        (folder / item["Key"].rpartition("/")[2]).write_bytes(body)
    return read_scored(folder).set_index("event_id").sort_index()


def prepared_again(service: Any, bucket: str, prefix: str, records: bytes) -> str:
    """Write the manifest of a batch of one file below a prefix with a key of zeros; return its digest."""
    sha256 = hashlib.sha256(records).hexdigest()
    file = OutputFile(name="batch/part-00000.jsonl", rows=None, bytes=len(records), sha256=sha256)
    written = Manifest(
        step="prepare",
        cycle=CYCLE.name,
        interval=starting_at(CYCLE, FEBRUARY),
        key="0" * 64,
        files=(file,),
        digest=files_digest([file]),
        counts={},
        metrics={},
    )
    service.s3.put_object(Bucket=bucket, Key=prefix + MANIFEST, Body=canonical(written.as_json()))
    return written.digest


def test_a_line_break_in_a_record_is_scored_by_the_real_service(
    service: Any, scored: dict[str, Any], tmp_path: Path
) -> None:
    """The same rows as JSON lines, with a line break in each id: the same answers, each with its event."""
    signature, prepared = dict.fromkeys(SIGNATURE, "number"), scored["prepare"]
    text = output(service, prepared, "batch/part-00000.csv")
    rows = pd.read_csv(io.BytesIO(text), header=None, names=["event_id", *signature], dtype={"event_id": str})
    rows["event_id"] = "a line\n" + rows["event_id"]
    assert has_line_breaks(rows, signature)
    write_json_lines(tmp_path / "batch/part-00000", rows, signature)
    bucket, prefix = split_uri(prepared["uri"])
    again = prefix.replace(prepared["key"], "0" * 64)
    body = (tmp_path / "batch/part-00000.jsonl").read_bytes()
    service.s3.put_object(Bucket=bucket, Key=f"{again}batch/part-00000.jsonl", Body=body)
    digest = prepared_again(service, bucket, again, body)
    context: Any = Attempt(f"run {FEBRUARY}", interval_start=FEBRUARY)
    context.results["prepare"] = {**prepared, "uri": f"s3://{bucket}/{again}", "digest": digest}
    result = BatchTransformOperator(task_id="batch_transform", cycle=CYCLE).execute(context)
    broken = answers(service, result, tmp_path / "json")
    plain = answers(service, scored["batch_transform"], tmp_path / "csv")
    pd.testing.assert_frame_equal(broken.rename(index=lambda event: event.removeprefix("a line\n")), plain)


@pytest.fixture(scope="module")
def sent(service: Any, scored: dict[str, Any]) -> int:
    """February sent to the endpoint, with the labels that were known by the middle of the month; how many."""
    count = int(scored["prepare"]["counts"]["rows_out"])
    assert main(["traffic", "--cycle", "digits", "--interval", "2013-02", "--until", "2013-02-15"]) == 0
    until(lambda: len(lines(service, "captured")) >= count)
    return count


@pytest.fixture(scope="module")
def watched(service: Any, scored: dict[str, Any], sent: int) -> dict[str, Any]:
    """February watched with the labels delivered so far; the result of its collect."""
    assert sent
    result = collected(scored)
    key = KeyRecord(
        step="monitor",
        cycle=CYCLE.name,
        interval=starting_at(CYCLE, FEBRUARY),
        code="c" * 64,
        inputs={"collected": result["digest"]},
        parameters={},
        environment="e" * 64,
        threads=1,
    )
    body = canonical(key.as_json()).encode()
    service.s3.put_object(Bucket=BUCKET, Key="digits/keys/mk.json", Body=body)
    found = evidence(starting_at(CYCLE, FEBRUARY))
    found = replace(found, champion=replace(found.champion, version="arn"))
    MonitoringLog(service.s3, BUCKET, CYCLE.name).put_record(watch_record(found, "mk"))
    return result


def matured() -> dict[str, Any]:
    """The result of mature in March's run."""
    context: Any = Attempt(f"run {MARCH}", interval_start=MARCH)
    result: dict[str, Any] = MatureOperator(task_id="mature", cycle=CYCLE).execute(context)
    return result


def test_every_record_is_captured_as_an_event(service: Any, sent: int) -> None:
    """Each once, with its id and its time in February."""
    found = lines(service, "captured")
    assert len(found) == sent > 100
    assert len({record["eventMetadata"]["inferenceId"] for record in found}) == sent
    assert all("event_time=2013-02-" in str(r["eventMetadata"]["customAttributes"]) for r in found)


def test_labels_are_delivered_as_they_became_known(service: Any, sent: int) -> None:
    """In the folder of the hour, and none that was known later than asked for."""
    files = keys(service, "truth")
    hours = [
        datetime.strptime("/".join(key.split("/")[2:6]), "%Y/%m/%d/%H").replace(tzinfo=UTC) for key in files
    ]
    found = lines(service, "truth")
    assert 0 < len(found) < sent
    assert max(hours) < datetime(2013, 2, 15, tzinfo=UTC)
    known = {datetime.fromisoformat(record["eventMetadata"]["knownTime"]) for record in found}
    assert {time.replace(minute=0, second=0, microsecond=0) for time in known} == set(hours)


def test_collect_joins_batch_and_online_answers(service: Any, watched: dict[str, Any], sent: int) -> None:
    """The same model answered both, so that it said the same; merged records have their labels."""
    result = watched
    rows = pd.read_parquet(io.BytesIO(output(service, result, "predictions.parquet")))
    assert rows["source"].value_counts().to_dict() == {"batch": sent, "online": sent}
    pairs = rows.pivot_table(index="event_id", columns="source", values="score")
    assert (pairs["batch"] - pairs["online"]).abs().max() < 1e-6
    coverage = json.loads(output(service, result, "coverage.json"))
    told = [coverage[name] for name in ("events", "labelled", "duplicate", "unknown_events", "corrected")]
    assert told == [sent, sent, 0, 0, 0]
    assert coverage["malformed"] == {
        "captures": {"count": 0, "examples": []},
        "truth": {"count": 0, "examples": []},
    }
    merged = output(service, result, "merged/part-00000.jsonl").splitlines()
    assert len(merged) == sent


def test_nothing_is_judged_again_while_no_labels_come(watched: dict[str, Any]) -> None:
    """The ground truth is what February's collect has read."""
    assert watched
    with pytest.raises(AirflowSkipException, match=str(starting_at(CYCLE, MARCH))):
        matured()


def test_a_second_run_repeats_nothing(service: Any, sent: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The requests were sent; of the labels those that were not due before are delivered now."""
    before = keys(service, "truth")
    assert main(["traffic", "--cycle", "digits", "--interval", "2013-02"]) == 0
    after = keys(service, "truth")
    assert "were sent before" in capsys.readouterr().out
    assert set(before) < set(after)
    assert len(lines(service, "truth")) == sent
    assert main(["traffic", "--cycle", "digits", "--interval", "2013-02"]) == 0
    assert keys(service, "truth") == after
    assert len(lines(service, "captured")) == sent


def correct(service: Any) -> tuple[str, str, str]:
    """Deliver another label for one event, in March: its id, its label before, and the new one."""
    record = lines(service, "truth")[0]
    event_id, label = record["eventMetadata"]["eventId"], record["groundTruthData"]["data"]
    other = "0" if label != "0" else "1"
    truth = {"groundTruthData": {"data": other, "encoding": "CSV"}, "eventMetadata": {"eventId": event_id}}
    body = json.dumps({**truth, "eventVersion": "0"}).encode()
    service.s3.put_object(Bucket=BUCKET, Key="digits/truth/2013/03/09/08/late.jsonl", Body=body)
    return event_id, label, other


def test_a_correction_makes_another_collect(
    service: Any, scored: dict[str, Any], watched: dict[str, Any]
) -> None:
    """A label that is corrected in March is a second version, known in March."""
    assert watched
    event_id, label, other = correct(service)
    result = collected(scored)
    labels = pd.read_parquet(io.BytesIO(output(service, result, "labels.parquet")))
    versions = labels[labels["event_id"] == event_id]
    assert versions[["label", "version"]].to_numpy().tolist() == [[label, 0], [other, 1]]
    assert versions["known_time"].iloc[1] == pd.Timestamp("2013-03-09T09:00:00Z")
    assert json.loads(output(service, result, "coverage.json"))["corrected"] == 1


def test_the_correction_judges_february_again_in_march(
    service: Any, watched: dict[str, Any], sent: int
) -> None:
    """With one answer judged anew at the end of March; what was known before changes nothing."""
    correct(service)
    before = json.loads(output(service, watched, "coverage.json"))
    (entry,) = json.loads(output(service, matured(), "matured.json"))["quality"]
    assert (entry["window"][0][:10], entry["monitor_key"], entry["cutoff"][:10]) == (
        FEBRUARY,
        "mk",
        "2013-04-01",
    )
    assert (entry["judged"], entry["coverage"], entry["metric"]) == (before["labelled"], 1.0, "accuracy")
    assert entry["judged"] == sent
    assert 0.5 < entry["value"] < 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--interval", "2013-03"], "Nothing of digits is prepared for 2013-03-01_2013-04-01"),
        (["--interval", "2013-02-05"], "is no start of an interval"),
        (["--interval", "2013-02", "--rate", "0"], "--rate 0.0 must be more than 0"),
        (["--interval", "2013-02", "--cycle", "flights"], "The endpoint flights cannot be asked"),
    ],
)
def test_what_cannot_be_sent_is_told(
    scored: dict[str, Any], capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """With what to do."""
    assert scored
    assert main(["traffic", "--cycle", "digits", *arguments]) == 1
    assert words in capsys.readouterr().err
