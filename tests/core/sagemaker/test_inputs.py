"""Bytes that changed in S3 after they were written stop whatever would read them."""
# ruff: noqa: ANN401 - the service's test class has no types

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.documents.manifest import Manifest, OutputFile, files_digest
from include.core.exceptions import InputChanged
from include.core.layout import split_uri
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.inputs import check_objects, put_input_lists, read_output, record_output
from include.core.sagemaker.requests import StepInput
from include.core.settings import Settings
from include.core.steps import JOBS
from include.steps import contract
from tests.examples import key_record, month, not_none

KEY, NAME = "ab" * 32, "flights.parquet"
GIVEN = [(row.name, name) for row in JOBS.values() for name in row.inputs if row.kind != "transform job"]


def parquet(labels: list[int]) -> bytes:
    """A table of labels."""
    body = io.BytesIO()
    pd.DataFrame({"is_late": labels}).to_parquet(body)
    return body.getvalue()


WRITTEN, FLIPPED = parquet([0, 1, 0, 1]), parquet([1, 0, 1, 0])


class Bucket:
    """One output in S3, and a job that is given it."""

    def __init__(self, hook: SageMaker, settings: Settings, base: Path) -> None:
        self.hook, self.places, self.base = hook, Places(settings.bucket, "flights"), base
        self.output = self.places.output("clean", month(1), KEY)
        sha256 = hashlib.sha256(WRITTEN).hexdigest()
        files = (OutputFile(name=NAME, rows=4, bytes=len(WRITTEN), sha256=sha256),)
        manifest = Manifest(
            step="clean",
            cycle="flights",
            interval=month(1),
            key=KEY,
            files=files,
            digest=files_digest(files),
            counts={},
            metrics={},
        )
        self.put(self.output + NAME, WRITTEN)
        self.put(f"{self.output}manifest.json", json.dumps(manifest.as_json()).encode())
        self.put(f"{self.output}profile.html", b"no part of the output")

    def put(self, uri: str, body: bytes) -> None:
        """Write an object, over another one or not."""
        bucket, key = split_uri(uri)
        self.hook.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def spoil(self, how: str) -> None:
        """Change the output behind its manifest's back."""
        bucket, key = split_uri(self.output)
        if how == "flipped":
            self.put(self.output + NAME, FLIPPED)
        elif how == "missing":
            self.hook.s3.delete_object(Bucket=bucket, Key=key + NAME)
        elif how == "extra":
            self.put(f"{self.output}more.parquet", WRITTEN)

    def run(self, step: str, name: str, how: str, patch: pytest.MonkeyPatch) -> list[str]:
        """Start a step whose input was spoilt, on the files as SageMaker copies them; what it read."""
        root = self.base / ("input/data" if step == "train" else "processing/input")
        folder = put_input_lists(self.hook, self.places, {name: StepInput.at(self.output)})
        self.spoil(how)
        for source, target in ((folder, root / "inputs"), (self.output, root / name)):
            target.mkdir(parents=True)
            for file in self.hook.sizes(source):
                (target / file).write_bytes(not_none(self.hook.read(source + file)))
        start, end = month(1).iso
        told = {"cycle": "flights", "start": start, "end": end, "key": KEY}
        config = self.base / "input/config/hyperparameters.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps(told))
        patch.setenv("SAGEMAKER_BASE_DIR", str(self.base))
        patch.setattr(sys, "argv", ["x", *(text for n, v in told.items() for text in (f"--{n}", v))])
        read: list[str] = []

        def work(given: contract.Step) -> dict[str, float]:
            read.append(given.name)
            return {}

        contract.run(step, work)
        return read


@pytest.fixture
def bucket(service: Any, installed: Settings, tmp_path: Path) -> Bucket:
    """A bucket of the test's own."""
    assert service.s3
    return Bucket(SageMakerHook(installed.aws_conn_id), installed, tmp_path)


@pytest.mark.parametrize(("step", "name"), GIVEN)
def test_changed_bytes_stop_every_step(
    bucket: Bucket, step: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels were turned round in S3: the step reads nothing, and names the file and both digests."""
    with pytest.raises(SystemExit) as stopped:
        bucket.run(step, name.replace("*", "flights"), "flipped", monkeypatch)
    assert stopped.value.code == 1
    place = "failure" if step == "train" else "message"
    message = (bucket.base / "output" / place).read_text()
    facts = (bucket.output + NAME, *(hashlib.sha256(body).hexdigest() for body in (WRITTEN, FLIPPED)))
    assert [fact for fact in facts if fact not in message] == []
    assert "`force`" in message


@pytest.mark.parametrize(
    ("how", "message"), [("missing", "is missing"), ("extra", "no file that the step before wrote")]
)
def test_a_missing_or_additional_file_stops_a_step(
    bucket: Bucket, how: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition holds what its manifest lists."""
    with pytest.raises(SystemExit):
        bucket.run("transform", "clean", how, monkeypatch)
    assert message in (bucket.base / "output/message").read_text()


def test_what_was_written_is_read(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile beside it is no part of it."""
    assert bucket.run("report", "monitored", "not at all", monkeypatch) == ["report"]


@pytest.mark.parametrize("how", ["flipped", "missing", "extra"])
def test_a_transform_job_is_not_started_on_changed_bytes(bucket: Bucket, how: str) -> None:
    """Its container sees no files, so the task that starts it looks at them."""
    check_objects(bucket.hook, bucket.output)
    bucket.spoil(how)
    with pytest.raises(InputChanged, match=r"\.parquet"):
        check_objects(bucket.hook, bucket.output)


def test_a_changed_document_is_not_acted_upon(bucket: Bucket) -> None:
    """What tasks and commands read is checked as well."""
    assert read_output(bucket.hook, bucket.output + NAME) == WRITTEN
    bucket.spoil("flipped")
    with pytest.raises(InputChanged, match=hashlib.sha256(FLIPPED).hexdigest()):
        read_output(bucket.hook, bucket.output + NAME)


def test_a_manifest_that_lists_other_files_is_refused(bucket: Bucket) -> None:
    """Its digest is the one that was handed on."""
    with pytest.raises(InputChanged, match=r"manifest\.json"):
        read_output(bucket.hook, bucket.output + NAME, "0" * 64)


def test_answers_and_models_have_a_manifest_of_their_own(bucket: Bucket) -> None:
    """SageMaker, not the job, makes these files; the task writes down what they were."""
    record = key_record()
    folder = bucket.places.output("batch_transform", month(1), record.key)
    bucket.put(f"{folder}part.csv.out", b"1,0,0.5\n")
    first = record_output(bucket.hook, folder, record)
    bucket.put(f"{folder}part.csv.out", b"1,1,0.9\n")
    assert record_output(bucket.hook, folder, record) == first
    with pytest.raises(InputChanged, match=r"part\.csv\.out"):
        check_objects(bucket.hook, folder, first.digest)
