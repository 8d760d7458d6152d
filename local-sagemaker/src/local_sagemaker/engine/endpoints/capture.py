"""Data capture of endpoints: which invocations are kept, in which form, and in which files they appear."""

from __future__ import annotations

import base64
import json
import logging
import random
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

log = logging.getLogger(__name__)

#: a variant's events are written when they are this many bytes ...
FLUSH_BYTES = 4 * 1024 * 1024
#: ... or, whatever their size, after this time, in seconds
FLUSH_INTERVAL_S = 2.0

Mode = Literal["Input", "Output"]


class Objects(Protocol):
    """The part of the object store that capturing needs."""

    def put_bytes(self, bucket: str, key: str, content: bytes) -> Any:  # noqa: ANN401 - unused
        """Store an object, whole or not at all."""


@dataclass(frozen=True)
class CaptureConfig:
    """The DataCaptureConfig of an endpoint configuration."""

    bucket: str
    #: key prefix, without a slash at its end
    prefix: str
    #: 0..100
    sampling_percentage: int
    modes: frozenset[Mode]
    csv_types: frozenset[str]
    json_types: frozenset[str]

    @classmethod
    def from_request(cls, given: Mapping[str, Any] | None) -> CaptureConfig | None:
        """Read it from a request; None when nothing is to be captured."""
        if not given or not given.get("EnableCapture", True):
            return None
        bucket, _, prefix = given["DestinationS3Uri"].partition("://")[2].partition("/")
        modes: set[Mode] = set()
        for option in given["CaptureOptions"]:
            both = option["CaptureMode"] == "InputAndOutput"
            modes |= {"Input", "Output"} if both else {option["CaptureMode"]}
        types = given.get("CaptureContentTypeHeader", {})
        return cls(
            bucket=bucket,
            prefix=prefix.rstrip("/"),
            sampling_percentage=given["InitialSamplingPercentage"],
            modes=frozenset(modes),
            csv_types=frozenset(map(_kind, types.get("CsvContentTypes", []))),
            json_types=frozenset(map(_kind, types.get("JsonContentTypes", []))),
        )

    def takes(self) -> bool:
        """Decide, by the sampling percentage, whether this invocation is kept."""
        return random.uniform(0, 100) < self.sampling_percentage  # noqa: S311 - no secret

    def encoding(self, content_type: str) -> Literal["CSV", "JSON", "BASE64"]:
        """How data of a content type stands in a record: as text only where its type is listed."""
        kind = _kind(content_type)
        if kind in self.csv_types:
            return "CSV"
        return "JSON" if kind in self.json_types else "BASE64"


@dataclass(frozen=True)
class Invocation:
    """One invocation to be captured, as it was on the wire."""

    time: datetime
    given: bytes
    given_type: str
    answer: bytes
    answer_type: str
    inference_id: str | None
    #: the header X-Amzn-SageMaker-Custom-Attributes
    custom_attributes: str | None = None


def record(config: CaptureConfig, event: Invocation) -> bytes:
    """One line of a capture file, with its line's end."""
    data: dict[str, Any] = {}
    if "Input" in config.modes:
        data["endpointInput"] = _part(config, "INPUT", event.given, event.given_type)
    if "Output" in config.modes:
        data["endpointOutput"] = _part(config, "OUTPUT", event.answer, event.answer_type)
    metadata: dict[str, Any] = {"eventId": str(uuid.uuid4())}
    if event.custom_attributes is not None:
        metadata["customAttributes"] = [event.custom_attributes]
    if event.inference_id is not None:
        metadata["inferenceId"] = event.inference_id
    metadata["inferenceTime"] = event.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    line = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def key(config: CaptureConfig, endpoint: str, variant: str, time: datetime) -> str:
    """A new object key for events of which the first came at `time`."""
    name = f"{time:%Y/%m/%d/%H/%M-%S}-{time.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
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


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class CaptureBuffer:
    """Events of one variant on their way to files; an invocation costs one append.

    `add` and `take` are called on the event loop, `write` in a thread. What is not yet written is lost with
    the process, as it is on SageMaker when an instance dies.
    """

    def __init__(self, config: CaptureConfig, endpoint: str, variant: str, objects: Objects) -> None:
        self.config = config
        self._endpoint, self._variant, self._objects = endpoint, variant, objects
        self._events: list[Invocation] = []
        self._held_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it should be written before its time."""
        return self._held_bytes >= FLUSH_BYTES

    def add(self, event: Invocation) -> None:
        """Hold an event."""
        self._held_bytes += len(event.given) + len(event.answer)
        self._events.append(event)

    def take(self) -> list[Invocation]:
        """Hand over what is held."""
        taken, self._events, self._held_bytes = self._events, [], 0
        return taken

    def write(self, events: list[Invocation]) -> None:
        """Write events, one file for each hour they fall into. Only whole files ever appear."""
        for hour in _by_hour(events):
            place = key(self.config, self._endpoint, self._variant, hour[0].time)
            content = b"".join(record(self.config, event) for event in hour)
            try:
                self._objects.put_bytes(self.config.bucket, place, content)
            except Exception:
                log.exception("Lost %d captures meant for s3://%s/%s", len(hour), self.config.bucket, place)


def _by_hour(events: Iterable[Invocation]) -> list[list[Invocation]]:
    hours: dict[datetime, list[Invocation]] = {}
    for event in events:
        hour = event.time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours.setdefault(hour, []).append(event)
    return list(hours.values())
