"""Metrics that a training job writes to its log, found by the regular expressions of its request."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.domain.cloudwatch import VALUES_PER_DATUM
from local_sagemaker.engine.processes.logs import LogEvent

#: of CloudWatch, for the metrics of training jobs
NAMESPACE = "/aws/sagemaker/TrainingJobs"


def final(definitions: Sequence[Mapping[str, str]], events: Iterable[LogEvent]) -> list[dict[str, Any]]:
    """Return the last value of every metric, as FinalMetricDataList has it.

    The value is the expression's first group, or all that it matched if it has none. What is no number is
    passed over, as is a metric that never came.
    """
    last: dict[str, dict[str, Any]] = {}
    for event, name, value in _found(definitions, events):
        at = datetime.fromtimestamp(event.timestamp / 1000, UTC)
        last[name] = {"MetricName": name, "Value": value, "Timestamp": at}
    return [last[item["Name"]] for item in definitions if item["Name"] in last]


def points(
    definitions: Sequence[Mapping[str, str]], events: Iterable[LogEvent], job: str
) -> Iterator[dict[str, Any]]:
    """Every value as CloudWatch has it, a row of the store for each metric and second."""
    found: dict[tuple[str, int], list[float]] = {}
    for event, name, value in _found(definitions, events):
        if math.isfinite(value):
            found.setdefault((name, event.timestamp // 1000), []).append(value)
    for (name, at), given in found.items():
        # of more than CloudWatch takes at a time, their statistics are kept
        few = json.dumps([[value, 1] for value in given])
        content = (
            few if len(given) <= VALUES_PER_DATUM else json.dumps({"count": len(given), "total": sum(given)})
        )
        yield {
            "namespace": NAMESPACE,
            "metric": name,
            "dimensions": json.dumps({"TrainingJobName": job}),
            "at": at,
            "unit": "None",
            "low": min(given),
            "high": max(given),
            "content": content,
        }


def values(
    definitions: Sequence[Mapping[str, str]], events: Iterable[LogEvent]
) -> Iterator[tuple[str, float]]:
    """Every value of every metric in the order it was written, with the metric's name."""
    return ((name, value) for _, name, value in _found(definitions, events))


def _found(
    definitions: Sequence[Mapping[str, str]], events: Iterable[LogEvent]
) -> Iterator[tuple[LogEvent, str, float]]:
    patterns = [(item["Name"], re.compile(item["Regex"])) for item in definitions]
    for event in events:
        for name, pattern in patterns:
            for match in pattern.finditer(event.message):
                value = _number(match.group(1 if pattern.groups else 0))
                if value is not None:
                    yield event, name, value


def broken(definitions: Sequence[Mapping[str, str]]) -> str | None:
    """Return what is wrong with the first invalid expression, or None."""
    for item in definitions:
        try:
            re.compile(item["Regex"])
        except re.error as error:
            return f"The metric {item['Name']} has Regex {item['Regex']!r}, which is not valid: {error}."
    return None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
