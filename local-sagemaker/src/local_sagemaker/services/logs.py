"""CloudWatch Logs: the output of jobs and endpoints.

Clients cannot write: a log is what a container printed, kept by engine/processes/logs.py. They may delete it
(log_deletion.py).
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.logs import LogEvent
from local_sagemaker.errors import AwsError
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation

PAGE = 50
EVENTS = 10_000
TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


#: of a group's retention policy in the store
RETENTION_KIND = "log-group-retention"
DAY_S = 24 * 3600


class ResourceNotFoundException(AwsError):  # noqa: N818 (the code's name)
    """There is no such log group or stream."""


@operation("logs", "DescribeLogGroups")
def describe_log_groups(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of log groups in the order of their names."""
    prefix, part = parameters.get("logGroupNamePrefix", ""), parameters.get("logGroupNamePattern", "")
    names = [
        name for name in logs.groups(context.root) if name.startswith(prefix) and part.lower() in name.lower()
    ]
    shown, token = _page(names, parameters)
    groups = [
        {
            "logGroupName": name,
            "arn": f"{context.arn('logs', f'log-group:{name}')}:*",
            "creationTime": 0,
            "metricFilterCount": 0,
            "retentionInDays": _retention_days(context, name),
            "storedBytes": sum(
                logs.path(context.root, name, stream).stat().st_size for stream in find_streams(context, name)
            ),
        }
        for name in shown
    ]
    return {"logGroups": groups, "nextToken": token}


@operation("logs", "DescribeLogStreams")
def describe_log_streams(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a group's streams, by name or by the time of their last event."""
    group = _group(parameters)
    names = find_streams(context, group, parameters.get("logStreamNamePrefix", ""))
    streams = [_described(context, group, name) for name in names]
    if parameters.get("orderBy") == "LastEventTime":
        streams.sort(key=lambda stream: stream.get("lastEventTimestamp", 0))
    if parameters.get("descending"):
        streams.reverse()
    shown, token = _page(streams, parameters)
    return {"logStreams": shown, "nextToken": token}


@operation("logs", "GetLogEvents")
def get_log_events(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a stream's events from a token on; at the end the forward token stays what it was."""
    group = _group(parameters)
    path, since = find_stream(context, group, parameters["logStreamName"]), _since(context, group, parameters)
    limit = parameters.get("limit", EVENTS)
    token = parameters.get("nextToken") or ("f/0" if parameters.get("startFromHead") else "b/end")
    direction, offset = _parsed_token(token, path)
    if direction == "f":
        events = list(islice(_within(logs.read(path, offset), parameters, since), limit))
        first, last = (events[0].offset, events[-1].end) if events else (offset, offset)
    else:
        before = (event for event in logs.read(path) if event.end <= offset)
        events = list(deque(_within(before, parameters, since), maxlen=limit))
        first, last = (events[0].offset, events[-1].end) if events else (0, offset)
    return {
        "events": [_event(event) for event in events],
        "nextForwardToken": f"f/{last}",
        "nextBackwardToken": f"b/{first}",
    }


@operation("logs", "FilterLogEvents")
def filter_log_events(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with the events of a group's streams that fit a time and a pattern, stream after stream."""
    group = _group(parameters)
    wanted = parameters.get("logStreamNames")
    names = find_streams(context, group, parameters.get("logStreamNamePrefix", ""))
    names = [name for name in names if wanted is None or name in wanted]
    fits = matcher(parameters.get("filterPattern", ""))
    begin, offset = _position(parameters.get("nextToken"))
    limit, since = parameters.get("limit", EVENTS), _since(context, group, parameters)
    events: list[dict[str, Any]] = []
    for name in names:
        if name < begin:
            continue
        path = logs.path(context.root, group, name)
        for event in _within(logs.read(path, offset if name == begin else 0), parameters, since):
            if not fits(event.message):
                continue
            if len(events) == limit:
                return {"events": events, "nextToken": f"{event.offset}/{name}"}
            identity = f"{event.timestamp:020}{event.offset:036}"
            events.append({"logStreamName": name, "eventId": identity, **_event(event)})
    return {"events": events}


def _group(parameters: dict[str, Any]) -> str:
    name = parameters.get("logGroupName") or parameters.get("logGroupIdentifier")
    if not name:
        raise InvalidParameterException("Give a logGroupName.")
    return str(name).rpartition(":log-group:")[2].removesuffix(":*")


def find_streams(context: Context, group: str, prefix: str = "") -> list[str]:
    """Return the names of a group's streams, sorted; raise ResourceNotFoundException if there is no group."""
    names = logs.streams(context.root, group, prefix)
    if names is None:
        raise ResourceNotFoundException("The specified log group does not exist.")
    return names


def find_stream(context: Context, group: str, name: str) -> Path:
    """Return the file of a stream; raise ResourceNotFoundException if there is none."""
    if name not in find_streams(context, group, name):
        raise ResourceNotFoundException("The specified log stream does not exist.")
    return logs.path(context.root, group, name)


def _described(context: Context, group: str, name: str) -> dict[str, Any]:
    path = logs.path(context.root, group, name)
    described = {
        "logStreamName": name,
        "arn": context.arn("logs", f"log-group:{group}:log-stream:{name}"),
        "storedBytes": path.stat().st_size,
    }
    first, last = next(logs.read(path), None), logs.last(path)
    if first is None or last is None:
        return described
    return described | {
        "creationTime": first.timestamp,
        "firstEventTimestamp": first.timestamp,
        "lastEventTimestamp": last.timestamp,
        "lastIngestionTime": last.timestamp,
    }


def _retention_days(context: Context, group: str) -> int | None:
    policy = context.store.get(RETENTION_KIND, group)
    return None if policy is None else int(policy.document["retentionInDays"])


def _since(context: Context, group: str, parameters: dict[str, Any]) -> int:
    """Return from when on events are shown, in milliseconds since 1970: never beyond the retention."""
    start, days = int(parameters.get("startTime", 0)), _retention_days(context, group)
    return start if days is None else max(start, int((time.time() - days * DAY_S) * 1000))


def _within(events: Iterator[LogEvent], parameters: dict[str, Any], since: int) -> Iterator[LogEvent]:
    end = parameters.get("endTime")
    return (event for event in events if event.timestamp >= since and (end is None or event.timestamp < end))


def _event(event: LogEvent) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp}


def _page(items: list[Any], parameters: dict[str, Any]) -> tuple[list[Any], str | None]:
    begin = _number(parameters.get("nextToken", "0"))
    end = begin + parameters.get("limit", PAGE)
    return items[begin:end], str(end) if end < len(items) else None


def _parsed_token(token: str, path: Path) -> tuple[str, int]:
    direction, _, offset = token.partition("/")
    if direction not in {"f", "b"}:
        raise _invalid()
    return direction, path.stat().st_size if offset == "end" else _number(offset)


def _position(token: str | None) -> tuple[str, int]:
    """Stream and offset to go on from."""
    if token is None:
        return "", 0
    offset, _, name = token.partition("/")
    return name, _number(offset)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise _invalid()
    return int(text)


def _invalid() -> InvalidParameterException:
    return InvalidParameterException("The specified nextToken is invalid.")


class InvalidParameterException(AwsError):  # noqa: N818 (the code's name)
    """A parameter that cannot be worked with."""


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a line fits; every line fits the empty pattern.

    All plain terms must be in the line and no term with `-` may be. Of terms with `?` one is enough; as in
    CloudWatch they count only where no plain term is given.
    """
    text = pattern.strip()
    if text[:1] in {"{", "[", "%"}:
        raise InvalidParameterException(
            f"The filter pattern {pattern!r} selects fields or is a regular expression; the local service "
            'knows terms only, such as ERROR or "two words".'
        )
    terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
    for sign, quoted, word in TERM.findall(text):
        terms[sign].append(re.sub(r"\\(.)", r"\1", quoted) or word)

    def fits(line: str) -> bool:
        if any(term in line for term in terms["-"]) or not all(term in line for term in terms[""]):
            return False
        return bool(terms[""]) or not terms["?"] or any(term in line for term in terms["?"])

    return fits
