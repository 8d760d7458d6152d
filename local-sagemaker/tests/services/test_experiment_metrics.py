"""Metrics that runs log of trial components are summed up, kept, and read by step and by time."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest

from local_sagemaker.services.sagemaker.experiment_metrics import added
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

#: the full minute at which the points of the tests begin
BEGIN = 1_700_000_040


def test_a_summary_is_that_of_all_values() -> None:
    """Brought up to date value by value, also where the values are far from zero."""
    values = [1e6 + one for one in (0.5, -2.0, 7.25, 0.0)]
    found = reduce(lambda summary, pair: added(summary, pair[1], pair[0]), enumerate(values), None)
    assert found is not None
    assert [found[name] for name in ("Count", "Min", "Max", "Last")] == [4, values[1], values[2], values[3]]
    assert found["Avg"] == pytest.approx(statistics.fmean(values))
    assert found["StdDev"] == pytest.approx(statistics.pstdev(values))


def test_a_late_value_is_not_the_last() -> None:
    """The last value is the newest by its own time."""
    assert added(added(None, 1.0, 20.0), 2.0, 10.0)["Last"] == 1.0


def put(client: Any, *points: tuple[float, int, float]) -> Any:
    """Log points of the metric loss: seconds after the beginning, step, value."""
    data = [
        {
            "MetricName": "loss",
            "Timestamp": datetime.fromtimestamp(BEGIN + at, UTC),
            "Step": step,
            "Value": value,
        }
        for at, step, value in points
    ]
    return client.batch_put_metrics(TrialComponentName="fit", MetricData=data)


def test_metrics_are_read_by_step_and_by_time(sagemaker: Service) -> None:
    """After a restart as before; what is no number is refused by its index; a deleted component has none."""
    metrics, client = sagemaker.client("sagemaker-metrics"), sagemaker.sagemaker
    arn = client.create_trial_component(TrialComponentName="fit")["TrialComponentArn"]
    assert put(metrics, (0, 0, 4.0), (30, 1, 2.0)).get("Errors", []) == []
    assert put(metrics, (60, 2, 1.0), (61, 3, math.nan))["Errors"] == [
        {"Code": "VALIDATION_ERROR", "MetricIndex": 1}
    ]
    sagemaker.restart()
    [summary] = client.describe_trial_component(TrialComponentName="fit")["Metrics"]
    assert (summary["MetricName"], summary["Count"], summary["Last"]) == ("loss", 3, 1.0)
    query = {"MetricName": "loss", "ResourceArn": arn}
    by_step = {"MetricStat": "Last", "Period": "IterationNumber", "XAxisType": "IterationNumber", "Start": 1}
    by_time = {"MetricStat": "Avg", "Period": "OneMinute", "XAxisType": "Timestamp"}
    stray = {**by_time, "ResourceArn": f"{arn}-other"}
    asked = [{**query, **one} for one in (by_step, by_time, stray)]
    steps, times, other = metrics.batch_get_metrics(MetricQueries=asked)["MetricQueryResults"]
    assert (steps["XAxisValues"], steps["MetricValues"]) == ([1, 2], [2.0, 1.0])
    assert (times["XAxisValues"], times["MetricValues"]) == ([BEGIN, BEGIN + 60], [3.0, 1.0])
    assert other["Status"] == "ValidationError"
    client.delete_trial_component(TrialComponentName="fit")
    with refused("ResourceNotFound", "fit"):
        put(metrics, (0, 0, 4.0))
    client.create_trial_component(TrialComponentName="fit")
    [result] = metrics.batch_get_metrics(MetricQueries=[{**query, **by_step}])["MetricQueryResults"]
    assert result["MetricValues"] == []


def test_a_role_may_do_everything(sagemaker: Service) -> None:
    """Clients that ask beforehand are told so, for each action and resource."""
    asked = {
        "ActionNames": ["s3:PutObject", "sagemaker:CreateModel"],
        "ResourceArns": ["arn:aws:s3:::lab/*"],
    }
    found = sagemaker.client("iam").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::000000000000:role/any", **asked
    )
    decisions = {one["EvalActionName"]: one["EvalDecision"] for one in found["EvaluationResults"]}
    assert decisions == {"s3:PutObject": "allowed", "sagemaker:CreateModel": "allowed"}
