"""`make traffic`: an interval's records sent to the live endpoint, then its labels as ground truth."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, groupby
from typing import Any

import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from include.cli.driver import cycle_named
from include.cli.environment import client, sagemaker_of
from include.cli.terminal import StackError, Terminal
from include.core.cycle import Cycle
from include.core.exceptions import FlywheelError
from include.core.layout import (
    MANIFEST,
    Interval,
    hour_folder,
    job_name_prefix,
    scoring_dag,
    split_uri,
    start_text,
    training_dag,
)
from include.core.places import Places, key_of, parse_place
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.inputs import read_manifest, read_output
from include.core.sagemaker.kinds import PROCESSING
from include.core.schedule import starting_at, window_schedule
from include.core.settings import Settings

#: answers after which the tool says how far it is
SHOWN_EVERY = 200
#: length of `2013-03`
MONTH_CHARACTERS = 7


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be sent, and how."""

    cycle: str
    #: start of the interval: `2013-03`, or a date or time
    interval: str
    #: requests a second; None: as fast as they are answered
    rate: float | None = None
    connections: int = 4
    #: only so many requests, from the first; None: all
    rows: int | None = None
    #: labels that became known later are not delivered; None: all that are known by now
    until: datetime | None = None
    #: send what was sent before once more
    again: bool = False

    def __post_init__(self) -> None:
        """Refuse what would send nothing."""
        least = {"rate": self.rate, "connections": self.connections, "rows": self.rows}
        wrong = [f"--{name} {value}" for name, value in least.items() if value is not None and value <= 0]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} must be more than 0.")


def traffic(settings: Settings, terminal: Terminal, plan: Plan) -> int:
    """Send an interval's records, one request each, then deliver their labels; 0 if all were answered.

    Done twice, it repeats nothing: an interval that was sent is marked as such, and a ground-truth file that
    is there is left as it is.
    """
    cycle, interval = _find_interval(plan)
    sagemaker = sagemaker_of(settings)
    places = Places(settings.bucket, cycle.name)
    _check_endpoint(sagemaker, cycle)
    prepared = Prepared(sagemaker, cycle.name, interval)
    events = prepared.events()[: plan.rows]
    # tells that the records of this output of prepare were sent
    mark = places.traffic(interval, key_of(prepared.uri), len(events))
    faults: Mapping[str, int] = {}
    if sagemaker.sizes(mark) and not plan.again:
        terminal.say(f"  {len(events):,} requests of {interval} were sent before; not again")
    else:
        seconds, faults = send(settings, terminal, plan, events)
        terminal.say(f"  {_summary(seconds, faults)}")
        if not faults:
            sagemaker.put_once(mark, json.dumps({"prepared": prepared.uri, "requests": len(events)}).encode())
    sent = {event.event_id for event in events}
    known = [label for label in prepared.labels() if label.event_id in sent]
    until = plan.until or datetime.now(UTC)
    delivered, files = deliver(sagemaker, places.ground_truth, interval, known, until)
    others = f"{len(known) - delivered:,} were delivered before or are not known yet"
    terminal.say(f"  {delivered:,} labels delivered in {files} files; {others}")
    return 1 if faults else 0


def _find_interval(plan: Plan) -> tuple[Cycle, Interval]:
    cycle = cycle_named(plan.cycle)
    start = f"{plan.interval}-01" if len(plan.interval) == MONTH_CHARACTERS else plan.interval
    try:
        return cycle, starting_at(cycle, start, window_schedule(cycle))
    except FlywheelError as error:
        raise StackError(str(error)) from error


def _check_endpoint(sagemaker: SageMaker, cycle: Cycle) -> None:
    try:
        status = sagemaker.api.describe_endpoint(EndpointName=cycle.name)["EndpointStatus"]
    except (ClientError, BotoCoreError) as error:
        raise StackError(
            f"The endpoint {cycle.name} cannot be asked: {error}. Start the services with `make run`, and "
            f"deploy a model by {training_dag(cycle.name)}."
        ) from error
    if status not in {"InService", "Updating"}:
        raise StackError(f"The endpoint {cycle.name} is {status}; see its run of `deploy`.")


# What a client would send, and what it would learn later


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

    @property
    def hour(self) -> datetime:
        """Return the hour in which it became known."""
        return self.known_time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

    def as_ground_truth(self) -> dict[str, Any]:
        """Return it in SageMaker's format, with the times that Flywheel adds."""
        about = {
            "eventId": self.event_id,
            "knownTime": self.known_time.isoformat(),
            "eventTime": self.event_time.isoformat(),
        }
        truth = {"data": self.label, "encoding": "CSV"}
        return {"groundTruthData": truth, "eventMetadata": about, "eventVersion": "0"}


class Prepared:
    """The output of the last completed prepare of an interval.

    :param cycle: the cycle's name
    """

    def __init__(self, sagemaker: SageMaker, cycle: str, interval: Interval) -> None:
        self._sagemaker, self._cycle, self._interval = sagemaker, cycle, interval
        self.uri = self._find()

    def events(self) -> list[Event]:
        """Return every record that was to be scored, in order of the events' times."""
        times = self._times()
        events = [
            Event(row[0], times[row[0]], _csv_line(row[1:]))
            for name in self._names("batch/")
            for row in read_records(name, self._read(name).decode())
        ]
        return sorted(events, key=lambda event: (event.event_time, event.event_id))

    def labels(self) -> list[Label]:
        """Return every label that the data holds, in the order in which they became known."""
        times = self._times()
        labels = [
            Label(row["event_id"], times[row["event_id"]], str(row["label"]), row["known_time"])
            for row in self._rows("labels/labels.parquet", ["event_id", "label", "known_time"])
        ]
        return sorted(labels, key=lambda label: (label.known_time, label.event_id))

    def _times(self) -> dict[str, datetime]:
        return {
            row["event_id"]: row["event_time"]
            for name in self._names("rows/")
            for row in self._rows(name, ["event_id", "event_time"])
        }

    def _find(self) -> str:
        """Return where the last prepare of the interval wrote, by SageMaker's own list of jobs."""
        for job in self._sagemaker.jobs(PROCESSING, job_name_prefix(self._cycle, "prepare", self._interval)):
            if job["ProcessingJobStatus"] != "Completed":
                continue
            description = self._sagemaker.describe(PROCESSING, job["ProcessingJobName"])
            uri = str(description["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])
            parsed = parse_place(split_uri(uri.rstrip("/") + "/")[1])
            is_its_own = parsed and parsed.parts.get("interval") == str(self._interval)
            if is_its_own and self._sagemaker.sizes(uri + MANIFEST):
                return uri
        raise StackError(
            f"Nothing of {self._cycle} is prepared for {self._interval}. Run {scoring_dag(self._cycle)} "
            f"with interval_start={start_text(self._interval.start)} first: what is sent is what it scored."
        )

    def _names(self, folder: str) -> list[str]:
        manifest = read_manifest(self._sagemaker, self.uri, key_of(self.uri))
        return [file.name for file in manifest.files if file.name.startswith(folder)]

    def _rows(self, name: str, columns: list[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(self._read(name)), columns=columns).to_pylist()
        return rows

    def _read(self, name: str) -> bytes:
        body = read_output(self._sagemaker, self.uri + name)
        if body is None:
            raise StackError(f"{self.uri}{name} is gone. Clear `prepare` of its run.")
        return body


def read_records(name: str, text: str) -> Iterable[list[str]]:
    """Return event id and features of each record of a batch, as texts; a missing value is empty."""
    if not name.endswith(".jsonl"):
        return csv.reader(io.StringIO(text, newline=""))
    records = [json.loads(line) for line in text.rstrip("\n").split("\n")]
    return [
        [record["event_id"], *("" if value is None else str(value) for value in record["features"].values())]
        for record in records
    ]


def _csv_line(cells: list[str]) -> str:
    """Return a row as CSV again; the reader took the quotes away."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


# Sent, and delivered


def send(
    settings: Settings, terminal: Terminal, plan: Plan, events: list[Event]
) -> tuple[list[float], Counter[str]]:
    """Send all events in their order by several connections; return seconds of answers, and faults."""
    runtime = client(settings, "sagemaker-runtime", max_pool_connections=plan.connections)
    began = time.monotonic()

    def send_one(number: int, event: Event) -> float | str:
        if plan.rate:
            time.sleep(max(0.0, began + number / plan.rate - time.monotonic()))
        start = time.monotonic()
        try:
            runtime.invoke_endpoint(
                EndpointName=plan.cycle,
                ContentType="text/csv",
                Accept="text/csv",
                InferenceId=event.event_id,
                CustomAttributes=f"event_time={event.event_time.isoformat()}",
                Body=event.body.encode(),
            )["Body"].read()
        except (ClientError, BotoCoreError) as error:
            return str(error)
        return time.monotonic() - start

    seconds, faults = list[float](), Counter[str]()
    with ThreadPoolExecutor(plan.connections) as pool:
        for answer in pool.map(send_one, count(), events):
            if isinstance(answer, str):
                faults[answer] += 1
            else:
                seconds.append(answer)
            if len(seconds) % SHOWN_EVERY == 0:
                terminal.show(f"  {len(seconds):,} of {len(events):,} answered")
    return seconds, faults


def _summary(seconds: list[float], faults: Mapping[str, int]) -> str:
    """Return how many were answered, how fast, and what went wrong."""
    text = f"{len(seconds):,} requests answered"
    if seconds:
        ordered = sorted(seconds)
        middle, slow = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        text += f", half of them within {middle:.1f} ms, 99 % within {slow:.1f} ms"
    return "".join([text, *(f"\n  {times:,} not answered: {fault}" for fault, times in faults.items())])


def deliver(
    sagemaker: SageMaker, ground_truth: str, interval: Interval, labels: Iterable[Label], until: datetime
) -> tuple[int, int]:
    """Write labels as ground truth into the hours in which they became known.

    An hour is delivered when it is over, so that a later delivery adds hours and changes none. A file is
    named by its content. Return how many labels and files are new.
    """
    n_labels = n_files = 0
    for hour, known in groupby(sorted(labels, key=lambda label: label.hour), lambda label: label.hour):
        if hour + timedelta(hours=1) > until:
            continue
        lines = [json.dumps(label.as_ground_truth(), separators=(",", ":")) + "\n" for label in known]
        body = "".join(lines).encode()
        name = f"{interval}-{hashlib.sha256(body).hexdigest()[:12]}.jsonl"
        if sagemaker.put_once(f"{ground_truth}{hour_folder(hour)}/{name}", body):
            n_labels, n_files = n_labels + len(lines), n_files + 1
    return n_labels, n_files
