"""A recorded training made again by the real local service, with its inputs as they were and changed."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.cli.__main__ import main
from include.cli.environment import read_document
from include.cli.key_records import Records, code_uri
from include.cli.reproduce import Recorded, _notes
from include.cli.terminal import StackError
from include.core.code import archive, archive_digest, archive_files, file_digests, step_files
from include.core.cycle import Cycle, find_cycles
from include.core.documents.codec import canonical
from include.core.documents.ledger import Entry
from include.core.documents.manifest import KeyRecord
from include.core.documents.model import Reproduction
from include.core.keys import key_record
from include.core.layout import Interval, job_name
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.inputs import put_input_lists
from include.core.sagemaker.requests import JobSpec, StepInput, StepInputs, step_request
from include.core.settings import PROJECT, Settings
from include.core.steps import job_step
from include.steps import contract, manifest
from sagemaker_kit.service import Service
from tests.steps import model_side as side

MONTH = Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))
SETTINGS = Settings(bucket="reproduced", threads=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One local SageMaker with the project's own image."""
    place = tmp_path_factory.mktemp("service")
    image = PROJECT / "include/image/image.toml"
    made = Service(place / "root", place / "log", "--image", str(image))
    made.start()
    made.s3.create_bucket(Bucket=SETTINGS.bucket)
    yield made
    made.close()


@dataclass(frozen=True)
class Trained:
    """A training that was recorded."""

    job: str
    record: KeyRecord
    transform: str


def put(service: Any, uri: str, body: bytes) -> None:
    """Write an object."""
    service.s3.put_object(Bucket=SETTINGS.bucket, Key=uri.split("/", 3)[3], Body=body)


def transformed(service: Any, folder: Path, cycle: Cycle) -> tuple[str, str]:
    """A transform's output as its job leaves it; place and digest."""
    uri = Places(SETTINGS.bucket, cycle.name).output("transform", MONTH, "ab" * 32)
    output = folder / "processing/output"
    for seed, (name, rows) in enumerate({"train": 600, "validation": 200, "holdout": 200}.items()):
        side.write_part(output / name, side.flights(rows, seed))
    told = {"cycle": cycle.name, "start": side.START, "end": side.END, "key": "ab" * 32}
    written = manifest.write_manifest(
        contract.step_from("transform", told, folder), counts={"rows_in": 1000, "rows_out": 1000}
    )
    for path in output.rglob("*"):
        if path.is_file():
            put(service, uri + path.relative_to(output).as_posix(), path.read_bytes())
    return uri, written.digest


@pytest.fixture(scope="module")
def trained(service: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small training of the flights cycle, started and recorded as its operator does it."""
    cycle = find_cycles()["flights"]
    uri, digest = transformed(service, tmp_path_factory.mktemp("transform"), cycle)
    record = key_record(
        step="train",
        cycle=cycle,
        interval=MONTH,
        inputs={"train": digest, "validation": digest},
        parameters={},
        settings=SETTINGS,
    )
    files, places = archive_files(cycle.name), Places(SETTINGS.bucket, cycle.name)
    channels = {name: StepInput.at(f"{uri}{name}/") for name in ("train", "validation")}
    job = JobSpec(
        name=job_name(cycle.name, "train", MONTH, record.key),
        step="train",
        cycle=cycle,
        interval=MONTH,
        key=record.key,
        code_uri=places.code(archive_digest(files)),
        output_uri=places.output("train", MONTH, record.key),
        settings=SETTINGS,
        inputs_uri=put_input_lists(SageMaker(lambda _: service.s3), places, channels),
    )
    put(service, job.code_uri, archive(files))
    keep(service, record)
    service.sagemaker.create_training_job(**step_request(job, StepInputs(channels)))
    while (found := service.sagemaker.describe_training_job(TrainingJobName=job.name))[
        "TrainingJobStatus"
    ] == "InProgress":
        time.sleep(0.2)
    assert found["TrainingJobStatus"] == "Completed", found["FailureReason"]
    return Trained(job.name, record, uri)


def keep(service: Any, record: KeyRecord) -> None:
    """Write a key's record."""
    uri = f"s3://{SETTINGS.bucket}/{record.cycle}/keys/{record.key}.json"
    put(service, uri, canonical(record.as_json()).encode())


@pytest.fixture(autouse=True)
def connected(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's environment leads to the service."""
    extra = {"region_name": "us-east-1", "endpoint_url": service.url}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("FLYWHEEL_BUCKET", SETTINGS.bucket)
    monkeypatch.setenv("FLYWHEEL_THREADS", "1")


def jobs(service: Any) -> int:
    """How many trainings there were."""
    return len(service.sagemaker.list_training_jobs()["TrainingJobSummaries"])


def test_a_recorded_training_is_reproduced(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained again from its record, the model gives the same answers; a key's beginning names it."""
    assert main(["reproduce", trained.record.key[:16]]) == 0
    said = capsys.readouterr().out
    assert "Every input is as it was recorded." in said
    assert "Reproduced: largest difference 0.0 over 200 rows of the holdout" in said


def test_a_document_without_a_field_is_refused_by_name(service: Any) -> None:
    """What a command reads names the object and the field."""
    uri = f"s3://{SETTINGS.bucket}/flights/reproduction.json"
    put(service, uri, b'{"rows": 3, "largest": null, "rows_beyond": 3, "tolerance": 0.1}')
    with pytest.raises(StackError) as refusal:
        read_document(service.s3, uri, Reproduction)
    assert {uri, "is_reproduced;"} <= set(str(refusal.value).split())


def test_a_changed_input_is_named_and_stops_it(
    service: Any, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file of the transform is named, nothing is trained, and the exit code says so."""
    name = "train/2013-01-01_2013-02-01.parquet"
    place = {"Bucket": SETTINGS.bucket, "Key": (trained.transform + name).split("/", 3)[3]}
    before, body = jobs(service), service.s3.get_object(**place)["Body"].read()
    service.s3.put_object(**place, Body=body + b"!")
    try:
        assert main(["reproduce", trained.job]) == 1
    finally:
        service.s3.put_object(**place, Body=body)
    said = capsys.readouterr()
    assert f"changed: {name} differs" in said.out
    assert "Not trained again" in said.err
    assert jobs(service) == before


def test_a_changed_code_archive_stops_it(
    service: Any, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive with other files than its name and the record say is not run."""
    description = service.sagemaker.describe_training_job(TrainingJobName=trained.job)
    uri = code_uri(description)
    assert uri is not None
    files = archive_files("flights")
    put(service, uri, archive(files[1:]))
    try:
        assert main(["reproduce", trained.job]) == 1
    finally:
        put(service, uri, archive(files))
    assert "is not the one that was recorded" in capsys.readouterr().err


def test_what_is_otherwise_in_the_project_of_now_is_named(service: Any, trained: Trained) -> None:
    """A file of the code, the threads and the image, each by its name."""
    description = service.sagemaker.describe_training_job(TrainingJobName=trained.job)
    recorded = Recorded(key=trained.record.key, record=trained.record, description=description)
    code = file_digests(step_files(job_step("train"), "flights"))
    assert _notes(SETTINGS, recorded, code) == []
    changed = {**code, "include/ml/evaluation/metrics.py": "ab" * 32}
    assert _notes(replace(SETTINGS, threads=2, image_uri="flywheel:2"), recorded, changed) == [
        "include/ml/evaluation/metrics.py differs",
        "threads: 1 and 2 (then and now)",
        "image: flywheel:local and flywheel:2 (then and now)",
    ]


def test_two_keys_are_compared_by_their_records(
    service: Any, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    """What differs is named, and nothing else."""
    other = replace(trained.record, threads=2)
    keep(service, other)
    assert main(["compare-keys", trained.job, other.key]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == ["  threads: 1 and 2"]


def test_the_ledger_knows_an_intervals_training(service: Any, trained: Trained) -> None:
    """`<cycle>/<interval>` is the training decided about, also by its first day; others are refused."""
    entry = Entry(
        kind="decision",
        at=datetime(2013, 2, 1, tzinfo=UTC),
        by={},
        interval=MONTH,
        key=trained.record.key,
        model_uri="",
        transform_uri=trained.transform,
        evaluation_uri="",
        data_end=MONTH.end,
        verdict=None,
        reasons=(),
        number=1,
    )
    put(service, f"s3://{SETTINGS.bucket}/flights/ledger/00000001.json", canonical(entry.as_json()).encode())
    records = Records(SETTINGS)
    assert records.key(f"flights/{MONTH}") == ("flights", trained.record.key)
    assert records.key("flights/2013-01-01") == ("flights", trained.record.key)
    with pytest.raises(StackError, match=f"2014.*{MONTH}"):
        records.key("flights/2014-01-01_2014-02-01")


def test_what_nothing_is_called_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The error tells what can be given."""
    assert main(["reproduce", "ffffffffffff"]) == 1
    assert "no key begins with 'ffffffffffff'" in capsys.readouterr().err
