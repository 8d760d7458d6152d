"""The policies of a pipeline's step: which faults are retried, and which results are reused from the cache.

A cached step is identified by its name in the pipeline and by the attributes that SageMaker compares
("Default cache key attributes by pipeline step type" in its guide).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_sagemaker.domain.pipelines import DefinitionError

FAULT, THROTTLING = "Step.SERVICE_FAULT", "Step.THROTTLING"
INTERNAL, CAPACITY, LIMIT = (
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)
#: first word of a FailureReason -> exception type
REASONS = {"InternalServerError": INTERNAL, "CapacityError": CAPACITY, "ResourceLimitExceeded": LIMIT}
EXCEPTION_TYPES = (FAULT, THROTTLING, *REASONS.values())
SERVER_ERROR = 500

#: type of step -> attributes of its cache key; a dotted name is a member of a member
CACHE_KEY_ATTRIBUTES = {
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
#: a duration of ISO 8601; SageMaker accepts it without its P
DURATION = re.compile(
    r"P?(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE
)
UNITS_S = (365 * DAY_S, 30 * DAY_S, 7 * DAY_S, DAY_S, 3600, 60, 1)


@dataclass(frozen=True)
class RetryPolicy:
    """One retry policy; the defaults are SageMaker's."""

    types: frozenset[str]
    #: first pause, in seconds
    interval_s: float = 1.0
    #: factor between one pause and the next
    backoff: float = 2.0
    #: number of retries, not of attempts
    limit: int = 5
    #: seconds after the step's start during which it is retried; None: always
    expire_s: float | None = None

    @classmethod
    def parse(cls, step: str, policy: Mapping[str, Any]) -> RetryPolicy:
        """Parse an item of RetryPolicies; raise DefinitionError if it is not valid."""
        types = policy.get("ExceptionType", [])
        types = frozenset([types] if isinstance(types, str) else types)
        unknown = sorted(types - set(EXCEPTION_TYPES))
        if unknown or not types:
            raise DefinitionError(
                f"RetryPolicies of the step {step}: ExceptionType is {', '.join(unknown) or 'missing'}. "
                f"Use one of {', '.join(EXCEPTION_TYPES)}."
            )
        try:
            minutes = policy.get("ExpireAfterMin")
            return cls(
                types,
                float(policy.get("IntervalSeconds", cls.interval_s)),
                float(policy.get("BackoffRate", cls.backoff)),
                int(policy.get("MaxAttempts", cls.limit)),
                None if minutes is None else float(minutes) * 60,
            )
        except (TypeError, ValueError) as error:
            raise DefinitionError(f"RetryPolicies of the step {step}: {error}.") from error

    def pause_s(self, retries: int) -> float:
        """Return the pause before the next retry after `retries` retries, in seconds."""
        return self.interval_s * self.backoff**retries


def fault_of_error(code: str, status: int) -> str | None:
    """Return the exception type of a refused request; None if a retry would be refused, too.

    :param code: the error's code.
    :param status: its HTTP status.
    """
    if code.startswith("Throttling"):
        return THROTTLING
    if code == "ResourceLimitExceeded":
        return LIMIT
    return FAULT if status >= SERVER_ERROR else None


def fault_of_reason(reason: str | None) -> str | None:
    """Return the exception type that a job's FailureReason names; None if it names none."""
    return REASONS.get((reason or "").partition(":")[0])


def schedule_retry(
    policies: Sequence[RetryPolicy], record: Mapping[str, Any], fault: str | None, now: float
) -> dict[str, Any] | None:
    """Return the changes of a step's record that plan a retry; None if no retry is left.

    The first policy that covers the fault decides.
    """
    counts = list(record.get("retries", [0] * len(policies)))
    for number, policy in enumerate(policies):
        if fault not in policy.types:
            continue
        is_late = policy.expire_s is not None and now - record["start"] > policy.expire_s
        if is_late or counts[number] >= policy.limit:
            return None
        again_at = now + policy.pause_s(counts[number])
        counts[number] += 1
        return {"retries": counts, "again_at": again_at}
    return None


@dataclass(frozen=True)
class CacheConfig:
    """Whether, and for how long, a step's result is reused."""

    is_enabled: bool = False
    #: seconds; None: forever
    expire_s: float | None = None

    @classmethod
    def parse(cls, step: str, kind: str, config: Mapping[str, Any] | None) -> CacheConfig:
        """Parse a step's CacheConfig; raise DefinitionError if it is not valid for this type of step."""
        if not config or not config.get("Enabled", False):
            return cls()
        if kind not in CACHE_KEY_ATTRIBUTES:
            raise DefinitionError(
                f"CacheConfig of the step {step}: steps of the type {kind} are not cached. "
                f"Use it with {', '.join(CACHE_KEY_ATTRIBUTES)}."
            )
        expire_after = config.get("ExpireAfter")
        expire_s = None if expire_after is None else parse_duration(step, expire_after)
        return cls(is_enabled=True, expire_s=expire_s)


def parse_duration(step: str, text: str) -> float:
    """Return the seconds of a duration such as `PT1H`, `P30D`, `30d` or `T16m`; a month has 30 days."""
    match = DURATION.fullmatch(str(text).strip())
    if match is None or not any(part is not None for part in match.groups()):
        raise DefinitionError(
            f"CacheConfig of the step {step}: ExpireAfter={text!r} is not a duration of ISO 8601, such as "
            "PT1H or P30D."
        )
    numbers = [int(number or 0) for number in match.groups()]
    return float(sum(number * unit for number, unit in zip(numbers, UNITS_S, strict=True)))


def cache_key(kind: str, arguments: Mapping[str, Any]) -> str | None:
    """Return the digest by which a step's arguments are compared; None for a type that is not cached."""
    if kind not in CACHE_KEY_ATTRIBUTES:
        return None
    compared = {name: _member(arguments, name) for name in CACHE_KEY_ATTRIBUTES[kind]}
    return hashlib.sha256(json.dumps(compared, sort_keys=True, default=str).encode()).hexdigest()


def _member(arguments: Any, path: str) -> Any:  # noqa: ANN401 (any JSON)
    for name in path.split("."):
        arguments = arguments.get(name) if isinstance(arguments, Mapping) else None
    return arguments
