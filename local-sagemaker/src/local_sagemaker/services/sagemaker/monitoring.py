"""Monitoring schedules and the definitions of their jobs, as records: nothing is run by them.

AWS has closed Model Monitor to new customers and points them to processing jobs of their own over captured
data, so nothing here does its containers' work. Code that makes and deletes schedules goes on.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from local_sagemaker.errors import ResourceInUse, ResourceNotFound, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import ResourceType, listed
from local_sagemaker.storage.store import Document, Resource

#: why a schedule has no executions, as its description says it
REASON = (
    "The local SageMaker keeps monitoring schedules and runs nothing by them: Model Monitor is closed to new "
    "customers of AWS. Run a processing job of your own over the captured data."
)
SCHEDULED, STOPPED = "Scheduled", "Stopped"
#: MonitoringType -> what an ARN calls the definitions of its jobs
TYPES = {
    "DataQuality": "data-quality-job-definition",
    "ModelQuality": "model-quality-job-definition",
    "ModelBias": "model-bias-job-definition",
    "ModelExplainability": "model-explainability-job-definition",
}


class DefinitionType(ResourceType):
    """The job definitions of one type of monitoring, which all have their name in the same member."""

    def described(self, resource: Resource) -> Document:
        """Return all that is known of a definition."""
        named = {"JobDefinitionName": resource.name, "JobDefinitionArn": resource.arn}
        return super().described(resource) | named

    def named(self, context: Context, parameters: Mapping[str, Any], verb: str = "describe") -> Resource:
        """Return the definition that a request names."""
        return self.find_resource(context, parameters["JobDefinitionName"], verb)


DEFINITIONS = {
    word: DefinitionType(
        noun=f"{word}JobDefinition",
        kind=kind,
        missing="Job definition {arn} does not exist.",
        missing_error=ResourceNotFound,
        taken="Job definition names must be unique within an AWS account and region; {arn} already exists.",
        taken_error=ResourceInUse,
    )
    for word, kind in TYPES.items()
}
SCHEDULES = ResourceType(
    noun="MonitoringSchedule",
    kind="monitoring-schedule",
    missing="Monitoring schedule {arn} does not exist.",
    missing_error=ResourceNotFound,
    taken="Monitoring schedule names must be unique within an AWS account and region; {arn} already exists.",
    taken_error=ResourceInUse,
)
SCHEDULES.serve_describe(
    "Answer with a monitoring schedule; its FailureReason says that nothing is run by it."
)
SCHEDULES.serve_delete("Forget a monitoring schedule.")


def _create_definition(word: str, context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    records, name = DEFINITIONS[word], parameters["JobDefinitionName"]
    endpoint = parameters[f"{word}JobInput"].get("EndpointInput", {}).get("EndpointName")
    resource = records.new(context, name, parameters, parent=endpoint)
    records.keep(context, resource, parameters)
    return {"JobDefinitionArn": resource.arn}


def _list_definitions(word: str, context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    kind, endpoint = DEFINITIONS[word].kind, parameters.get("EndpointName")
    resources, token = listed(context, kind, parameters, parent=endpoint)
    summaries = [
        {
            "MonitoringJobDefinitionName": one.name,
            "MonitoringJobDefinitionArn": one.arn,
            "CreationTime": one.document["CreationTime"],
            "EndpointName": one.parent or "",
        }
        for one in resources
    ]
    return {"JobDefinitionSummaries": summaries, "NextToken": token}


for made in DEFINITIONS.values():
    label = made.kind.replace("-", " ")
    monitored = made.noun.removesuffix("JobDefinition")
    made.serve_describe(f"Answer with a {label}.")
    made.serve_delete(f"Forget a {label}.")
    operation("sagemaker", f"Create{made.noun}", summary=f"Keep a {label}; nothing is run by it.")(
        functools.partial(_create_definition, monitored)
    )
    operation("sagemaker", f"List{made.noun}s", summary=f"Answer with one page of {label}s.")(
        functools.partial(_list_definitions, monitored)
    )


@operation("sagemaker", "CreateMonitoringSchedule")
def create_monitoring_schedule(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a monitoring schedule; nothing is run by it."""
    document = parameters | _shown(context, parameters["MonitoringScheduleConfig"])
    return SCHEDULES.create(context, parameters, document | {"FailureReason": REASON}, status=SCHEDULED)


@operation("sagemaker", "UpdateMonitoringSchedule")
def update_monitoring_schedule(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace the configuration of a monitoring schedule."""
    schedule = SCHEDULES.named(context, parameters, "update")
    config = parameters["MonitoringScheduleConfig"]
    members = {"MonitoringScheduleConfig": config, **_shown(context, config)}
    SCHEDULES.change(context, schedule.name, lambda resource: resource.changed(members))
    return {"MonitoringScheduleArn": schedule.arn}


def _restatus(status: str, context: Context, parameters: dict[str, Any]) -> None:
    name = SCHEDULES.named(context, parameters, "update").name
    SCHEDULES.change(context, name, lambda resource: resource.changed({}, status=status))


for verb, state in (("Start", SCHEDULED), ("Stop", STOPPED)):
    line = f"Set a monitoring schedule to {state}; nothing is run by it."
    operation("sagemaker", f"{verb}MonitoringSchedule", summary=line)(functools.partial(_restatus, state))


@operation("sagemaker", "ListMonitoringSchedules")
def list_monitoring_schedules(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of monitoring schedules, by name, time, status, endpoint, type or definition."""
    filters = {
        "EndpointName": parameters.get("EndpointName"),
        "MonitoringType": parameters.get("MonitoringTypeEquals"),
        "MonitoringJobDefinitionName": parameters.get("MonitoringJobDefinitionName"),
    }
    wanted = {name: value for name, value in filters.items() if value is not None}

    def fits(schedule: Resource) -> bool:
        return all(schedule.document.get(name) == value for name, value in wanted.items())

    return SCHEDULES.list_resources(context, parameters, fits=fits)


@operation("sagemaker", "ListMonitoringExecutions")
def list_monitoring_executions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with no executions: none is ever run."""
    if "MonitoringScheduleName" in parameters:
        SCHEDULES.named(context, parameters)
    return {"MonitoringExecutionSummaries": []}


def _shown(context: Context, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a schedule's description takes from its configuration, which must name what it is about."""
    name, inline = config.get("MonitoringJobDefinitionName"), config.get("MonitoringJobDefinition")
    if (name is None) == (inline is None):
        raise ValidationException(
            "MonitoringScheduleConfig needs either a MonitoringJobDefinition, or a "
            "MonitoringJobDefinitionName with its MonitoringType."
        )
    word = config.get("MonitoringType", "DataQuality")
    if inline is not None:
        inputs = inline["MonitoringInputs"]
        endpoint = inputs[0].get("EndpointInput", {}).get("EndpointName") if inputs else None
    else:
        endpoint = DEFINITIONS[word].find_resource(context, str(name)).parent
    return {"MonitoringType": word, "MonitoringJobDefinitionName": name, "EndpointName": endpoint}
