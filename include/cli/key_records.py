"""What a key stands for: its record, the job that was made for it, and the code that the job was given."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.cli.aws import client, read_json
from include.cli.errors import StackError
from include.core.archives import extract
from include.core.code import archive_digest, file_digests, step_files
from include.core.cycle import find_cycles
from include.core.documents.manifest import KeyRecord
from include.core.exceptions import FlywheelError, PermanentError
from include.core.layout import job_name, split_uri
from include.core.ledger import Ledger
from include.core.places import Places, parse_place
from include.core.sagemaker.kinds import JobKind, kind_of
from include.core.settings import Settings
from include.core.steps import job_step


class Records:
    """Looks up what was recorded, in the bucket of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.s3, self.sagemaker = client(settings, "s3"), client(settings, "sagemaker")

    def key(self, named: str) -> tuple[str, str]:
        """Cycle and key of what `named` names: a training job, `<cycle>/<interval>`, or a key's beginning."""
        if not named:
            raise StackError(
                "Nothing is named: give a training job, <cycle>/<interval>, or a key's beginning."
            )
        cycle, _, interval = named.partition("/")
        if interval:
            return cycle, self._decided(cycle, interval)
        try:
            told = self.sagemaker.describe_training_job(TrainingJobName=named)["HyperParameters"]
        except ClientError:
            return self._beginning(named)
        return told["cycle"], told["key"]

    def read(self, cycle: str, key: str) -> KeyRecord:
        """The record of a key, which is what the key was made from."""
        uri = Places(self.settings.bucket, cycle).key_record(key)
        record = KeyRecord.from_json(read_json(self.s3, uri))
        if record.key != key:
            raise StackError(f"{uri} is not what its key was made from: somebody changed it. Restore it.")
        return record

    def job(self, record: KeyRecord, key: str) -> dict[str, Any]:
        """SageMaker's description of the last job for a key, a completed one if there is any."""
        kind = kind_of(record.step)
        interval, found = record.interval, None
        for generation in count(1):
            name = job_name(record.cycle, record.step, interval, key, generation)
            try:
                description = self._describe(kind, name)
            except ClientError:
                break
            if found is None or kind.is_ok(description) or not kind.is_ok(found):
                found = description
        if found is None:
            raise StackError(f"SageMaker knows no {kind.name} {name.removesuffix(f'-g{generation}')}.")
        return found

    def code(self, record: KeyRecord, description: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the files of the step's code with their digests, from the job's archive; None if it is gone.

        Another version of the project may have other rooms: then all files of the archive are compared.

        :raises StackError: the archive is not what its name says
        """
        uri = code_uri(description)
        if uri is None:
            return None
        bucket, name = split_uri(uri)
        try:
            body = self.s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        except ClientError:
            return None
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
                extract(tar, root)
            everything = {path for path in root.rglob("*") if path.is_file()}
            if Places(bucket, record.cycle).code(archive_digest(everything, root)) != uri:
                raise StackError(f"The code archive {uri} is not the one that was recorded. Restore it.")
            try:
                files = step_files(job_step(record.step), record.cycle, root)
            except PermanentError:
                files = everything
            return file_digests(files, root)

    def _describe(self, kind: JobKind, name: str) -> dict[str, Any]:
        found: dict[str, Any] = getattr(self.sagemaker, kind.describe)(**{kind.name_field: name})
        return found

    def _decided(self, cycle: str, interval: str) -> str:
        """The key of the training that the ledger's last decision about an interval was about."""
        entries = Ledger(self.s3, self.settings.bucket, cycle).entries()
        decided = [entry for entry in entries if entry.kind == "decision"]
        known = {str(entry.interval): entry.key for entry in decided}
        named = [each for each in known if each == interval or each.startswith(f"{interval}_")]
        if len(named) != 1:
            intervals = ", ".join(sorted(known)) or "none"
            raise StackError(f"The ledger of {cycle} has no decision about {interval}. It has: {intervals}.")
        return known[named[0]]

    def _beginning(self, named: str) -> tuple[str, str]:
        """The one key that begins with `named`."""
        found = []
        for cycle in find_cycles():
            bucket, prefix = split_uri(Places(self.settings.bucket, cycle).key_records)
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + named)
            places = [parse_place(item["Key"]) for page in pages for item in page.get("Contents", [])]
            found += [(cycle, place.parts["key"]) for place in places if place]
        if len(found) != 1:
            count_word = (
                f"{len(found)} keys begin" if found else "No training job is named, and no key begins"
            )
            raise StackError(
                f"{count_word} with {named!r}. Give a training job's name, <cycle>/<interval> as the ledger "
                "has it, or so much of a key that there is one."
            )
        return found[0]


def code_uri(description: Mapping[str, Any]) -> str | None:
    """Where the code of a job is; None for a batch transform, whose model carries it."""
    for channel in description.get("InputDataConfig", []):
        if channel["ChannelName"] == "code":
            return str(channel["DataSource"]["S3DataSource"]["S3Uri"])
    for given in description.get("ProcessingInputs", []):
        if given["InputName"] == "code":
            return str(given["S3Input"]["S3Uri"])
    return None


def recorded_code(records: Records, record: KeyRecord, key: str) -> dict[str, str] | None:
    """The files of a key's code, or None where its job or its archive cannot be found any more."""
    try:
        return records.code(record, records.job(record, key))
    except (StackError, FlywheelError):
        return None
