"""Every name: intervals, files of steps, jobs, versions, DAGs and URIs; `places` has those of the bucket.

What is written here is also parsed here, and nowhere else. Loads the standard library alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time

from include.core.exceptions import FlywheelError

#: SageMaker's limit for the name of a job, a model or an endpoint configuration
NAME_LIMIT = 63
#: hexadecimal digits of the key in a job's name
KEY_DIGITS = 12
#: what a cycle may be called
CYCLE_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")

# Files that steps write, by what is in them. Tables and pictures of one step alone are that step's own.
MANIFEST = "manifest.json"
QUALITY = "quality.json"
STATISTICS = "statistics.json"
CONSTRAINTS = "constraints.json"
MODEL_ARCHIVE = "model.tar.gz"
SIGNATURE = "signature.json"
METRICS = "metrics.json"
EVALUATION = "evaluation.json"
VERDICT = "verdict.json"
GOLDEN_ROWS = "golden.jsonl"
MODEL_CARD = "model_card.json"
MODEL_CARD_PAGE = "model_card.html"
CALIBRATION = "monitoring.json"
REFERENCE = "reference.parquet"
LABELS = "labels.parquet"
PREDICTIONS = "predictions.parquet"
COVERAGE = "coverage.json"
EVIDENCE = "evidence.json"
DISTRIBUTIONS = "distributions.json"
VIOLATIONS = "constraint_violations.json"
MODEL_QUALITY = "model_quality.json"
MATURED = "matured.json"
PLAN = "plan.json"
INPUT_LISTS = "inputs.json"
REPORT_INPUT = "report_input.json"
REPLAY_INPUT = "replay_input.json"
REPLAY = "replay.json"
REPLAY_PAGE = "replay.html"
REPRODUCTION = "reproduction.json"
REPORT = "report.html"
PROFILE = "profile.html"
#: files of an output that its manifest does not list
NOT_LISTED = (MANIFEST, PROFILE)

# Inputs that every job has: its code, and the list of the files of its other inputs
CODE_INPUT, LISTS_INPUT = "code", "inputs"


# Intervals

_DAY, _MINUTE = "%Y-%m-%d", "%Y-%m-%dT%H-%M"


@dataclass(frozen=True, order=True)
class Interval:
    """The half-open interval `[start, end)` of a run, in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{_moment(self.start)}_{_moment(self.end)}"

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Return the interval that `str` wrote as `text`.

        :raises FlywheelError: `text` is no interval
        """
        try:
            start, end = (
                datetime.strptime(part, _MINUTE if "T" in part else _DAY).replace(tzinfo=UTC)
                for part in text.split("_")
            )
        except ValueError as error:
            raise FlywheelError(
                f"{text!r} is no interval. Write one like 2013-01-01_2013-02-01 or "
                "2013-01-01T06-00_2013-01-01T12-00."
            ) from error
        return cls(start, end)

    @property
    def day(self) -> str:
        """What the texts of all intervals that start on the same day begin with."""
        return f"{self.start:{_DAY}}"

    @property
    def iso(self) -> list[str]:
        """Start and end in ISO 8601, as XComs and documents hold them."""
        return [self.start.isoformat(), self.end.isoformat()]

    @classmethod
    def from_iso(cls, pair: list[str]) -> Interval:
        """Return the interval of an XCom or a document."""
        start, end = (datetime.fromisoformat(text).astimezone(UTC) for text in pair)
        return cls(start, end)


def _moment(moment: datetime) -> str:
    """Return `2013-01-01`, or `2013-01-01T06-00` if it is not midnight: paths dislike colons."""
    return f"{moment:{_DAY}}" if moment.time() == time(0) else f"{moment:{_MINUTE}}"


def start_text(moment: datetime) -> str:
    """Return a start as the param `interval_start` takes it: `2013-01-01`, or `2013-01-01T06:00`."""
    return f"{moment:%Y-%m-%d}" if moment.time() == time(0) else f"{moment:%Y-%m-%dT%H:%M}"


def hour_folder(moment: datetime) -> str:
    """Return the folder of files by the hour, `yyyy/mm/dd/hh`."""
    return f"{moment.astimezone(UTC):%Y/%m/%d/%H}"


def parse_hour(folder: str) -> datetime:
    """Return the hour of a folder `yyyy/mm/dd/hh`.

    :raises ValueError: `folder` is none
    """
    return datetime.strptime(folder, "%Y/%m/%d/%H").replace(tzinfo=UTC)


# Names


@dataclass(frozen=True)
class JobName:
    """What a job's name says."""

    cycle: str
    step: str
    #: the day of the interval's start, `20130101`
    day: str
    #: the first digits of the key
    key: str
    generation: int = 1


_JOB = re.compile(
    rf"(?P<cycle>{CYCLE_NAME.pattern})-(?P<step>[a-z]+(?:-[a-z]+)*)-(?P<day>\d{{8}})"
    rf"-(?P<key>[0-9a-f]{{{KEY_DIGITS}}})(?:-g(?P<generation>\d+))?"
)


def job_name(cycle: str, step: str, interval: Interval, key: str, generation: int = 1) -> str:
    """Return the name of the job that makes the output `key`, so that a taken name means the same job.

    :raises FlywheelError: the name is longer than SageMaker allows
    """
    suffix = "" if generation == 1 else f"-g{generation}"
    name = f"{job_name_prefix(cycle, step, interval)}{key[:KEY_DIGITS]}{suffix}"
    if len(name) > NAME_LIMIT:
        raise FlywheelError(
            f"The job name {name!r} has {len(name)} characters, SageMaker allows {NAME_LIMIT}. "
            "Shorten the cycle's name."
        )
    return name


def job_name_prefix(cycle: str, step: str, interval: Interval) -> str:
    """Return what the names of all jobs of a step for an interval's day begin with."""
    return f"{cycle}-{step.replace('_', '-')}-{job_day(interval)}-"


def job_day(interval: Interval) -> str:
    """Return an interval's day as job names hold it, `20130101`."""
    return f"{interval.start:%Y%m%d}"


def parse_job_name(name: str) -> JobName | None:
    """Return what a job's name says, or None if it is no name that `job_name` makes."""
    match = _JOB.fullmatch(name)
    if match is None:
        return None
    cycle, step, day, key, generation = match.groups()
    return JobName(cycle, step.replace("-", "_"), day, key, int(generation or 1))


def version_of(arn: str) -> str:
    """Return the short name of a version, `flights/3`, from the ARN of its model package."""
    return arn.rpartition("model-package/")[2]


def version_number(arn: str) -> str:
    """Return the number of a version, `3`, from the ARN of its model package or its short name."""
    return arn.rpartition("/")[2]


def training_dag(cycle: str) -> str:
    """Return the id of the DAG that trains and deploys a cycle's models."""
    return f"{cycle}_train_and_deploy"


def scoring_dag(cycle: str) -> str:
    """Return the id of the DAG that scores and monitors a cycle's windows."""
    return f"{cycle}_score_and_monitor"


def retrain_uri(cycle: str) -> str:
    """Return the URI of the asset whose events ask for retraining."""
    return f"flywheel://{cycle}/retrain"


# URIs


def join_uri(bucket: str, key: str) -> str:
    """Return the URI of an object, or of a folder if `key` ends with a slash."""
    return f"s3://{bucket}/{key}"


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an `s3://` URI.

    :raises FlywheelError: `uri` is none
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise FlywheelError(f"{uri!r} is no s3:// URI.")
    return bucket, key


def is_s3(uri: str) -> bool:
    """Whether a URI names something in S3."""
    return uri.startswith("s3://")


def folder_of(uri: str) -> str:
    """Return the folder of an object, with a closing slash."""
    return uri.rpartition("/")[0] + "/"
