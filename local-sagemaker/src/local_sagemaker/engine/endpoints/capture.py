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
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from local_sagemaker.engine.jobs.channels import bucket_and_key
from local_sagemaker.engine.processes import tasks

log = logging.getLogger(__name__)

#: a variant's events are written when they have this many bytes ...
FLUSH_BYTES = 4 * 1024 * 1024
#: ... and at this interval at the latest, in seconds
FLUSH_INTERVAL_S = 2.0
#: how often buffers are looked at, in seconds
TICK_S = 0.2


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
    #: Input, Output or both
    modes: frozenset[str]
    csv_types: frozenset[str]
    json_types: frozenset[str]

    @classmethod
    def from_request(cls, config: Mapping[str, Any] | None) -> CaptureConfig | None:
        """Parse a DataCaptureConfig; return None if it captures nothing."""
        if not config or not config.get("EnableCapture", True):
            return None
        bucket, prefix = bucket_and_key(config["DestinationS3Uri"])
        chosen: set[str] = {option["CaptureMode"] for option in config["CaptureOptions"]}
        modes = {"Input", "Output"} if "InputAndOutput" in chosen else chosen
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


def _part(config: CaptureConfig, mode: str, data: bytes, content_type: str) -> dict[str, str]:
    """Return one side of a record: as text if its content type is listed and it is UTF-8, else in base64."""
    kinds = {"CSV": config.csv_types, "JSON": config.json_types}
    media_type, part = _media_type(content_type), {"observedContentType": content_type, "mode": mode}
    for encoding in (name for name, types in kinds.items() if media_type in types):
        with suppress(UnicodeDecodeError):
            return {**part, "data": data.decode("utf-8"), "encoding": encoding}
    return {**part, "data": base64.b64encode(data).decode(), "encoding": "BASE64"}


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
        self.held_bytes = 0

    def add(self, event: CapturedInvocation) -> None:
        """Append an event."""
        self.held_bytes += len(event.input) + len(event.output)
        self._events.append(event)

    def take(self) -> list[CapturedInvocation]:
        """Return all events and forget them."""
        taken, self._events, self.held_bytes = self._events, [], 0
        return taken

    def write(self, events: list[CapturedInvocation]) -> None:
        """Write events, one file for each hour, named for its first event; a file appears only as a whole."""
        hours: dict[str, list[CapturedInvocation]] = {}
        for event in events:
            hours.setdefault(f"{event.time.astimezone(UTC):%Y/%m/%d/%H}", []).append(event)
        for hour, hours_events in hours.items():
            at = hours_events[0].time
            name = f"{at:%M-%S}-{at.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            key = "/".join(filter(None, (self.config.prefix, self._endpoint, self._variant, hour, name)))
            content = b"".join(capture_record(self.config, event) for event in hours_events)
            try:
                self._objects.put_bytes(self.config.bucket, key, content)
            except Exception:
                log.exception("Lost %d captures for s3://%s/%s", len(hours_events), self.config.bucket, key)


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
        await tasks.cancel(self._task)
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
            await self.write(one for one in self._buffers() if is_due or one.held_bytes >= FLUSH_BYTES)
