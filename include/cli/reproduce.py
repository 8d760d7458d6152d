"""`make reproduce`: train a recorded model again from its record, and compare the two models' answers."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.cli.aws import client, read_json
from include.cli.errors import StackError
from include.cli.key_records import Records, recorded_code
from include.cli.terminal import Terminal
from include.core.code import file_digests, step_files
from include.core.cycle import find_cycles
from include.core.documents.manifest import KeyRecord, Manifest, files_digest
from include.core.exceptions import FlywheelError
from include.core.keys import differences, differing_files, environment_digest
from include.core.layout import MANIFEST, REPRODUCTION, folder_of, job_name, split_uri
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import PROCESSING, TRAINING, JobKind
from include.core.sagemaker.requests import ApiRequest, JobSpec, Source, processing
from include.core.sagemaker.runner import AttachedJob, JobRunner, put_code
from include.core.settings import Settings
from include.core.steps import job_step

#: largest difference of a probability that counts as the same
TOLERANCE = 1e-6
LOOK_INTERVAL_S = 0.5
STEP = "reproduce"
#: what of a training's description makes the same training again
REQUEST = (
    "RoleArn",
    "AlgorithmSpecification",
    "HyperParameters",
    "Environment",
    "InputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A training as it was recorded."""

    key: str
    record: KeyRecord
    #: SageMaker's description of its job
    description: Mapping[str, Any]

    @property
    def transform_uri(self) -> str:
        """The output of transform that it was trained on."""
        (train,) = (c for c in self.description["InputDataConfig"] if c["ChannelName"] == "train")
        return str(train["DataSource"]["S3DataSource"]["S3Uri"]).removesuffix("train/")


def reproduce(settings: Settings, terminal: Terminal, *, named: str, tolerance: float) -> int:
    """Train again, compare, print the verdict; 0 if the answers are the same within the tolerance."""
    try:
        records = Records(settings)
        recorded = _find(records, named)
        _check(records, recorded, terminal)
        return _Run(records, recorded, terminal).verdict(tolerance)
    except FlywheelError as error:
        raise StackError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise StackError(
            f"SageMaker or S3 did not answer as needed: {error}. Is it up (`make run`)?"
        ) from error


def compare_keys(settings: Settings, terminal: Terminal, *, first: str, second: str) -> int:
    """Print what differs between the records of two keys, a line each."""
    try:
        records = Records(settings)
        keys = [records.key(named) for named in (first, second)]
        found = [records.read(cycle, key) for cycle, key in keys]
        code = [recorded_code(records, record, key) for record, (_, key) in zip(found, keys, strict=True)]
    except FlywheelError as error:
        raise StackError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"The records cannot be read: {error}. Is the service up (`make run`)?") from error
    both = (code[0], code[1]) if code[0] is not None and code[1] is not None else None
    for letter, (_, key) in zip("AB", keys, strict=True):
        terminal.say(f"  {letter}  {key}")
    for line in differences(found[0], found[1], both) or ["nothing differs"]:
        terminal.say(f"  {line}")
    return 0


def _find(records: Records, named: str) -> Recorded:
    cycle, key = records.key(named)
    record = records.read(cycle, key)
    if record.step != "train":
        raise StackError(f"{key} is the key of a {record.step}, not of a training. Give a training's.")
    description = records.job(record, key)
    if not TRAINING.is_ok(description):
        raise StackError(f"{description['TrainingJobName']} did not complete: it left no model to compare.")
    return Recorded(key=key, record=record, description=description)


# What is there beside what was recorded


def _check(records: Records, recorded: Recorded, terminal: Terminal) -> None:
    """Name every input that is not what was recorded.

    What the training itself reads stops it; what merely is otherwise in the project of now is told.
    """
    terminal.say(f"  {recorded.description['TrainingJobName']}, key {recorded.key}")
    code = records.code(recorded.record, recorded.description)
    wrong = changed_files(records.s3, recorded)
    if code is None:
        wrong.append("the code archive is missing")
    for line in wrong:
        terminal.say(f"  changed: {line}")
    if wrong:
        raise StackError(
            f"Not trained again: {len(wrong)} input(s) are not what was recorded ({'; '.join(wrong)}). "
            "Restore them, or clear the step that makes them."
        )
    notes = _notes(records.settings, recorded, code or {})
    for line in notes:
        terminal.say(f"  now otherwise: {line}")
    terminal.say(
        "  Going on with the recorded code, image and threads, and the libraries that are installed."
        if notes
        else "  Every input is as it was recorded."
    )


def changed_files(s3: Any, recorded: Recorded) -> list[str]:  # noqa: ANN401 - a boto3 client
    """The files of the transform's output that are not what its manifest says, and the manifest itself."""
    place = recorded.transform_uri
    manifest = Manifest.from_json(read_json(s3, f"{place}{MANIFEST}"))
    if {files_digest(manifest.files)} != set(recorded.record.inputs.values()):
        return [f"{place}{MANIFEST} lists other files than were trained on"]
    expected = {file.name: file.sha256 for file in manifest.files}
    actual = {name: found for name in expected if (found := _sha256(s3, f"{place}{name}"))}
    return differing_files(expected, actual, "the manifest", place)


def _sha256(s3: Any, uri: str) -> str | None:  # noqa: ANN401 - a boto3 client
    bucket, key = split_uri(uri)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except s3.exceptions.NoSuchKey:
        return None
    digest = hashlib.sha256()
    for chunk in body.iter_chunks(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _notes(settings: Settings, recorded: Recorded, code: Mapping[str, str]) -> list[str]:
    """What in the project of now is otherwise than it was recorded."""
    files = file_digests(step_files(job_step("train"), recorded.record.cycle))
    notes = differing_files(code, files, "the record", "the project")
    now = replace(recorded.record, environment=environment_digest(), threads=settings.threads)
    notes += [f"{line} (then and now)" for line in differences(recorded.record, now)]
    image = recorded.description["AlgorithmSpecification"]["TrainingImage"]
    if image != settings.image_uri:
        notes.append(f"image: {image} and {settings.image_uri} (then and now)")
    return notes


# The two jobs


class _Run:
    """One repetition, with a name and a place of its own that nothing else reads."""

    def __init__(self, records: Records, recorded: Recorded, terminal: Terminal) -> None:
        self.records, self.recorded, self.terminal = records, recorded, terminal
        self.settings = records.settings
        self.sagemaker = SageMaker(partial(client, records.settings))
        self.cycle = find_cycles()[recorded.record.cycle]
        self.interval = recorded.record.interval
        self.name = job_name(self.cycle.name, STEP, self.interval, uuid.uuid4().hex)
        self.place = Places(self.settings.bucket, self.cycle.name).reproduction(recorded.key, self.name)

    def verdict(self, tolerance: float) -> int:
        """Train, compare, print; 0 if reproduced."""
        with self.terminal.timed("training"):
            request = repetition(self.recorded, self.name, self.place)
            again = self._complete(TRAINING, request)["ModelArtifacts"]["S3ModelArtifacts"]
        with self.terminal.timed("comparison"):
            self._complete(PROCESSING, self._comparison(again, tolerance))
        found = read_json(self.records.s3, f"{self.place}comparison/{REPRODUCTION}")
        word = "Reproduced" if found["is_reproduced"] else "NOT reproduced"
        self.terminal.say(
            f"  {word}: largest difference {found['largest']} over {found['rows']} rows of the holdout, "
            f"{found['rows_beyond']} of them beyond the tolerance of {found['tolerance']}"
        )
        self.terminal.say(f"  Both jobs are called {self.name}; their outputs are at {self.place}")
        return 0 if found["is_reproduced"] else 1

    def _comparison(self, again: str, tolerance: float) -> dict[str, Any]:
        original = self.recorded.description["ModelArtifacts"]["S3ModelArtifacts"]
        job = JobSpec(
            name=self.name,
            step=STEP,
            cycle=self.cycle,
            interval=self.interval,
            key=self.recorded.key,
            code_uri=put_code(self.sagemaker, self.settings.bucket, self.cycle.name),
            output_uri=f"{self.place}comparison/",
            settings=self.settings,
        )
        inputs = {
            "rows": Source(f"{self.recorded.transform_uri}holdout/"),
            "original": Source(folder_of(original)),
            "again": Source(folder_of(again)),
        }
        return processing(job, inputs, {"tolerance": str(tolerance)})

    def _complete(self, kind: JobKind, request: ApiRequest) -> dict[str, Any]:
        """Start a job and return its description once it has completed."""
        runner = JobRunner(
            self.sagemaker,
            kind,
            poll_interval_s=LOOK_INTERVAL_S,
            on_look=lambda found: self.terminal.show(
                f"  {kind.name} {self.name}: {found.get('SecondaryStatus', 'running')}"
            ),
        )
        runner.create(request)
        return runner.finish(AttachedJob(job=self.name, key=self.recorded.key, uri=self.place, interval=[]))


def repetition(recorded: Recorded, name: str, place: str) -> dict[str, Any]:
    """The request that starts the recorded training again, under another name and with another output."""
    request = {field: recorded.description[field] for field in REQUEST if field in recorded.description}
    return {**request, "TrainingJobName": name, "OutputDataConfig": {"S3OutputPath": place.rstrip("/")}}
