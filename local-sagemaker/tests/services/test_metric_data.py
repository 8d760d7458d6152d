"""What PutMetricData was given comes back by the operations that read, also after a restart."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

DIMENSIONS = [{"Name": "Cycle", "Value": "flights"}]
SERIES = {"MetricName": "drift", "Dimensions": DIMENSIONS}


def statistics(client: Any, **asked: Any) -> dict[str, Any]:
    """The one point of an hour around now."""
    now = datetime.now(UTC)
    (point,) = client.get_metric_statistics(
        Namespace="Lab",
        **SERIES,
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=10_800,
        **asked,
    )["Datapoints"]
    found: dict[str, Any] = point
    return found


def test_points_are_kept_through_a_restart(sagemaker: Service) -> None:
    """Values, values with counts, and statistic sets add up."""
    client = sagemaker.client("cloudwatch")
    client.put_metric_data(
        Namespace="Lab",
        MetricData=[
            {**SERIES, "Value": 1.0, "Unit": "Count"},
            {**SERIES, "Values": [2.0, 4.0], "Counts": [3.0, 1.0], "Unit": "Count"},
            {**SERIES, "StatisticValues": {"SampleCount": 2, "Sum": 10, "Minimum": 0.5, "Maximum": 9.5}},
        ],
    )
    sagemaker.restart()
    point = statistics(client, Statistics=["SampleCount", "Sum", "Minimum", "Maximum"])
    assert [point[name] for name in ("SampleCount", "Sum", "Minimum", "Maximum")] == [7, 21, 0.5, 9.5]


def test_metric_data_and_percentiles_are_answered(sagemaker: Service) -> None:
    """By GetMetricData, in the order of time."""
    client = sagemaker.client("cloudwatch")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for minutes in (3, 2, 1):
        at = now - timedelta(minutes=minutes)
        client.put_metric_data(
            Namespace="Lab", MetricData=[{**SERIES, "Timestamp": at, "Values": [float(minutes), 10.0]}]
        )
    metric = {"Namespace": "Lab", **SERIES}
    (found,) = client.get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p50"}}],
        StartTime=now - timedelta(hours=1),
        EndTime=now,
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    assert found["Values"] == [pytest.approx(value, rel=0.01) for value in (3, 2, 1)]
    assert client.list_metrics(Namespace="Lab")["Metrics"] == [metric]
    assert client.list_metrics(Namespace="AWS/SageMaker")["Metrics"] == []


@pytest.mark.parametrize(
    ("namespace", "datum", "code"),
    [
        ("AWS/SageMaker", {"MetricName": "m", "Value": 1.0}, "InvalidParameterValue"),
        ("Lab", {"MetricName": "m"}, "InvalidParameterCombination"),
        ("Lab", {"MetricName": "m", "Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue"),
        (
            "Lab",
            {"MetricName": "m", "Value": 1.0, "Timestamp": datetime(2001, 1, 1, tzinfo=UTC)},
            "InvalidParameterValue",
        ),
    ],
)
def test_what_is_no_point_is_refused(
    sagemaker: Service, namespace: str, datum: dict[str, Any], code: str
) -> None:
    """With CloudWatch's codes, and nothing of the request is kept."""
    client = sagemaker.client("cloudwatch")
    good = {"MetricName": "good", "Value": 1.0}
    with refused(code):
        client.put_metric_data(Namespace=namespace, MetricData=[good, datum])
    assert client.list_metrics(Namespace="Lab")["Metrics"] == []
