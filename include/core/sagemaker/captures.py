"""Captured requests and ground truth in S3: which of their files concern a window, and which are too old."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from include.core.cycle import Cycle
from include.core.documents.codec import digest
from include.core.documents.manifest import InputFile, InputList
from include.core.exceptions import FlywheelError
from include.core.layout import Interval, hour_folder, split_uri
from include.core.objects import list_folders, list_objects
from include.core.places import Places, parse_place
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.requests import Source, StepInput
from include.core.schedule import ticks, window_schedule
from include.core.settings import Settings


@dataclass(frozen=True)
class File:
    """One object of a listing."""

    #: what follows the listing's root
    name: str
    etag: str
    size: int


def captured_files(hook: SageMaker, settings: Settings, cycle: Cycle, window: Interval) -> list[File]:
    """Return the files whose events may lie in a window.

    A file lies in the hour of its requests, which is not that of their events: a request may come before its
    event, and, where traffic is sent again, long after it. The cycle's `request_lead` and `request_lag` say
    how far the two may be apart.
    """
    root, rule = Places(settings.bucket, cycle.name).captured, cycle.monitoring
    first = window.start - rule.request_lead
    if rule.retention is not None:
        # from when on files are there, and still will be while a job reads them
        reading = min(timedelta(hours=1), rule.retention / 10)
        first = max(first, datetime.now(UTC) - rule.retention + reading)
    end = None if rule.request_lag is None else window.end + rule.request_lag
    variants = list_folders(hook.s3, *split_uri(f"{root}{cycle.name}/"))
    return [
        file for name in variants for file in files_by_hour(hook, root, f"{cycle.name}/{name}/", first, end)
    ]


def truth_files(hook: SageMaker, settings: Settings, cycle: Cycle, window: Interval) -> list[File]:
    """Return the files whose labels may be of a window's events: from its start to its horizon."""
    root = Places(settings.bucket, cycle.name).ground_truth
    return list(files_by_hour(hook, root, "", window.start, horizon(cycle, window)))


def horizon(cycle: Cycle, window: Interval) -> datetime:
    """Return until when labels of a window are waited for: as many windows more as its decisions look at."""
    return list(islice(ticks(window_schedule(cycle), window.end), cycle.monitoring.windows))[-1]


def files_by_hour(
    hook: SageMaker, root: str, folder: str, first: datetime, end: datetime | None
) -> Iterator[File]:
    """Every file of an hour folder from that of `first` on, up to but not in that of `end`."""
    bucket, prefix = split_uri(root)
    below = f"{prefix}{folder}"
    last = None if end is None else f"{below}{hour_folder(_ceiling(end))}"
    for item in list_objects(hook.s3, bucket, below, after=f"{below}{hour_folder(first)}"):
        if last is not None and item["Key"] >= last:
            return
        if item["Key"].endswith(".jsonl"):
            yield File(item["Key"].removeprefix(prefix), item["ETag"].strip('"'), int(item["Size"]))


def _ceiling(moment: datetime) -> datetime:
    """Return the full hour at or after a moment, in UTC."""
    moment = moment.astimezone(UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + timedelta(hours=1)


def identity(files: Iterable[File]) -> str:
    """Return a listing's digest: other names, or other content, give another one."""
    return digest([[file.name, file.etag, file.size] for file in files])


def as_input(hook: SageMaker, settings: Settings, cycle: Cycle, root: str, files: list[File]) -> StepInput:
    """One input of a job for any number of files.

    :param root: `s3://` URI that their names follow
    """
    content: list[Mapping[str, str] | str] = [{"prefix": root}, *(file.name for file in files)]
    uri = Places(settings.bucket, cycle.name).manifest_list(digest(content))
    hook.put_document(uri, content)
    listed = InputList(
        uri=root, files=tuple(InputFile(name=file.name, bytes=file.size, etag=file.etag) for file in files)
    )
    return StepInput(Source(uri, "ManifestFile"), identity(files), listed)


#: nothing but captured files of an hour is ever removed
CAPTURED = ("captured", "captured_batch")
#: objects that S3 deletes by one request
BATCH = 1000


class Expiry:
    """What was captured and is older than the cycle's `Monitoring.retention`.

    :param now: the moment that ages are counted from; by the hour of a request, never by a window
    """

    def __init__(self, hook: SageMaker, settings: Settings, cycle: Cycle, now: datetime) -> None:
        self.hook, self.settings, self.cycle, self.now = hook, settings, cycle, now

    def remove(self) -> int:
        """Remove every file whose hour has ended longer ago than files are kept; how many there were."""
        retention = self.cycle.monitoring.retention
        if retention is None:
            return 0
        limit = (self.now - retention).astimezone(UTC)
        return sum(self._remove_before(folder, limit) for folder in self.places())

    def places(self) -> Iterator[str]:
        """Return the folders below which captured files lie by the hour, as `s3://` URIs."""
        places = Places(self.settings.bucket, self.cycle.name)
        bucket, root = split_uri(places.captured)
        for endpoint in list_folders(self.hook.s3, bucket, root):
            for variant in list_folders(self.hook.s3, bucket, f"{root}{endpoint}/"):
                yield f"{places.captured}{endpoint}/{variant}/"
        yield from (f"{places.captured_batch}{kind}/" for kind in ("input", "output"))

    def _remove_before(self, folder: str, limit: datetime) -> int:
        """Remove the files of the hours that ended by `limit`; one that is gone already is no error.

        :raises FlywheelError: S3 refuses
        """
        bucket, prefix = split_uri(folder)
        end = f"{prefix}{hour_folder(limit)}/"
        old: list[str] = []
        for item in list_objects(self.hook.s3, bucket, prefix):
            if item["Key"] >= end:
                break
            parsed = parse_place(item["Key"])
            if parsed is not None and parsed.kind in CAPTURED:
                old.append(item["Key"])
        for first in range(0, len(old), BATCH):
            listed = {"Objects": [{"Key": key} for key in old[first : first + BATCH]], "Quiet": True}
            errors = self.hook.s3.delete_objects(Bucket=bucket, Delete=listed).get("Errors", [])
            if errors:
                raise FlywheelError(
                    f"{len(errors)} captured files cannot be removed, the first of them {errors[0]['Key']}: "
                    f"{errors[0]['Code']}. Let the connection's identity delete objects below "
                    f"{Places(bucket, self.cycle.name).captured.rstrip('/')}."
                )
        return len(old)
