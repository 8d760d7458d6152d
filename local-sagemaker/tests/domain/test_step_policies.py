"""The retry policies and the cache rules of a pipeline's step."""

from __future__ import annotations

from typing import Any

import pytest

from local_sagemaker.domain.pipelines import DefinitionError, step_policies
from local_sagemaker.domain.pipelines.step_policies import CacheConfig, RetryPolicy

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
def test_durations_are_read(text: str, expected: float) -> None:
    """As ISO 8601 and SageMaker's guide write them."""
    assert step_policies.parse_duration("A", text) == expected


@pytest.mark.parametrize("text", ["", "P", "1 hour", "PT", "-PT1H"])
def test_an_invalid_duration_is_refused(text: str) -> None:
    """The error names the step and the value."""
    with pytest.raises(DefinitionError, match=f"step A: ExpireAfter={text!r}"):
        step_policies.parse_duration("A", text)


def test_only_steps_that_make_something_anew_are_cached() -> None:
    """The types are SageMaker's; a cache that is off is valid for every type."""
    assert CacheConfig.parse("A", "Training", {"Enabled": True, "ExpireAfter": "PT1M"}) == CacheConfig(
        is_enabled=True, expire_s=60.0
    )
    assert CacheConfig.parse("A", "Model", {"Enabled": False}) == CacheConfig()
    with pytest.raises(DefinitionError, match=r"step A: .* type Model"):
        CacheConfig.parse("A", "Model", {"Enabled": True})


def test_a_step_is_compared_by_the_attributes_that_matter() -> None:
    """Outputs and resources make no difference; code and inputs do."""
    step: dict[str, Any] = {
        "AppSpecification": {"ImageUri": "i"},
        "ProcessingInputs": [{"InputName": "a"}],
        "ProcessingOutputConfig": {"Outputs": []},
    }
    key = step_policies.cache_key("Processing", step)
    assert step_policies.cache_key("Processing", {**step, "ProcessingOutputConfig": {"Outputs": [1]}}) == key
    assert step_policies.cache_key("Processing", {**step, "Environment": {"A": "1"}}) != key
    assert step_policies.cache_key("Condition", step) is None
    tuning = {"TrainingJobDefinition": {"StaticHyperParameters": {"a": "1"}, "RoleArn": "r"}}
    other = {"TrainingJobDefinition": {"StaticHyperParameters": {"a": "1"}, "RoleArn": "other"}}
    assert step_policies.cache_key("Tuning", tuning) == step_policies.cache_key("Tuning", other)


def test_the_first_policy_for_a_fault_decides() -> None:
    """Pauses grow by the backoff rate until there is no retry left."""
    policies = [
        RetryPolicy.parse("A", {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 0}),
        RetryPolicy.parse(
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
    assert step_policies.schedule_retry(policies, record, step_policies.THROTTLING, 100.0) is None
    assert step_policies.schedule_retry(policies, record, None, 100.0) is None
    pauses = []
    while (
        again := step_policies.schedule_retry(policies, record, step_policies.INTERNAL, 100.0)
    ) is not None:
        record |= again
        pauses.append(again["again_at"] - 100.0)
    assert pauses == [3.0, 6.0]


def test_a_policy_expires() -> None:
    """The time counts from the step's start."""
    policy = RetryPolicy.parse("A", {"ExceptionType": "Step.SERVICE_FAULT", "ExpireAfterMin": 1})
    record = {"start": 100.0}
    assert step_policies.schedule_retry([policy], record, step_policies.FAULT, 159.0) is not None
    assert step_policies.schedule_retry([policy], record, step_policies.FAULT, 161.0) is None


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"ExceptionType": ["Step.NOVELTY"]}, "Step.NOVELTY"),
        ({}, "missing"),
        ({"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": "many"}, "many"),
    ],
)
def test_an_invalid_policy_is_refused(given: dict[str, Any], word: str) -> None:
    """The error names the step and the fault."""
    with pytest.raises(DefinitionError, match=f"RetryPolicies of the step A: .*{word}"):
        RetryPolicy.parse("A", given)


def test_faults_are_told_apart() -> None:
    """A client's mistake and a container's failure are not retried."""
    assert step_policies.fault_of_error("StorageFailure", 507) == step_policies.FAULT
    assert step_policies.fault_of_error("ResourceLimitExceeded", 400) == step_policies.LIMIT
    assert step_policies.fault_of_error("ValidationException", 400) is None
    assert step_policies.fault_of_reason("InternalServerError: lost") == step_policies.INTERNAL
    assert step_policies.fault_of_reason("AlgorithmError: exit code 3") is None
    assert step_policies.fault_of_reason(None) is None
