"""Rules of a step's retries and of its cache, without a service."""

from __future__ import annotations

from typing import Any

import pytest

from local_sagemaker.domain.pipelines import retries
from local_sagemaker.domain.pipelines.retries import RetryPolicy
from local_sagemaker.engine.workflows import caching
from local_sagemaker.engine.workflows.caching import CacheConfig
from local_sagemaker.errors import ResourceLimitExceeded, StorageFailure, ValidationException

DAY_S = 86_400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT1H", 3600),
        ("p30d", 30 * DAY_S),
        ("30d", 30 * DAY_S),
        ("T16m", 16 * 60),
        ("30dT5h", 30 * DAY_S + 5 * 3600),
        ("P1Y2M1W", (365 + 60 + 7) * DAY_S),
    ],
)
def test_durations_are_read(text: str, expected: float):
    """As ISO 8601 and SageMaker's guide write them."""
    assert caching.seconds("A", text) == expected


@pytest.mark.parametrize("text", ["", "P", "1 hour", "PT", "-PT1H"])
def test_what_is_no_duration_is_refused(text: str):
    """The step and the value are named."""
    with pytest.raises(ValidationException, match="step A: ExpireAfter="):
        caching.seconds("A", text)


def test_only_steps_that_make_something_anew_are_cached():
    """SageMaker's list; a cache that is switched off asks for nothing."""
    assert CacheConfig.read("A", "Training", {"Enabled": True, "ExpireAfter": "PT1M"}) == CacheConfig(
        is_enabled=True, expire_s=60.0
    )
    assert CacheConfig.read("A", "Model", {"Enabled": False}) == CacheConfig()
    with pytest.raises(ValidationException, match="type Model are not cached"):
        CacheConfig.read("A", "Model", {"Enabled": True})


def test_a_step_is_compared_by_the_attributes_that_matter():
    """Where a job writes to and on what it runs make no difference; what it runs and reads does."""
    step: dict[str, Any] = {
        "AppSpecification": {"ImageUri": "i"},
        "ProcessingInputs": [{"InputName": "a"}],
        "ProcessingOutputConfig": {"Outputs": []},
    }
    key = caching.key("Processing", step)
    assert caching.key("Processing", {**step, "ProcessingOutputConfig": {"Outputs": [1]}}) == key
    assert caching.key("Processing", {**step, "Environment": {"A": "1"}}) != key
    assert caching.key("Condition", step) is None
    tuning = {"TrainingJobDefinition": {"StaticHyperParameters": {"a": "1"}, "RoleArn": "r"}}
    other = {"TrainingJobDefinition": {"StaticHyperParameters": {"a": "1"}, "RoleArn": "other"}}
    assert caching.key("Tuning", tuning) == caching.key("Tuning", other)


def test_the_first_policy_for_a_fault_decides():
    """Pauses grow by the backoff rate until there is no retry left."""
    policies = [
        RetryPolicy.read("A", {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 0}),
        RetryPolicy.read(
            "A",
            {
                "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "Step.THROTTLING"],
                "IntervalSeconds": 3,
                "BackoffRate": 2.0,
                "MaxAttempts": 2,
            },
        ),
    ]
    record: dict[str, Any] = {"start": 100.0}
    assert retries.retried(policies, record, retries.THROTTLING, 100.0) is None
    assert retries.retried(policies, record, None, 100.0) is None
    pauses = []
    while (again := retries.retried(policies, record, retries.INTERNAL, 100.0)) is not None:
        record |= again
        pauses.append(again["again_at"] - 100.0)
    assert pauses == [3.0, 6.0]


def test_a_policy_expires():
    """Counted from the step's start."""
    policy = RetryPolicy.read("A", {"ExceptionType": "Step.SERVICE_FAULT", "ExpireAfterMin": 1})
    record = {"start": 100.0}
    assert retries.retried([policy], record, retries.FAULT, 159.0) is not None
    assert retries.retried([policy], record, retries.FAULT, 161.0) is None


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"ExceptionType": ["Step.NOVELTY"]}, "Step.NOVELTY"),
        ({}, "missing"),
        ({"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": "many"}, "many"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(given: dict[str, Any], word: str):
    """By its step and its fault."""
    with pytest.raises(ValidationException, match=f"RetryPolicies of the step A.*{word}"):
        RetryPolicy.read("A", given)


def test_faults_are_told_apart():
    """What a client did wrong, and what a container did, is no fault that a retry could heal."""
    assert retries.fault_of(StorageFailure("full")) == retries.FAULT
    assert retries.fault_of(ResourceLimitExceeded("21 instances")) == retries.LIMIT
    assert retries.fault_of(ValidationException("no")) is None
    assert retries.fault_in("InternalServerError: lost") == retries.INTERNAL
    assert retries.fault_in("AlgorithmError: exit code 3") is None
    assert retries.fault_in(None) is None
