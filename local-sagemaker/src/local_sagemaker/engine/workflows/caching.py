"""The cache of a pipeline's steps: what succeeded once with the same attributes is not done again.

A step is known by its name in its pipeline and by the attributes that SageMaker compares ("Default cache
key attributes by pipeline step type" in its guide). Of each such step the last success is kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local_sagemaker.context import Context
from local_sagemaker.errors import ValidationException
from local_sagemaker.storage.store import MissingError, Resource

KIND = "pipeline-cache"
Document = dict[str, Any]
#: by type of step; a dotted name is a member of a member
ATTRIBUTES = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        *("AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations"),
        *("Environment", "HyperParameters", "InputDataConfig"),
    ),
    "Tuning": (
        *("HyperParameterTuningJobConfig", "TrainingJobDefinitions"),
        *("TrainingJobDefinition.AlgorithmSpecification", "TrainingJobDefinition.HyperParameterRanges"),
        *("TrainingJobDefinition.InputDataConfig", "TrainingJobDefinition.StaticHyperParameters"),
        "TrainingJobDefinition.TuningObjective",
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}
DAY_S = 86_400
#: ISO 8601's duration, as SageMaker takes it: also without its P
DURATION = re.compile(
    r"P?(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE
)
UNITS_S = (365 * DAY_S, 30 * DAY_S, 7 * DAY_S, DAY_S, 3600, 60, 1)


@dataclass(frozen=True)
class CacheConfig:
    """Whether, and for how long, what a step came to may be used again."""

    is_enabled: bool = False
    #: seconds; None: for ever
    expire_s: float | None = None

    @classmethod
    def read(cls, step: str, kind: str, given: Mapping[str, Any] | None) -> CacheConfig:
        """A step's CacheConfig; ValidationException says what is wrong with it."""
        if not given or not given.get("Enabled", False):
            return cls()
        if kind not in ATTRIBUTES:
            raise ValidationException(
                f"CacheConfig of the step {step}: steps of the type {kind} are not cached. "
                f"There are {', '.join(ATTRIBUTES)}."
            )
        expire_after = given.get("ExpireAfter")
        return cls(is_enabled=True, expire_s=None if expire_after is None else seconds(step, expire_after))


def seconds(step: str, text: str) -> float:
    """A duration such as `PT1H`, `P30D`, `30d` or `T16m`; a month has 30 days, a year 365."""
    found = DURATION.fullmatch(str(text).strip())
    numbers = [int(number or 0) for number in found.groups()] if found else []
    if found is None or not any(part is not None for part in found.groups()):
        raise ValidationException(
            f"CacheConfig of the step {step}: ExpireAfter={text!r} is no duration of ISO 8601, such as PT1H "
            "or P30D."
        )
    return float(sum(number * unit for number, unit in zip(numbers, UNITS_S, strict=True)))


def key(kind: str, arguments: Mapping[str, Any]) -> str | None:
    """What a step's arguments are compared by; None for a type that is never reused."""
    if kind not in ATTRIBUTES:
        return None
    found = {name: _member(arguments, name) for name in ATTRIBUTES[kind]}
    text = json.dumps(found, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def keep(context: Context, execution: Resource, step: str, record: Document) -> None:
    """Keep what a step came to, in the place of what it came to before."""
    kept = {"execution": execution.arn, "metadata": record["metadata"], "end": record["end"]}
    name, now = _name(execution.parent, step, record["key"]), record["end"]
    try:
        context.store.change(KIND, name, lambda found: replace(found, state=kept, modified=now))
    except MissingError:
        arn = f"{context.arn('sagemaker', 'pipeline')}/{execution.parent}/cache/{name.rpartition('/')[2]}"
        context.store.insert(
            Resource(
                kind=KIND,
                name=name,
                arn=arn,
                parent=execution.parent,
                created=now,
                modified=now,
                document={},
                state=kept,
            )
        )


def find(
    context: Context, execution: Resource, step: str, wanted: str, *, expire_s: float | None, now: float
) -> Document | None:
    """The kept success of a step that is not too old: its metadata, its end and its execution's ARN."""
    found = context.store.get(KIND, _name(execution.parent, step, wanted))
    if found is None or (expire_s is not None and now - found.state["end"] > expire_s):
        return None
    return found.state


def _name(pipeline: str, step: str, wanted: str) -> str:
    return f"{pipeline}/{hashlib.sha256(f'{step} {wanted}'.encode()).hexdigest()}"


def _member(arguments: Any, path: str) -> Any:  # noqa: ANN401 (any JSON)
    for word in path.split("."):
        arguments = arguments.get(word) if isinstance(arguments, Mapping) else None
    return arguments
