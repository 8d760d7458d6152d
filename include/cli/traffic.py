"""`make traffic`: an interval's records sent to the live endpoint, then its labels as ground truth."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from threading import Lock, local
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.cli.aws import client
from include.cli.errors import StackError
from include.cli.terminal import Terminal
from include.cli.traffic_rows import Event, Label, Prepared
from include.core.cycle import Cycle, find_cycles
from include.core.exceptions import FlywheelError
from include.core.layout import Interval, hour_folder, split_uri, training_dag
from include.core.places import Places, key_of
from include.core.schedule import starting_at, window_schedule
from include.core.settings import Settings

#: answers after which the tool says how far it is
TOLD_EVERY = 200
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
    cycle, interval = _place(plan)
    _check_endpoint(settings, cycle)
    prepared = Prepared(settings, cycle.name, interval)
    events = prepared.events()[: plan.rows]
    mark = Mark(settings, cycle, interval, prepared.uri, len(events))
    sender = Sender(settings, terminal, cycle.name, plan)
    if mark.is_set and not plan.again:
        terminal.say(f"  {len(events):,} requests of {interval} were sent before; not again")
    else:
        sender.send(events)
        terminal.say(f"  {sender.told()}")
        if not sender.faults:
            mark.set()
    sent = {event.event_id for event in events}
    known = [label for label in prepared.labels() if label.event_id in sent]
    delivered, files = deliver(settings, cycle, interval, known, plan.until or datetime.now(UTC))
    others = f"{len(known) - delivered:,} were delivered before or are not known yet"
    terminal.say(f"  {delivered:,} labels delivered in {files} files; {others}")
    return 1 if sender.faults else 0


def _place(plan: Plan) -> tuple[Cycle, Interval]:
    cycles = find_cycles()
    if plan.cycle not in cycles:
        raise StackError(f"There is no cycle {plan.cycle!r}. Known: {', '.join(cycles)}.")
    cycle = cycles[plan.cycle]
    start = f"{plan.interval}-01" if len(plan.interval) == MONTH_CHARACTERS else plan.interval
    try:
        return cycle, starting_at(cycle, start, window_schedule(cycle))
    except FlywheelError as error:
        raise StackError(str(error)) from error


def _check_endpoint(settings: Settings, cycle: Cycle) -> None:
    try:
        found = client(settings, "sagemaker").describe_endpoint(EndpointName=cycle.name)
    except (ClientError, BotoCoreError) as error:
        raise StackError(
            f"The endpoint {cycle.name} cannot be asked: {error}. Start the services with `make run`, and "
            f"deploy a model by {training_dag(cycle.name)}."
        ) from error
    if found["EndpointStatus"] not in {"InService", "Updating"}:
        raise StackError(f"The endpoint {cycle.name} is {found['EndpointStatus']}; see its run of `deploy`.")


@dataclass
class Sender:
    """Several connections that send requests at a common rate."""

    settings: Settings
    terminal: Terminal
    endpoint: str
    plan: Plan
    #: by what they say, how often
    faults: dict[str, int] = field(default_factory=dict)
    _seconds: list[float] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _own: local = field(default_factory=local)

    def send(self, events: list[Event]) -> None:
        """Send all events in their order, as far as several connections have one."""
        began = time.monotonic()
        with ThreadPoolExecutor(self.plan.connections) as pool:
            for _ in pool.map(lambda pair: self._one(began, *pair), enumerate(events)):
                if len(self._seconds) % TOLD_EVERY == 0:
                    self.terminal.show(f"  {len(self._seconds):,} of {len(events):,} answered")

    def told(self) -> str:
        """How it went."""
        seconds = sorted(self._seconds)
        text = f"{len(seconds):,} requests answered"
        if seconds:
            middle, slow = (1000 * seconds[int(len(seconds) * share)] for share in (0.5, 0.99))
            text += f", half of them within {middle:.1f} ms, 99 % within {slow:.1f} ms"
        for fault, count in self.faults.items():
            text += f"\n  {count:,} not answered: {fault}"
        return text

    def _one(self, began: float, number: int, event: Event) -> None:
        if self.plan.rate:
            time.sleep(max(0.0, began + number / self.plan.rate - time.monotonic()))
        start = time.monotonic()
        try:
            self._client().invoke_endpoint(
                EndpointName=self.endpoint,
                ContentType="text/csv",
                Accept="text/csv",
                InferenceId=event.event_id,
                CustomAttributes=f"event_time={event.event_time.isoformat()}",
                Body=event.body.encode(),
            )["Body"].read()
        except (ClientError, BotoCoreError) as error:
            with self._lock:
                self.faults[str(error)] = self.faults.get(str(error), 0) + 1
        else:
            with self._lock:
                self._seconds.append(time.monotonic() - start)

    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        """This thread's own connection."""
        if not hasattr(self._own, "client"):
            with self._lock:  # making clients is not safe in several threads
                self._own.client = client(self.settings, "sagemaker-runtime")
        return self._own.client


class Mark:
    """Tells, in S3, that the records of an output of prepare were sent."""

    def __init__(self, settings: Settings, cycle: Cycle, interval: Interval, uri: str, count: int) -> None:
        self._s3 = client(settings, "s3")
        places = Places(settings.bucket, cycle.name)
        self._bucket, self._key = split_uri(places.traffic(interval, key_of(uri), count))
        self._content = {"prepared": uri, "requests": count}

    @property
    def is_set(self) -> bool:
        """Whether it was done."""
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._key, MaxKeys=1)
        return bool(found.get("Contents"))

    def set(self) -> None:
        """Say that it is done."""
        self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=json.dumps(self._content).encode())


def deliver(
    settings: Settings, cycle: Cycle, interval: Interval, labels: Iterable[Label], until: datetime
) -> tuple[int, int]:
    """Write labels as ground truth into the hours in which they became known; labels and files that are new.

    An hour is delivered when it is over, so that a later delivery adds hours and changes none. A file is
    named by its content.
    """
    s3 = client(settings, "s3")
    n_labels = n_files = 0
    for hour, lines in _by_hour(labels):
        if hour + timedelta(hours=1) > until:
            continue
        body = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines).encode()
        name = f"{interval}-{hashlib.sha256(body).hexdigest()[:12]}.jsonl"
        uri = f"{Places(settings.bucket, cycle.name).ground_truth}{hour_folder(hour)}/{name}"
        if _put_new(s3, *split_uri(uri), body):
            n_labels, n_files = n_labels + len(lines), n_files + 1
    return n_labels, n_files


def _by_hour(labels: Iterable[Label]) -> Iterator[tuple[datetime, list[Mapping[str, Any]]]]:
    def hour_of(label: Label) -> datetime:
        return label.known_time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

    for hour, group in groupby(sorted(labels, key=hour_of), hour_of):
        yield hour, [_record(label) for label in group]


def _record(label: Label) -> dict[str, Any]:
    """Ground truth in SageMaker's format, with the times that Flywheel adds."""
    about = {
        "eventId": label.event_id,
        "knownTime": label.known_time.isoformat(),
        "eventTime": label.event_time.isoformat(),
    }
    truth = {"data": label.label, "encoding": "CSV"}
    return {"groundTruthData": truth, "eventMetadata": about, "eventVersion": "0"}


def _put_new(s3: Any, bucket: str, key: str, body: bytes) -> bool:  # noqa: ANN401 - a boto3 client
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"PreconditionFailed", "ConditionalRequestConflict"}:
            raise
        return False
    return True
