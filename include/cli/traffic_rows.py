"""What a client would send for an interval, and what it would learn later: from the outputs of prepare."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.parquet as pq

from include.cli.aws import client
from include.cli.errors import StackError
from include.core.documents.manifest import Manifest
from include.core.layout import MANIFEST, Interval, job_name_prefix, scoring_dag, split_uri, start_text
from include.core.places import parse_place
from include.core.sagemaker.kinds import PROCESSING
from include.core.settings import Settings


@dataclass(frozen=True)
class Event:
    """One request as a client would send it."""

    event_id: str
    event_time: datetime
    #: one CSV row of the signature's columns
    body: str


@dataclass(frozen=True)
class Label:
    """What became known of one event."""

    event_id: str
    event_time: datetime
    label: str
    known_time: datetime


class Prepared:
    """The output of the last completed prepare of an interval.

    :param cycle: the cycle's name
    """

    def __init__(self, settings: Settings, cycle: str, interval: Interval) -> None:
        self._s3, self._sagemaker = client(settings, "s3"), client(settings, "sagemaker")
        self._cycle, self._interval = cycle, interval
        self.uri = self._find()
        self._bucket, self._prefix = split_uri(self.uri)

    def events(self) -> list[Event]:
        """Every record that was to be scored, in order of the events' times."""
        times = self._times()
        rows = (row for name in self._names("batch/") for row in csv.reader(io.StringIO(self._text(name))))
        return sorted(
            (Event(row[0], times[row[0]], _line(row[1:])) for row in rows),
            key=lambda event: (event.event_time, event.event_id),
        )

    def labels(self) -> list[Label]:
        """Every label that the data holds, in the order in which they became known."""
        times = self._times()
        rows = self._table("labels/labels.parquet", ["event_id", "label", "known_time"])
        found = (
            Label(row["event_id"], times[row["event_id"]], str(row["label"]), row["known_time"])
            for row in rows
        )
        return sorted(found, key=lambda label: (label.known_time, label.event_id))

    def _times(self) -> dict[str, datetime]:
        return {
            row["event_id"]: row["event_time"]
            for name in self._names("rows/")
            for row in self._table(name, ["event_id", "event_time"])
        }

    def _find(self) -> str:
        """Where the last prepare of the interval wrote, by SageMaker's own list of jobs."""
        name = job_name_prefix(self._cycle, "prepare", self._interval)
        pages = self._sagemaker.get_paginator("list_processing_jobs").paginate(
            NameContains=name, StatusEquals="Completed", SortBy="CreationTime", SortOrder="Descending"
        )
        for job in (job for page in pages for job in page["ProcessingJobSummaries"]):
            described = PROCESSING.describe
            found = getattr(self._sagemaker, described)(ProcessingJobName=job["ProcessingJobName"])
            uri = str(found["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])
            place = parse_place(split_uri(uri.rstrip("/") + "/")[1])
            if place and place.parts.get("interval") == str(self._interval) and self._is_there(uri):
                return uri
        raise StackError(
            f"Nothing of {self._cycle} is prepared for {self._interval}. Run {scoring_dag(self._cycle)} "
            f"with interval_start={start_text(self._interval.start)} first: what is sent is what it scored."
        )

    def _is_there(self, uri: str) -> bool:
        bucket, prefix = split_uri(uri)
        found = self._s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}{MANIFEST}", MaxKeys=1)
        return bool(found.get("Contents"))

    def _names(self, folder: str) -> Iterator[str]:
        manifest = Manifest.from_text(self._text(MANIFEST))
        return (file.name for file in manifest.files if file.name.startswith(folder))

    def _table(self, name: str, columns: list[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(self._bytes(name)), columns=columns).to_pylist()
        return rows

    def _text(self, name: str) -> str:
        return self._bytes(name).decode("utf-8")

    def _bytes(self, name: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()
        return body


def _line(cells: list[str]) -> str:
    """A row as CSV again; the reader took the quotes away."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
