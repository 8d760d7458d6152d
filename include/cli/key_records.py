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

from include.cli.airflow_api import Json
from include.cli.environment import read_document, sagemaker_of
from include.cli.terminal import StackError
from include.core.archives import extract
from include.core.code import archive_digest, file_digests, step_files
from include.core.cycle import find_cycles
from include.core.documents.manifest import KeyRecord
from include.core.exceptions import FlywheelError, PermanentError
from include.core.layout import job_name, split_uri
from include.core.ledger import Ledger
from include.core.places import Places, parse_place
from include.core.sagemaker.kinds import kind_of
from include.core.settings import Settings
from include.core.steps import job_step


class Records:
    """Looks up what was recorded, in the bucket of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sagemaker = sagemaker_of(settings)
        self.s3 = self.sagemaker.s3

    def key(self, named: str) -> tuple[str, str]:
        """Return cycle and key of a training job, of `<cycle>/<interval>`, or of a key's beginning."""
        if not named:
            raise StackError("Nothing is named: give a training job, <cycle>/<interval> or part of a key.")
        cycle, _, interval = named.partition("/")
        if interval:
            return cycle, self._decided(cycle, interval)
        try:
            parameters = self.sagemaker.api.describe_training_job(TrainingJobName=named)["HyperParameters"]
        except ClientError:
            return self._beginning(named)
        return parameters["cycle"], parameters["key"]

    def read(self, cycle: str, key: str) -> KeyRecord:
        """Return the record of a key, which is what the key was made from."""
        uri = Places(self.settings.bucket, cycle).key_record(key)
        record = read_document(self.s3, uri, KeyRecord)
        if record.key != key:
            raise StackError(f"{uri} is not what its key was made from: somebody changed it. Restore it.")
        return record

    def job(self, record: KeyRecord, key: str) -> Json:
        """Return SageMaker's description of the last job for a key, a completed one if there is any."""
        kind, last = kind_of(record.step), None
        for generation in count(1):
            name = job_name(record.cycle, record.step, record.interval, key, generation)
            job = self.sagemaker.find_description(kind, name)
            if job is None:
                break
            if last is None or kind.is_ok(job) or not kind.is_ok(last):
                last = job
        if last is None:
            raise StackError(f"SageMaker knows no {kind.name} {name}.")
        return last

    def code(self, record: KeyRecord, description: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the files of the step's code with their digests, from the job's archive; None if it is gone.

        Another version of the project may have other rooms: then all files of the archive are compared.

        :raises StackError: the archive is not what its name says
        """
        uri = code_uri(description)
        body = self.sagemaker.read(uri) if uri else None
        if body is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
                extract(tar, root)
            files = {path for path in root.rglob("*") if path.is_file()}
            if Places(self.settings.bucket, record.cycle).code(archive_digest(files, root)) != uri:
                raise StackError(f"The code archive {uri} is not the one that was recorded. Restore it.")
            try:
                return file_digests(step_files(job_step(record.step), record.cycle, root), root)
            except PermanentError:
                return file_digests(files, root)

    def code_if_found(self, record: KeyRecord, key: str) -> dict[str, str] | None:
        """Return the files of a key's code, or None where its job or its archive cannot be found any more."""
        try:
            return self.code(record, self.job(record, key))
        except (StackError, FlywheelError):
            return None

    def _decided(self, cycle: str, interval: str) -> str:
        """Return the key of the training that the ledger's last decision about an interval was about."""
        entries = Ledger(self.s3, self.settings.bucket, cycle).entries()
        known = {str(entry.interval): entry.key for entry in entries if entry.kind == "decision"}
        named = [name for name in known if name == interval or name.startswith(f"{interval}_")]
        if len(named) != 1:
            intervals = ", ".join(sorted(known)) or "none"
            raise StackError(f"The ledger of {cycle} has no decision about {interval}. It has: {intervals}.")
        return known[named[0]]

    def _beginning(self, named: str) -> tuple[str, str]:
        """Return the one key that begins with `named`."""
        matches = []
        for cycle in find_cycles():
            prefix = f"{Places(self.settings.bucket, cycle).key_records}{named}"
            places = [parse_place(split_uri(prefix + rest)[1]) for rest in self.sagemaker.sizes(prefix)]
            matches += [(cycle, parsed.parts["key"]) for parsed in places if parsed]
        if len(matches) != 1:
            many = f"{len(matches)} keys begin" if matches else "No training job is named, and no key begins"
            raise StackError(
                f"{many} with {named!r}. Give a training job's name, <cycle>/<interval> as the ledger "
                "has it, or so much of a key that there is one."
            )
        return matches[0]


def code_uri(description: Mapping[str, Any]) -> str | None:
    """Return where the code of a job is; None for a batch transform, whose model carries it."""
    channels, given = description.get("InputDataConfig", []), description.get("ProcessingInputs", [])
    sources = {channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in channels}
    sources |= {item["InputName"]: item["S3Input"]["S3Uri"] for item in given}
    return sources.get("code")
