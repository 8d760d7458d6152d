"""What the endpoint captured, as it comes in: how much of it, of which windows, and with how many labels.

A window's own numbers come from its collect; these are what has come whether or not it was collected yet.
Captured files are many, so only the newest are read, each once, and the answer says whether these are all.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from flywheel.ui.objects import Json, ObjectCache
from include.core.cycle import Cycle
from include.core.layout import Interval, split_uri
from include.core.objects import Item
from include.core.places import Places
from include.core.schedule import interval_around, window_schedule

#: how many files are read at most, the newest: of captures, and of ground truth
FILES = 200
#: ... and how many bytes of them
BYTES = 32 * 1024 * 1024
#: levels of folders by the hour: `yyyy/mm/dd/hh/`
LEVELS = 4
#: where among a request's custom attributes the time of its event stands
EVENT_TIME = re.compile(r"(?:^|[;,\s])event_time=([^;,\s]+)")


#: what reading a record raises that is cut off, lacks something, or names a time beyond the calendar
UNUSABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass
class Captured:
    """One file's requests."""

    #: the events that were asked about, once for each request, by their window
    events: dict[Interval, list[str]] = field(default_factory=dict)
    malformed: int = 0


class Traffic:
    """What one cycle's endpoint captures.

    :param objects: what S3 holds
    """

    def __init__(self, objects: ObjectCache, bucket: str, cycle: Cycle) -> None:
        self._objects, self._bucket, self._cycle = objects, bucket, cycle
        self._captured: OrderedDict[str, Captured] = OrderedDict()
        self._truth: OrderedDict[str, set[str]] = OrderedDict()

    def summary(self) -> Json:
        """Return the windows of the last captures, oldest first; `labelled` only if not monitored yet."""
        places = Places(self._bucket, self._cycle.name)
        _, root = split_uri(f"{places.captured}{self._cycle.name}/")
        variants = self._objects.folders(self._bucket, root)
        chosen, is_all = _chosen([item for variant in variants for item in self._newest(f"{root}{variant}/")])
        files = self._read(chosen, self._captured, self._requests)
        monitored = set(self._objects.folders(*split_uri(places.watch)))
        windows = sorted({window for file in files for window in file.events})
        labels, truth = self._labels([window for window in windows if str(window) not in monitored])
        return {
            "files": len(files),
            "is_all": is_all,
            "newest": max((item["LastModified"].isoformat() for item in chosen), default=None),
            "requests": sum(len(asked) for file in files for asked in file.events.values()),
            "malformed": sum(file.malformed for file in files),
            "truth": truth,
            "windows": [
                _window(window, files, labels, is_monitored=str(window) in monitored) for window in windows
            ],
        }

    def _labels(self, windows: list[Interval]) -> tuple[set[str], Json | None]:
        """Return the events that ground truth was delivered of, if there are windows to look it up for."""
        if not windows:
            return set(), None
        items, is_all = _chosen(
            list(self._newest(split_uri(Places(self._bucket, self._cycle.name).ground_truth)[1]))
        )
        files = self._read(items, self._truth, _truths)
        return set().union(*files), {"files": len(files), "is_all": is_all}

    def _newest(self, prefix: str) -> Iterator[Item]:
        """One file more than are read, from the newest hour on."""
        return islice(self._by_hour(prefix, LEVELS), FILES + 1)

    def _by_hour(self, prefix: str, levels: int) -> Iterator[Item]:
        if not levels:
            items = self._objects.items(self._bucket, prefix)
            yield from sorted(items, key=lambda item: item["LastModified"], reverse=True)
            return
        for name in reversed(self._objects.folders(self._bucket, prefix)):
            yield from self._by_hour(f"{prefix}{name}/", levels - 1)

    def _read(self, items: list[Item], known: OrderedDict[str, Any], parse: Callable[[bytes], Any]) -> Any:  # noqa: ANN401 - what `parse` gives
        """Return what is in files; known files are not read again, older ones are forgotten."""
        keys = [item["Key"] for item in items]
        missing = [key for key in keys if key not in known]
        known |= {key: parse(body) for key, body in self._objects.read(self._bucket, missing).items()}
        for key in set(known) - set(keys):
            del known[key]
        return [known[key] for key in keys if key in known]

    def _requests(self, body: bytes) -> Captured:
        captured, window = Captured(), None
        for line in body.splitlines():
            try:
                event, moment = _event(json.loads(line)["eventMetadata"])
                if window is None or not window.start <= moment < window.end:
                    window = interval_around(window_schedule(self._cycle), moment)
            except UNUSABLE:
                captured.malformed += 1
                continue
            captured.events.setdefault(window, []).append(event)
        return captured


def _chosen(items: list[Item]) -> tuple[list[Item], bool]:
    """Return the newest files, as many as are read, and whether these are all."""
    items = sorted(items, key=lambda item: item["LastModified"], reverse=True)
    chosen: list[Item] = []
    for item in items[:FILES]:
        if sum(newer["Size"] for newer in chosen) + item["Size"] > BYTES:
            break
        chosen.append(item)
    return chosen, len(chosen) == len(items)


def _event(metadata: Json) -> tuple[str, datetime]:
    """Return the event of a request and its time, by the rules of docs/reference/captured-traffic.md."""
    event = metadata.get("inferenceId") or metadata["eventId"]
    given = metadata.get("customAttributes") or []
    texts = [given] if isinstance(given, str) else given
    times = [match.group(1) for text in texts if (match := EVENT_TIME.search(str(text)))]
    moment = datetime.fromisoformat(times[0] if times else metadata["inferenceTime"])
    return str(event), moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _truths(body: bytes) -> set[str]:
    """Return the events that a file of ground truth is about."""
    events = set()
    for line in body.splitlines():
        try:
            events.add(str(json.loads(line)["eventMetadata"]["eventId"]))
        except UNUSABLE:
            continue  # collect tells of it, with the reason
    return events


def _window(window: Interval, files: list[Captured], labels: set[str], *, is_monitored: bool) -> Json:
    asked = [event for file in files for event in file.events.get(window, ())]
    events = set(asked)
    return {
        "window": window.iso,
        "name": str(window),
        "requests": len(asked),
        "events": len(events),
        "labelled": None if is_monitored else len(events & labels),
        "is_monitored": is_monitored,
    }
