"""CloudWatch alarms: put, describe and delete; domain/cloudwatch.py judges them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.cloudwatch import (
    COMPARISONS,
    INSUFFICIENT_DATA,
    MINUTE_S,
    MISSING_DATA_TREATMENTS,
)
from local_sagemaker.engine.endpoints.metrics import ALARM_KIND, read_alarm
from local_sagemaker.errors import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    ValidationException,
)
from local_sagemaker.services import cloudwatch
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import tags_by_key
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource, TakenError

#: what a metric alarm must say
NEEDED = ("MetricName", "Namespace", "Period", "Threshold", "ComparisonOperator", "EvaluationPeriods")
#: periods of an alarm shorter than a minute, in seconds, and the longest time it may look at
SHORT_PERIODS, DAY_S, WEEK_S = (10, 20, 30), 24 * 3600, 7 * 24 * 3600
PAGE = 50


@operation("cloudwatch", "PutMetricAlarm")
async def put_metric_alarm(context: Context, parameters: dict[str, Any]) -> None:
    """Create an alarm on one metric, or replace it; it starts no action but the rollback of deployments."""
    _check(parameters)
    name, now = parameters["AlarmName"], time.time()
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    resource = Resource(
        kind=ALARM_KIND,
        name=name,
        arn=context.arn("cloudwatch", f"alarm:{name}"),
        created=now,
        modified=now,
        document=document,
        state={"value": INSUFFICIENT_DATA, "reason": "Unchecked: Initial alarm creation", "since": now},
    )
    with suppress(TakenError):
        context.store.insert(resource, tags_by_key(parameters.get("Tags")))
        return
    # as CloudWatch does: the state of an alarm that is replaced stays until the alarm is judged again
    context.store.change(ALARM_KIND, name, lambda alarm: replace(alarm, modified=now, document=document))


@operation("cloudwatch", "DescribeAlarms")
async def describe_alarms(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with alarms by name or prefix, and the state each is in now."""
    names, token = parameters.get("AlarmNames"), parameters.get("NextToken", "")
    if names is not None and "AlarmNamePrefix" in parameters:
        raise InvalidParameterCombinationException("Give either AlarmNames or AlarmNamePrefix.")
    if "MetricAlarm" not in parameters.get("AlarmTypes", ["MetricAlarm"]):
        return {"MetricAlarms": [], "CompositeAlarms": []}
    prefix, size = parameters.get("AlarmNamePrefix", ""), parameters.get("MaxRecords", PAGE)
    known = [resource.name for resource in context.store.search(ALARM_KIND, Query(sort_by="name"))]
    chosen = [name for name in known if name > token and name.startswith(prefix)]
    if names is not None:
        chosen = [name for name in chosen if name in names]
    meters = context.hosting.meters
    alarms = [alarm for name in chosen if (alarm := read_alarm(context.store, meters, name)) is not None]
    wanted = [alarm for alarm in alarms if _is_wanted(alarm, parameters)]
    return {
        "MetricAlarms": [_described(alarm) for alarm in wanted[:size]],
        "CompositeAlarms": [],
        "NextToken": wanted[size - 1].name if len(wanted) > size else None,
    }


@operation("cloudwatch", "DeleteAlarms")
async def delete_alarms(context: Context, parameters: dict[str, Any]) -> None:
    """Forget alarms; names that there are not do not matter."""
    for name in parameters["AlarmNames"]:
        context.store.delete(ALARM_KIND, name)


def _check(parameters: Mapping[str, Any]) -> None:
    missing = [member for member in NEEDED if member not in parameters]
    if missing:
        raise ValidationException(f"An alarm on a metric needs {', '.join(missing)}.")
    if ("Statistic" in parameters) == ("ExtendedStatistic" in parameters):
        raise InvalidParameterCombinationException("Give either Statistic or ExtendedStatistic.")
    if "ExtendedStatistic" in parameters:
        cloudwatch.check_statistic(parameters["ExtendedStatistic"])
    if parameters["ComparisonOperator"] not in COMPARISONS:
        raise InvalidParameterValueException(
            f"{parameters['ComparisonOperator']} needs anomaly detection, which is not emulated. There are "
            f"{', '.join(COMPARISONS)}."
        )
    if parameters.get("TreatMissingData", "missing") not in MISSING_DATA_TREATMENTS:
        raise InvalidParameterValueException(
            f"TreatMissingData is one of {', '.join(MISSING_DATA_TREATMENTS)}."
        )
    _check_periods(parameters)


def _check_periods(parameters: Mapping[str, Any]) -> None:
    period, count = parameters["Period"], parameters["EvaluationPeriods"]
    if period not in SHORT_PERIODS and period % MINUTE_S:
        raise InvalidParameterValueException(
            f"The Period {period} is none of {SHORT_PERIODS} nor a multiple of {MINUTE_S} seconds."
        )
    if parameters.get("DatapointsToAlarm", count) > count:
        raise InvalidParameterCombinationException(
            f"DatapointsToAlarm must be at most EvaluationPeriods ({count})."
        )
    limit = WEEK_S if period >= 3600 else DAY_S  # noqa: PLR2004 - CloudWatch's rule for periods of an hour
    if period * count > limit:
        raise InvalidParameterCombinationException(
            f"Period times EvaluationPeriods is {period * count} s, and must be at most {limit} s."
        )


def _is_wanted(alarm: Resource, parameters: Mapping[str, Any]) -> bool:
    prefix = parameters.get("ActionPrefix")
    return alarm.state["value"] == parameters.get("StateValue", alarm.state["value"]) and (
        prefix is None or any(action.startswith(prefix) for action in alarm.document.get("AlarmActions", []))
    )


def _described(alarm: Resource) -> dict[str, Any]:
    return {
        "ActionsEnabled": True,
        **alarm.document,
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.modified),
        "StateValue": alarm.state["value"],
        "StateReason": alarm.state["reason"],
        "StateUpdatedTimestamp": moment(alarm.state["since"]),
        "StateTransitionedTimestamp": moment(alarm.state["since"]),
    }
