"""Endpoints: create, update, scale, describe, list, delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from local_sagemaker.domain.endpoint_states import EndpointEvent, EndpointStateError, transition
from local_sagemaker.engine.endpoints.endpoint_records import KIND, EndpointPlan, with_status
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import async_configs, deployments, endpoint_configs, serverless
from local_sagemaker.services.sagemaker.endpoint_plans import plan_of, rescaled, retained
from local_sagemaker.services.sagemaker.listing import listed, pairs
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import MissingError, Resource, TakenError


@operation("sagemaker", "CreateEndpoint")
async def create_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Create an endpoint; it is InService once all its containers are healthy."""
    name, config = parameters["EndpointName"], parameters["EndpointConfigName"]
    arn = context.arn("sagemaker", f"endpoint/{name}")
    plan = plan_of(context, endpoint_configs.find(context, config), generation=1)
    deployment = deployments.checked(context, parameters.get("DeploymentConfig"), plan)
    now = time.time()
    resource = Resource(
        kind=KIND,
        name=name,
        arn=arn,
        status="Creating",
        created=now,
        modified=now,
        document={"EndpointConfigName": config, **deployments.last(deployment)},
        state={"generation": 1, "serving": None, "rollout": plan.to_json()},
    )
    try:
        context.store.insert(resource, pairs(parameters.get("Tags")))
    except TakenError as error:
        raise ValidationException(f'Cannot create already existing endpoint "{arn}".') from error
    context.hosting.create(name, plan)
    return {"EndpointArn": arn}


@operation(
    "sagemaker",
    "UpdateEndpoint",
    ignored=("DeploymentConfig.RollingUpdatePolicy.RollbackMaximumBatchSize",),
)
async def update_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace what an endpoint serves without a failed request; a rollout that fails is rolled back."""
    config = endpoint_configs.find(context, parameters["EndpointConfigName"])

    def planned(state: dict[str, Any]) -> EndpointPlan:
        plan = plan_of(context, config, generation=state["generation"] + 1)
        serving = EndpointPlan.from_json(state["serving"])
        serverless.check_update(plan, serving)
        async_configs.check_update(plan, serving)
        if parameters.get("RetainAllVariantProperties"):
            kept = parameters.get("ExcludeRetainedVariantProperties", [])
            excluded = {item["VariantPropertyType"] for item in kept}
            plan = retained(plan, serving, excluded)
        return plan

    def configured(document: dict[str, Any], plan: EndpointPlan) -> dict[str, Any] | None:
        config = parameters.get("DeploymentConfig")
        if config is None and parameters.get("RetainDeploymentConfig"):
            config = document.get("LastDeploymentConfig")
        return deployments.checked(context, config, plan)

    resource, plan = _begin(context, parameters["EndpointName"], planned, configured)
    context.hosting.update(resource.name, plan, resource.state["deployment"])
    return {"EndpointArn": resource.arn}


@operation("sagemaker", "UpdateEndpointWeightsAndCapacities")
async def update_endpoint_weights_and_capacities(
    context: Context, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Change how traffic is shared and how many instances serve it."""
    wanted = parameters["DesiredWeightsAndCapacities"]

    def planned(state: dict[str, Any]) -> EndpointPlan:
        return rescaled(EndpointPlan.from_json(state["serving"]), wanted)

    resource, plan = _begin(context, parameters["EndpointName"], planned)
    context.hosting.rescale(resource.name, plan)
    return {"EndpointArn": resource.arn}


@operation("sagemaker", "DescribeEndpoint")
def describe_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with an endpoint's state, and the variants that serve it."""
    resource = find(context, parameters["EndpointName"])
    serving, rollout = resource.state["serving"], resource.state["rollout"]
    return {
        **resource.document,
        "EndpointName": resource.name,
        "EndpointArn": resource.arn,
        "EndpointStatus": resource.status,
        "ProductionVariants": _variants(resource, serving, rollout) if serving else None,
        "DataCaptureConfig": _capture(resource, serving or rollout),
        "AsyncInferenceConfig": (serving or rollout or {}).get("asynchronous"),
        "PendingDeploymentSummary": deployments.pending(context, resource),
        "CreationTime": moment(resource.created),
        "LastModifiedTime": moment(resource.modified),
    }


@operation("sagemaker", "ListEndpoints")
def list_endpoints(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List endpoints, newest first unless asked otherwise."""
    found, token = listed(context, KIND, parameters)
    summaries = [
        {
            "EndpointName": resource.name,
            "EndpointArn": resource.arn,
            "CreationTime": moment(resource.created),
            "LastModifiedTime": moment(resource.modified),
            "EndpointStatus": resource.status,
        }
        for resource in found
    ]
    return {"Endpoints": summaries, "NextToken": token}


@operation("sagemaker", "DeleteEndpoint")
async def delete_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take an endpoint out of service at once, stop its containers, then forget it."""
    name = parameters["EndpointName"]

    def change(resource: Resource) -> Resource:
        taken = transition(resource.status, EndpointEvent.DELETE)
        return with_status(resource, taken.status, resource.document, resource.state)

    was = find(context, name).status
    context.store.change(KIND, name, change)
    if was != "Deleting":
        context.hosting.delete(name)
    return {}


def find(context: Context, name: str) -> Resource:
    """The endpoint of that name; ValidationException in AWS's words if there is none."""
    found: Resource | None = context.store.get(KIND, name)
    if found is None:
        raise _missing(context, name)
    return found


def _missing(context: Context, name: str) -> ValidationException:
    return ValidationException(f'Could not find endpoint "{context.arn("sagemaker", f"endpoint/{name}")}".')


def _begin(
    context: Context,
    name: str,
    planned: Callable[[dict[str, Any]], EndpointPlan],
    configured: Callable[[dict[str, Any], EndpointPlan], dict[str, Any] | None] | None = None,
) -> tuple[Resource, EndpointPlan]:
    """Record that an endpoint is being updated to a plan made of its state."""

    def change(resource: Resource) -> Resource:
        try:
            taken = transition(resource.status, EndpointEvent.UPDATE)
        except EndpointStateError as error:
            raise ValidationException(_not_now(resource)) from error
        plan = planned(resource.state)
        state = {**resource.state, "generation": plan.generation, "rollout": plan.to_json()}
        document = resource.document
        if configured is not None:
            config = configured(document, plan)
            state["deployment"] = {"config": config, "started": time.time()}
            document = {**document, **deployments.last(config)}
        return with_status(resource, taken.status, document, state)

    try:
        resource = context.store.change(KIND, name, change)
    except MissingError as error:
        raise _missing(context, name) from error
    return resource, EndpointPlan.from_json(resource.state["rollout"])


def _not_now(resource: Resource) -> str:
    if resource.status in {"Creating", "Updating"}:
        return f'Cannot update in-progress endpoint "{resource.arn}". Wait until it is InService.'
    return (
        f'Cannot update endpoint "{resource.arn}" while its status is {resource.status}. Delete it and '
        "create it again."
    )


def _variants(
    resource: Resource, serving: dict[str, Any], rollout: dict[str, Any] | None
) -> list[dict[str, Any]]:
    desired = {variant["name"]: variant for variant in (rollout or serving)["variants"]}
    return [
        _variant(resource, variant, desired.get(variant["name"], variant)) for variant in serving["variants"]
    ]


def _variant(resource: Resource, current: dict[str, Any], desired: dict[str, Any]) -> dict[str, Any]:
    return {
        "VariantName": current["name"],
        "DeployedImages": deployments.images(resource, current),
        "CurrentWeight": current["weight"],
        "DesiredWeight": desired["weight"],
        "CurrentInstanceCount": current["count"],
        "DesiredInstanceCount": desired["count"],
        **serverless.described(current, desired),
    }


def _capture(resource: Resource, plan: dict[str, Any]) -> dict[str, Any] | None:
    given = plan["capture"] if plan else None
    if not given:
        return None
    is_on = given.get("EnableCapture", True) and resource.status in {"InService", "Updating"}
    return {
        "EnableCapture": given.get("EnableCapture", True),
        "CaptureStatus": "Started" if is_on else "Stopped",
        "CurrentSamplingPercentage": given["InitialSamplingPercentage"],
        "DestinationS3Uri": given["DestinationS3Uri"],
        "KmsKeyId": given.get("KmsKeyId", ""),
    }
