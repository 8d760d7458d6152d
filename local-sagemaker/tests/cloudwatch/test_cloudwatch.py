"""CloudWatch's metrics of endpoints count their invocations."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from local_sagemaker.domain.cloudwatch import Distribution
from local_sagemaker.engine.endpoints.metrics import MINUTES_KEPT_S, SECONDS_KEPT_S, Meter
from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, deploy, make_model, variant

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def service(
    start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service with the endpoint `flights`, after ten invocations of one of its two variants."""
    image = serving.image(tmp_path_factory.mktemp("image"))
    started = start_shared_service("--image", str(image))
    make_model(started, "first")
    deploy(started, "flights", variant("first", "champion"), variant("first", "idle", weight=0))
    for body in ["x,1"] * 5 + ["status 400 a"] * 2 + ["status 500 b"] * 2 + ["sleep 0.2"]:
        with suppress(ClientError):
            ask(started, "flights", body)
    return started


def metric(name: str, variant_name: str = "champion", endpoint: str = "flights") -> dict[str, Any]:
    """A metric of a variant."""
    dimensions = {"EndpointName": endpoint, "VariantName": variant_name}
    return {
        "Namespace": "AWS/SageMaker",
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }


def data(service: Service, statistic: str, asked: dict[str, Any], period: int = 3600, **more: Any) -> Any:
    """The one series that GetMetricData answers with."""
    query = {"Id": "q", "MetricStat": {"Metric": asked, "Period": period, "Stat": statistic}}
    now = datetime.now(UTC)
    times = {"StartTime": now - HOUR / 2, "EndTime": now + HOUR / 2, **more}
    (result,) = service.client("cloudwatch").get_metric_data(MetricDataQueries=[query], **times)[
        "MetricDataResults"
    ]
    return result


@pytest.mark.parametrize(
    ("name", "statistic", "expected"),
    [
        ("Invocations", "Sum", 10),
        ("Invocations", "SampleCount", 10),
        ("Invocation4XXErrors", "Sum", 2),
        ("Invocation5XXErrors", "Sum", 2),
        ("Invocation5XXErrors", "Average", 0.2),
        ("InvocationModelErrors", "Sum", 4),
        ("ModelLatency", "SampleCount", 10),
    ],
)
def test_invocations_and_errors_are_counted(
    service: Service, name: str, statistic: str, expected: float
) -> None:
    """An error counts 1 and a success 0, so that the average is the error rate."""
    assert data(service, statistic, metric(name))["Values"] == [pytest.approx(expected)]


def test_latency_is_in_microseconds(service: Service) -> None:
    """The slowest of ten is the last percentile and the maximum."""
    (slowest,) = data(service, "Maximum", metric("ModelLatency"))["Values"]
    (p99,) = data(service, "p99", metric("ModelLatency"))["Values"]
    assert slowest >= 200_000
    assert p99 == pytest.approx(slowest, rel=0.011)


def test_points_of_short_periods_add_up(service: Service) -> None:
    """By the second as by the hour; in the order that was asked for."""
    found = data(service, "Sum", metric("Invocations"), 1, ScanBy="TimestampAscending")
    assert sum(found["Values"]) == 10
    assert found["Timestamps"] == sorted(found["Timestamps"])
    assert found["StatusCode"] == "Complete"


@pytest.mark.parametrize(
    "asked",
    [metric("Invocations", "idle"), metric("Invocations", endpoint="none"), metric("CPUUtilization")],
)
def test_a_metric_without_data_has_no_points(service: Service, asked: dict[str, Any]) -> None:
    """As in CloudWatch, asking for it is not an error."""
    assert data(service, "Sum", asked)["Values"] == []


def test_statistics_of_one_metric(service: Service) -> None:
    """GetMetricStatistics gives several statistics of each point, with the unit."""
    now = datetime.now(UTC)
    (point,) = service.client("cloudwatch").get_metric_statistics(
        **metric("ModelLatency"),
        StartTime=now - HOUR / 2,
        EndTime=now + HOUR / 2,
        Period=3600,
        Statistics=["SampleCount", "Minimum"],
        ExtendedStatistics=["p50"],
    )["Datapoints"]
    assert (point["SampleCount"], point["Unit"]) == (10, "Microseconds")
    assert point["Minimum"] <= point["ExtendedStatistics"]["p50"]


def test_metrics_are_listed_by_name_and_dimensions(service: Service) -> None:
    """ListMetrics filters by both."""
    dimensions = [{"Name": "EndpointName", "Value": "flights"}]
    found = service.client("cloudwatch").list_metrics(
        Namespace="AWS/SageMaker", MetricName="Invocations", Dimensions=dimensions
    )["Metrics"]
    assert found == [metric("Invocations", "champion"), metric("Invocations", "idle")]


@pytest.mark.parametrize(
    ("statistic", "period", "code"),
    [
        ("median", 60, "InvalidParameterValue"),
        ("p99", 61, "InvalidParameterValue"),
    ],
)
def test_invalid_requests_have_the_query_protocols_codes(
    service: Service, statistic: str, period: int, code: str
) -> None:
    """CloudWatch's clients still expect them, although they now speak JSON."""
    with refused(code):
        data(service, statistic, metric("ModelLatency"), period)


def test_an_expression_is_refused(service: Service) -> None:
    """The error names the query's id."""
    now = datetime.now(UTC)
    with refused("ValidationError", "MetricDataQueries.Expression"):
        service.client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "sum", "Expression": "SUM(METRICS())"}],
            StartTime=now - HOUR,
            EndTime=now,
        )


def test_query_clients_are_answered_too(service: Service) -> None:
    """The protocol of older clients, form in and XML out."""
    form = {
        "Action": "ListMetrics",
        "Version": "2010-08-01",
        "MetricName": "ModelLatency",
        "Dimensions.member.1.Name": "VariantName",
        "Dimensions.member.1.Value": "idle",
    }
    answer = httpx.post(service.url, data=form)
    assert answer.status_code == 200
    assert answer.text.count("<MetricName>ModelLatency</MetricName>") == 1


def test_a_percentile_is_right_to_one_per_cent() -> None:
    """Of a thousand values spread evenly."""
    found = Distribution()
    for value in range(1, 1001):
        found.add(value)
    for percent in (1, 50, 90, 99):
        assert found.percentile(percent) == pytest.approx(10 * percent, rel=0.011)
    assert (found.percentile(0), found.percentile(100)) == (1, 1000)


def test_seconds_become_minutes_and_are_forgotten() -> None:
    """Nothing is lost on the way, and the memory is bounded."""
    now = [60_000.0]
    meter = Meter(lambda: now[0])
    for _ in range(120):
        meter.count(200, 10, 1)
        now[0] += 1
    now[0] += SECONDS_KEPT_S + 120
    meter.count(500, None, None)
    old = {at: tally.invocations for at, tally in meter.tallies(0, now[0] + 1)}
    assert old == {60_000: 60, 60_060: 60, int(now[0]): 1}
    assert not meter.is_expired()
    now[0] += MINUTES_KEPT_S + 60
    assert meter.is_expired()
