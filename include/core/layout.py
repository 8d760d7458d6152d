"""How intervals, jobs and places are written. docs/architecture.md, "Names and places", is the rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time

from include.core.exceptions import FlywheelError

#: SageMaker's limit for the name of a job, a model or an endpoint configuration
NAME_LIMIT = 63
#: hexadecimal digits of the key in a job's name
KEY_DIGITS = 12


@dataclass(frozen=True, order=True)
class Interval:
    """The half-open interval `[start, end)` of a run, in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{_moment(self.start)}_{_moment(self.end)}"

    @property
    def iso(self) -> list[str]:
        """Start and end in ISO 8601, as XComs and manifests write them."""
        return [self.start.isoformat(), self.end.isoformat()]

    @classmethod
    def from_iso(cls, pair: list[str]) -> Interval:
        """The interval of an XCom or a manifest."""
        start, end = (datetime.fromisoformat(text).astimezone(UTC) for text in pair)
        return cls(start, end)


def _moment(moment: datetime) -> str:
    """`2013-01-01`, or `2013-01-01T06-00` where it is not midnight: fit for a path and for sorting."""
    return f"{moment:%Y-%m-%d}" if moment.time() == time(0) else f"{moment:%Y-%m-%dT%H-%M}"


def job_name(cycle: str, step: str, interval: Interval, key: str, generation: int = 1) -> str:
    """The name of the job that makes the output `key`; a taken name therefore means: the same job."""
    suffix = "" if generation == 1 else f"-g{generation}"
    name = f"{cycle}-{step.replace('_', '-')}-{interval.start:%Y%m%d}-{key[:KEY_DIGITS]}{suffix}"
    if len(name) > NAME_LIMIT:
        raise FlywheelError(
            f"The job name {name!r} has {len(name)} characters, SageMaker allows {NAME_LIMIT}. "
            "Shorten the cycle's name."
        )
    return name


def output_uri(bucket: str, cycle: str, step: str, interval: Interval, key: str) -> str:
    """Where a step's output is, with a closing slash."""
    return f"s3://{bucket}/{cycle}/{step}/{interval}/{key}/"


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` URI."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise FlywheelError(f"{uri!r} is no s3:// URI.")
    return bucket, key
