"""The state that version 0.1.0 left: the services and the core of now open it, and lose nothing of it."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.core.cycle import find_cycles
from include.core.documents.manifest import KeyRecord
from include.core.keys import differences, key_record
from include.core.layout import Interval
from include.core.ledger import Ledger, champion_as_of, production
from include.core.settings import PROJECT, Settings
from sagemaker_kit.service import Service

STATE = Path(__file__).parent / "version-1/sagemaker.tar.xz"
BUCKET = "flywheel"
CYCLE = find_cycles()["digits"]
JANUARY, FEBRUARY = Interval.parse("2013-01-01_2013-02-01"), Interval.parse("2013-02-01_2013-03-01")
#: the steps that version 0.1.0 recorded for each interval
STEPS = {
    JANUARY: ["clean", "evaluate", "fetch", "prepare", "train", "transform"],
    FEBRUARY: [
        "batch_transform",
        "clean",
        "collect",
        "evaluate",
        "fetch",
        "monitor",
        "prepare",
        "report",
        "train",
        "transform",
    ],
}


@dataclass(frozen=True)
class Opened:
    """What lay on the disk before the service of now was started, and that service."""

    objects: dict[str, bytes]
    versions: dict[str, str]
    service: Service

    def stored(self) -> dict[str, bytes]:
        """Return the objects that the service has, by key."""
        s3 = self.service.s3
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Start the service, with the project's image, on a copy of the state."""
    place = tmp_path_factory.mktemp("version-1")
    root = place / "root"
    with tarfile.open(STATE) as archive:
        archive.extractall(root, filter="data")
    folder = root / "s3" / BUCKET
    files = [path for path in folder.rglob("*") if path.is_file()]
    objects = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    with closing(sqlite3.connect(root / "sagemaker.sqlite")) as database:
        versions = dict(
            database.execute("SELECT arn, status FROM resource WHERE arn LIKE '%:model-package/%'")
        )
    image = PROJECT / "include/image/image.toml"
    service = Service(root, place / "log", "--image", str(image))
    service.start()
    yield Opened(objects, versions, service)
    service.close()


@pytest.fixture(scope="module")
def records(opened: Opened) -> dict[Interval, list[KeyRecord]]:
    """Return the key records of both intervals, in the order of their steps."""
    bodies = [body for key, body in opened.stored().items() if key.startswith("digits/keys/")]
    found = [KeyRecord.from_json(json.loads(body)) for body in bodies]
    ordered = sorted(found, key=lambda record: record.step)
    return {each: [record for record in ordered if record.interval == each] for each in STEPS}


def computed_now(recorded: KeyRecord) -> KeyRecord:
    """Return the record that the code of now computes for the same inputs, parameters and threads."""
    return key_record(
        step=recorded.step,
        cycle=CYCLE,
        interval=recorded.interval,
        inputs=recorded.inputs,
        parameters=recorded.parameters,
        settings=Settings(threads=recorded.threads),
        forced_by=recorded.forced_by,
    )


def test_every_object_is_there_with_its_bytes(opened: Opened) -> None:
    """Opening the state neither adds an object, nor loses or changes one."""
    assert len(opened.objects) == 114
    assert opened.stored() == opened.objects


def test_the_registry_has_the_same_versions(opened: Opened) -> None:
    """The migrated database lists every model package with its approval."""
    found = opened.service.sagemaker.list_model_packages(ModelPackageGroupName="digits")
    summaries = found["ModelPackageSummaryList"]
    listed = {each["ModelPackageArn"]: each["ModelApprovalStatus"] for each in summaries}
    assert len(listed) == 2
    assert listed == opened.versions


def test_the_ledger_has_the_same_champion(opened: Opened) -> None:
    """January's version is in production, before and after February's decision."""
    entries = Ledger(opened.service.s3, BUCKET, "digits").entries()
    champion = production(entries)
    assert [(entry.number, entry.kind) for entry in entries] == [
        (1, "decision"),
        (2, "promotion"),
        (3, "decision"),
    ]
    assert champion is not None
    assert champion.version == "arn:aws:sagemaker:us-east-1:000000000000:model-package/digits/1"
    assert champion_as_of(entries, datetime(2013, 3, 1, tzinfo=UTC), inclusive=True) == champion


@pytest.mark.parametrize("interval", STEPS, ids=str)
def test_every_step_would_be_made_anew_for_its_code(
    opened: Opened, records: dict[Interval, list[KeyRecord]], interval: Interval
) -> None:
    """Each record keeps its key, differs from that of now by `code`, and nothing is written to learn so."""
    recorded = records[interval]
    now = [computed_now(record) for record in recorded]
    assert [record.step for record in recorded] == STEPS[interval]
    assert all(f"digits/keys/{record.key}.json" in opened.objects for record in recorded)
    stale = [old.step for old, new in zip(recorded, now, strict=True) if old.code != new.code]
    assert stale == STEPS[interval]
    reasons = [differences(old, new) for old, new in zip(recorded, now, strict=True)]
    assert all(lines[0].startswith("code: ") for lines in reasons)
    assert opened.stored() == opened.objects
