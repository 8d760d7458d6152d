"""CloudWatch alarms on the service's metrics."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from typing import Any

import pytest

from local_sagemaker.domain.cloudwatch import judge_alarm
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

ABOVE = {
    "Threshold": 10.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "Namespace": "flights",
    "MetricName": "delay",
    "Statistic": "Average",
    "Period": 10,
    "EvaluationPeriods": 1,
}


@pytest.mark.parametrize(
    ("points", "more", "expected"),
    [
        ([11.0], {}, "ALARM"),
        ([10.0], {}, "OK"),
        ([10.0], {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, "ALARM"),
        ([9.0], {"ComparisonOperator": "LessThanThreshold"}, "ALARM"),
        ([11.0, 9.0, 12.0], {}, "OK"),
        ([11.0, 9.0, 12.0], {"DatapointsToAlarm": 2}, "ALARM"),
        ([None], {}, "INSUFFICIENT_DATA"),
        ([None], {"TreatMissingData": "breaching"}, "ALARM"),
        ([None], {"TreatMissingData": "notBreaching"}, "OK"),
        ([None], {"TreatMissingData": "ignore"}, "ALARM"),
        ([None, 11.0], {"DatapointsToAlarm": 1}, "ALARM"),
    ],
)
def test_an_alarm_is_judged_by_its_periods(
    points: list[float | None], more: dict[str, Any], expected: str
) -> None:
    """DatapointsToAlarm of them must breach; TreatMissingData decides about periods without data."""
    assert judge_alarm({**ABOVE, **more}, points, previous="ALARM").value == expected


def put(service: Service, name: str, **more: Any) -> None:
    """Create an alarm."""
    service.client("cloudwatch").put_metric_alarm(AlarmName=name, **{**ABOVE, **more})


def describe(service: Service, **asked: Any) -> list[dict[str, Any]]:
    """Alarms as they are now."""
    found: list[dict[str, Any]] = service.client("cloudwatch").describe_alarms(**asked)["MetricAlarms"]
    return found


def test_an_alarm_follows_its_metric(sagemaker: Service) -> None:
    """It outlasts a kill, and is gone after it is deleted."""
    put(sagemaker, "late")
    (fresh,) = describe(sagemaker, AlarmNames=["late"])
    assert (fresh["StateValue"], fresh["AlarmArn"].rpartition(":")[2]) == ("INSUFFICIENT_DATA", "late")
    cloudwatch = sagemaker.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="flights", MetricData=[{"MetricName": "delay", "Value": 30.0}])
    (on,) = describe(sagemaker, AlarmNamePrefix="la", StateValue="ALARM")
    assert "30" in on["StateReason"]

    sagemaker.restart()
    assert [alarm["Threshold"] for alarm in describe(sagemaker)] == [10.0]
    cloudwatch.delete_alarms(AlarmNames=["late", "never-was"])
    assert describe(sagemaker) == []


def test_alarms_are_replaced_and_paged(sagemaker: Service) -> None:
    """One name is one alarm; pages come by name."""
    for name in ("b", "a", "c", "a"):
        put(sagemaker, name, AlarmDescription=name)
    pages = sagemaker.client("cloudwatch").get_paginator("describe_alarms")
    found = [
        [alarm["AlarmName"] for alarm in page["MetricAlarms"]]
        for page in pages.paginate(PaginationConfig={"PageSize": 2})
    ]
    assert found == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("more", "code", "value"),
    [
        ({"Period": 45}, "InvalidParameterValue", "Period 45"),
        ({"ExtendedStatistic": "p99"}, "InvalidParameterCombination", "ExtendedStatistic"),
        (
            {"ComparisonOperator": "GreaterThanUpperThreshold"},
            "InvalidParameterValue",
            "GreaterThanUpperThreshold",
        ),
        ({"DatapointsToAlarm": 2}, "InvalidParameterCombination", "DatapointsToAlarm"),
        ({"TreatMissingData": "guess"}, "InvalidParameterValue", "TreatMissingData"),
        ({"Period": 3600, "EvaluationPeriods": 200}, "InvalidParameterCombination", 7 * 24 * 3600),
        (
            {"Metrics": [{"Id": "e", "Expression": "SUM(METRICS())"}]},
            "ValidationError",
            "Metrics",
        ),
    ],
)
def test_an_unsupported_alarm_is_refused(
    sagemaker: Service, more: dict[str, Any], code: str, value: object
) -> None:
    """The error names the member."""
    with refused(code, value):
        put(sagemaker, "never", **more)
