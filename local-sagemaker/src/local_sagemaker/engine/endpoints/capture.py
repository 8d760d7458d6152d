"""Data capture of endpoints: which invocations are sampled, their records, and the files of the records."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

log = logging.getLogger(__name__)

#: a variant's events are written when they have this many bytes ...
FLUSH_BYTES = 4 * 1024 * 1024
#: ... and at this interval at the latest, in seconds
FLUSH_INTERVAL_S = 2.0
#: how often buffers are looked at, in seconds
TICK_S = 0.2

Mode = Literal["Input", "Output"]


class CaptureStore(Protocol):
    """The part of the object store that the data capture needs."""

    def put_bytes(self, bucket: str, key: str, content: bytes) -> Any:  # noqa: ANN401 - unused
        """Store an object, whole or not at all."""


@dataclass(frozen=True)
class CaptureConfig:
    """The DataCaptureConfig of an endpoint configuration."""

    bucket: str
    #: key prefix, without a slash at its end
    prefix: str
    #: 0 to 100
    sampling_percentage: int
    modes: frozenset[Mode]
    csv_types: frozenset[str]
    json_types: frozenset[str]

    @classmethod
    def from_request(cls, config: Mapping[str, Any] | None) -> CaptureConfig | None:
        """Parse a DataCaptureConfig; return None if it captures nothing."""
        if not config or not config.get("EnableCapture", True):
            return None
        bucket, _, prefix = config["DestinationS3Uri"].partition("://")[2].partition("/")
        modes: set[Mode] = set()
        for option in config["CaptureOptions"]:
            both = option["CaptureMode"] == "InputAndOutput"
            modes |= {"Input", "Output"} if both else {option["CaptureMode"]}
        types = config.get("CaptureContentTypeHeader", {})
        return cls(
            bucket=bucket,
            prefix=prefix.rstrip("/"),
            sampling_percentage=config["InitialSamplingPercentage"],
            modes=frozenset(modes),
            csv_types=frozenset(map(_media_type, types.get("CsvContentTypes", []))),
            json_types=frozenset(map(_media_type, types.get("JsonContentTypes", []))),
        )

    def is_sampled(self) -> bool:
        """Draw, by the sampling percentage, whether to capture this invocation."""
        return random.uniform(0, 100) < self.sampling_percentage  # noqa: S311 - no secret

    def encoding(self, content_type: str) -> Literal["CSV", "JSON", "BASE64"]:
        """Return the encoding of a content type in a record: text only if the type is listed."""
        media_type = _media_type(content_type)
        if media_type in self.csv_types:
            return "CSV"
        return "JSON" if media_type in self.json_types else "BASE64"


@dataclass(frozen=True)
class CapturedInvocation:
    """One invocation as it was on the wire."""

    time: datetime
    input: bytes
    input_type: str
    output: bytes
    output_type: str
    inference_id: str | None
    #: the header X-Amzn-SageMaker-Custom-Attributes
    custom_attributes: str | None = None


def capture_record(config: CaptureConfig, event: CapturedInvocation) -> bytes:
    """Return one line of a capture file, newline included."""
    data: dict[str, Any] = {}
    if "Input" in config.modes:
        data["endpointInput"] = _part(config, "INPUT", event.input, event.input_type)
    if "Output" in config.modes:
        data["endpointOutput"] = _part(config, "OUTPUT", event.output, event.output_type)
    metadata: dict[str, Any] = {"eventId": str(uuid.uuid4())}
    if event.custom_attributes is not None:
        metadata["customAttributes"] = [event.custom_attributes]
    if event.inference_id is not None:
        metadata["inferenceId"] = event.inference_id
    metadata["inferenceTime"] = event.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    line = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def new_key(config: CaptureConfig, endpoint: str, variant: str, at: datetime) -> str:
    """Return a new object key for events of which the first came at `at`."""
    name = f"{at:%Y/%m/%d/%H/%M-%S}-{at.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
    return "/".join(part for part in (config.prefix, endpoint, variant, name) if part)


def _part(config: CaptureConfig, mode: str, data: bytes, content_type: str) -> dict[str, str]:
    encoding: str = config.encoding(content_type)
    text = None
    if encoding != "BASE64":
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            encoding = "BASE64"
    if text is None:
        text = base64.b64encode(data).decode()
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class CaptureBuffer:
    """Events of one variant that are not written yet; an invocation costs one append.

    `add` and `take` are called on the event loop, `write` in a thread. A kill of the process loses the
    events, as the death of an instance does on SageMaker.
    """

    def __init__(self, config: CaptureConfig, endpoint: str, variant: str, objects: CaptureStore) -> None:
        self.config = config
        self._endpoint, self._variant, self._objects = endpoint, variant, objects
        self._events: list[CapturedInvocation] = []
        self._held_bytes = 0

    @property
    def is_full(self) -> bool:
        """Return whether it should be written before its time."""
        return self._held_bytes >= FLUSH_BYTES

    def add(self, event: CapturedInvocation) -> None:
        """Append an event."""
        self._held_bytes += len(event.input) + len(event.output)
        self._events.append(event)

    def take(self) -> list[CapturedInvocation]:
        """Return all events and forget them."""
        taken, self._events, self._held_bytes = self._events, [], 0
        return taken

    def write(self, events: list[CapturedInvocation]) -> None:
        """Write events, one file for each hour; a file appears only as a whole."""
        for hour in _by_hour(events):
            key = new_key(self.config, self._endpoint, self._variant, hour[0].time)
            content = b"".join(capture_record(self.config, event) for event in hour)
            try:
                self._objects.put_bytes(self.config.bucket, key, content)
            except Exception:
                log.exception("Lost %d captures meant for s3://%s/%s", len(hour), self.config.bucket, key)


class CaptureWriter:
    """Writes buffers when they are full, at every FLUSH_INTERVAL_S, and at the end."""

    def __init__(self, buffers: Callable[[], list[CaptureBuffer]]) -> None:
        """Keep the function that returns the present buffers."""
        self._buffers = buffers
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to write regularly."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write all events and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.write(self._buffers())

    async def write(self, buffers: Iterable[CaptureBuffer]) -> None:
        """Write the events of these buffers."""
        for buffer in buffers:
            events = buffer.take()
            if events:
                # shielded: a cancelled write would lose the taken events
                await asyncio.shield(asyncio.to_thread(buffer.write, events))

    async def _run(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            is_due = time.monotonic() - last >= FLUSH_INTERVAL_S
            last = time.monotonic() if is_due else last
            await self.write([buffer for buffer in self._buffers() if is_due or buffer.is_full])


def _by_hour(events: Iterable[CapturedInvocation]) -> list[list[CapturedInvocation]]:
    hours: dict[datetime, list[CapturedInvocation]] = {}
    for event in events:
        hour = event.time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours.setdefault(hour, []).append(event)
    return list(hours.values())
