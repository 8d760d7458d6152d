"""`make reproduce`: train a recorded model again from its record, and compare the two models' answers."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.cli.airflow_api import Json
from include.cli.environment import read_document
from include.cli.key_records import Records
from include.cli.terminal import StackError, Terminal
from include.core.code import file_digests, step_files
from include.core.cycle import described_cycle
from include.core.documents.manifest import KeyRecord, Manifest, files_digest
from include.core.documents.model import Reproduction
from include.core.exceptions import FlywheelError
from include.core.keys import differences, differing_files, environment_digest
from include.core.layout import MANIFEST, REPRODUCTION, folder_of, job_name, split_uri
from include.core.places import Places
from include.core.sagemaker.inputs import put_input_lists
from include.core.sagemaker.kinds import PROCESSING, TRAINING, JobKind
from include.core.sagemaker.requests import ApiRequest, JobSpec, StepInput, StepInputs, step_request
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
        """Return the output of transform that it was trained on."""
        (train,) = (c for c in self.description["InputDataConfig"] if c["ChannelName"] == "train")
        return str(train["DataSource"]["S3DataSource"]["S3Uri"]).removesuffix("train/")


def reproduce(settings: Settings, terminal: Terminal, *, run: str, tolerance: float) -> int:
    """Train again, compare, print the verdict; 0 if the answers are the same within the tolerance."""
    with _plain_errors():
        records = Records(settings)
        recorded = _find(records, run)
        _check(records, recorded, terminal)
        return _repeat(records, recorded, terminal, tolerance)


def compare_keys(settings: Settings, terminal: Terminal, *, first: str, second: str) -> int:
    """Print what differs between the records of two keys, a line each."""
    with _plain_errors():
        records = Records(settings)
        keys = [records.key(named) for named in (first, second)]
        one, other = (records.read(cycle, key) for cycle, key in keys)
        code = [
            records.code_if_found(record, key) for record, (_, key) in zip((one, other), keys, strict=True)
        ]
        both = (code[0], code[1]) if code[0] is not None and code[1] is not None else None
        for letter, (_, key) in zip("AB", keys, strict=True):
            terminal.say(f"  {letter}  {key}")
        for line in differences(one, other, both) or ["nothing differs"]:
            terminal.say(f"  {line}")
    return 0


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Tell what Flywheel or AWS report as an error of the stack."""
    try:
        yield
    except FlywheelError as error:
        raise StackError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"SageMaker or S3 gave no answer: {error}. Is it up (`make run`)?") from error


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
    if code is None or wrong:
        raise StackError(
            f"Not trained again: {len(wrong)} input(s) are not what was recorded ({'; '.join(wrong)}). "
            "Restore them, or clear the step that makes them."
        )
    notes = _notes(records.settings, recorded, code)
    for line in notes:
        terminal.say(f"  now otherwise: {line}")
    going_on = "Going on with the recorded code, image and threads, and the libraries that are installed."
    terminal.say(f"  {going_on if notes else 'Every input is as it was recorded.'}")


def changed_files(s3: Any, recorded: Recorded) -> list[str]:  # noqa: ANN401 - a boto3 client
    """Return what of the transform's output, its manifest included, is not what was recorded."""
    folder = recorded.transform_uri
    manifest = read_document(s3, f"{folder}{MANIFEST}", Manifest)
    if {files_digest(manifest.files)} != set(recorded.record.inputs.values()):
        return [f"{folder}{MANIFEST} lists other files than were trained on"]
    expected = {file.name: file.sha256 for file in manifest.files}
    actual = {name: sha256 for name in expected if (sha256 := _sha256(s3, f"{folder}{name}"))}
    return differing_files(expected, actual, "the manifest", folder)


def _sha256(s3: Any, uri: str) -> str | None:  # noqa: ANN401 - a boto3 client
    bucket, key = split_uri(uri)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except s3.exceptions.NoSuchKey:
        return None
    return hashlib.file_digest(body, "sha256").hexdigest()


def _notes(settings: Settings, recorded: Recorded, code: Mapping[str, str]) -> list[str]:
    """Return what in the project of now is otherwise than it was recorded."""
    files = file_digests(step_files(job_step("train"), recorded.record.cycle))
    notes = differing_files(code, files, "the record", "the project")
    now = replace(recorded.record, environment=environment_digest(), threads=settings.threads)
    notes += [f"{line} (then and now)" for line in differences(recorded.record, now)]
    image = recorded.description["AlgorithmSpecification"]["TrainingImage"]
    if image != settings.image_uri:
        notes.append(f"image: {image} and {settings.image_uri} (then and now)")
    return notes


# The two jobs


def _repeat(records: Records, recorded: Recorded, terminal: Terminal, tolerance: float) -> int:
    """Train and compare, under a name and in a place that nothing else reads; 0 if reproduced."""
    cycle, interval = recorded.record.cycle, recorded.record.interval
    name = job_name(cycle, STEP, interval, uuid.uuid4().hex)
    target = Places(records.settings.bucket, cycle).reproduction(recorded.key, name)

    def complete(kind: JobKind, request: ApiRequest) -> Json:
        runner = JobRunner(
            records.sagemaker,
            kind,
            poll_interval_s=LOOK_INTERVAL_S,
            on_look=lambda job: terminal.show(
                f"  {kind.name} {name}: {job.get('SecondaryStatus', 'running')}"
            ),
        )
        runner.create(request)
        return runner.finish(AttachedJob(job=name, key=recorded.key, uri=target, interval=[]))

    with terminal.timed("training"):
        again = complete(TRAINING, repetition(recorded, name, target))
    with terminal.timed("comparison"):
        inputs = {
            "rows": StepInput.at(f"{recorded.transform_uri}holdout/"),
            "original": StepInput.at(_model_of(recorded.description)),
            "again": StepInput.at(_model_of(again)),
        }
        job = JobSpec(
            name=name,
            step=STEP,
            cycle=described_cycle(cycle),
            interval=interval,
            key=recorded.key,
            code_uri=put_code(records.sagemaker, records.settings.bucket, cycle),
            output_uri=f"{target}comparison/",
            settings=records.settings,
            inputs_uri=put_input_lists(records.sagemaker, Places(records.settings.bucket, cycle), inputs),
        )
        given = StepInputs(inputs, {"tolerance": str(tolerance)})
        complete(PROCESSING, step_request(job, given))
    outcome = read_document(records.s3, f"{job.output_uri}{REPRODUCTION}", Reproduction)
    terminal.say(
        f"  {'Reproduced' if outcome.is_reproduced else 'NOT reproduced'}: largest difference "
        f"{outcome.largest} over {outcome.rows} rows of the holdout, "
        f"{outcome.rows_beyond} of them beyond the tolerance of {outcome.tolerance}"
    )
    terminal.say(f"  Both jobs are called {name}; their outputs are at {target}")
    return 0 if outcome.is_reproduced else 1


def _model_of(description: Mapping[str, Any]) -> str:
    """Return the folder of the model that a training made."""
    return folder_of(description["ModelArtifacts"]["S3ModelArtifacts"])


def repetition(recorded: Recorded, name: str, target: str) -> Json:
    """Return the request of the recorded training, under another name and with another output."""
    request = {field: recorded.description[field] for field in REQUEST if field in recorded.description}
    return {**request, "TrainingJobName": name, "OutputDataConfig": {"S3OutputPath": target.rstrip("/")}}
