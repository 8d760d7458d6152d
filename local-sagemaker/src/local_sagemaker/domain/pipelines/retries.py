"""The retry policies of a pipeline's step: which faults are tried again, when, and how often. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_sagemaker.errors import AwsError, ValidationException

FAULT, THROTTLING = "Step.SERVICE_FAULT", "Step.THROTTLING"
INTERNAL, CAPACITY, LIMIT = (
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)
#: by the first word of a FailureReason
REASONS = {"InternalServerError": INTERNAL, "CapacityError": CAPACITY, "ResourceLimitExceeded": LIMIT}
TYPES = (FAULT, THROTTLING, *REASONS.values())
SERVER_ERROR = 500


@dataclass(frozen=True)
class RetryPolicy:
    """One policy; the defaults are SageMaker's."""

    types: frozenset[str]
    interval_s: float = 1.0
    #: each pause is so many times the last one
    backoff: float = 2.0
    #: retries, not attempts
    limit: int = 5
    #: how long after the step's start there are retries; None: always
    expire_s: float | None = None

    @classmethod
    def read(cls, step: str, given: Mapping[str, Any]) -> RetryPolicy:
        """A policy of a definition; ValidationException says what is wrong with it."""
        types = given.get("ExceptionType", [])
        types = frozenset([types] if isinstance(types, str) else types)
        unknown = sorted(types - set(TYPES))
        if unknown or not types:
            raise ValidationException(
                f"RetryPolicies of the step {step}: ExceptionType is {', '.join(unknown) or 'missing'}. "
                f"There are {', '.join(TYPES)}."
            )
        try:
            minutes = given.get("ExpireAfterMin")
            return cls(
                types,
                float(given.get("IntervalSeconds", cls.interval_s)),
                float(given.get("BackoffRate", cls.backoff)),
                int(given.get("MaxAttempts", cls.limit)),
                None if minutes is None else float(minutes) * 60,
            )
        except (TypeError, ValueError) as error:
            raise ValidationException(f"RetryPolicies of the step {step}: {error}.") from error

    def pause_s(self, retries: int) -> float:
        """The pause before the next retry, after so many."""
        return self.interval_s * self.backoff**retries


def fault_of(error: AwsError) -> str | None:
    """The exception type of a request that was refused; None if asking again would be the same."""
    if error.code.startswith("Throttling"):
        return THROTTLING
    if error.code == "ResourceLimitExceeded":
        return LIMIT
    return FAULT if error.status >= SERVER_ERROR else None


def fault_in(reason: str | None) -> str | None:
    """The exception type that a job's FailureReason tells of."""
    return REASONS.get((reason or "").partition(":")[0])


def retried(
    policies: Sequence[RetryPolicy], record: Mapping[str, Any], fault: str | None, now: float
) -> dict[str, Any] | None:
    """What a step's record gains when the first policy for a fault has a retry left, else None."""
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
