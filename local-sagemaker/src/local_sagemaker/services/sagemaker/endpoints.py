"""Endpoints: create, update, scale, describe, list, delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from local_sagemaker.domain.deployment_policy import DeploymentPolicyError, policy_from_config
from local_sagemaker.domain.endpoint_states import EndpointEvent, EndpointStateError, transition
from local_sagemaker.engine.endpoints.fleet import EndpointPlan
from local_sagemaker.engine.endpoints.metrics import ALARM_KIND
from local_sagemaker.engine.endpoints.rollout import KIND, with_status
from local_sagemaker.errors import ValidationException, translate
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import endpoint_configs, serverless
from local_sagemaker.services.sagemaker.endpoint_configs import CONFIGS, plan_of, rescaled, retained
from local_sagemaker.services.sagemaker.resources import ResourceType
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource

ENDPOINTS = ResourceType(
    noun="Endpoint",
    kind=KIND,
    missing='Could not find endpoint "{arn}".',
    taken='Cannot create already existing endpoint "{arn}".',
)
ENDPOINTS.serve_list("List endpoints, newest first unless asked otherwise.")


@operation("sagemaker", "CreateEndpoint")
async def create_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Create an endpoint; it is InService once all its containers are healthy."""
    name, config = parameters["EndpointName"], parameters["EndpointConfigName"]
    plan = plan_of(context, CONFIGS.find_resource(context, config), generation=1)
    deployment = _check_deployment(context, parameters.get("DeploymentConfig"), plan)
    answer = ENDPOINTS.create(
        context,
        parameters,
        {"EndpointConfigName": config, **_last_deployment(deployment)},
        status="Creating",
        state={"generation": 1, "serving": None, "rollout": plan.to_json()},
    )
    context.hosting.create(name, plan)
    return answer


@operation("sagemaker", "UpdateEndpoint")
async def update_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace what an endpoint serves without a failed request; a rollout that fails is rolled back."""
    config = CONFIGS.named(context, parameters)

    def planned(state: dict[str, Any]) -> EndpointPlan:
        plan = plan_of(context, config, generation=state["generation"] + 1)
        serving = EndpointPlan.from_json(state["serving"])
        serverless.check_update(plan, serving)
        endpoint_configs.check_async_update(plan, serving)
        if parameters.get("RetainAllVariantProperties"):
            kept = parameters.get("ExcludeRetainedVariantProperties", [])
            excluded = {item["VariantPropertyType"] for item in kept}
            plan = retained(plan, serving, excluded)
        return plan

    def configured(document: dict[str, Any], plan: EndpointPlan) -> dict[str, Any] | None:
        config = parameters.get("DeploymentConfig")
        if config is None and parameters.get("RetainDeploymentConfig"):
            config = document.get("LastDeploymentConfig")
        return _check_deployment(context, config, plan)

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
    return description(context, ENDPOINTS.named(context, parameters))


def description(context: Context, resource: Resource) -> dict[str, Any]:
    """Return an endpoint as Describe and Search show it."""
    serving, rollout = resource.state["serving"], resource.state["rollout"]
    return {
        **ENDPOINTS.described(resource),
        "ProductionVariants": _variants(resource, serving, rollout) if serving else None,
        "ShadowProductionVariants": (_variants(resource, serving, rollout, "shadows") or None)
        if serving
        else None,
        "DataCaptureConfig": _capture(resource, serving or rollout),
        "AsyncInferenceConfig": (serving or rollout or {}).get("asynchronous"),
        "PendingDeploymentSummary": _pending_deployment(context, resource),
    }


@operation("sagemaker", "DeleteEndpoint")
async def delete_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take an endpoint out of service at once, stop its containers, then forget it."""
    name = parameters["EndpointName"]

    def change(resource: Resource) -> Resource:
        taken = transition(resource.status, EndpointEvent.DELETE)
        return with_status(resource, taken.status, resource.document, resource.state)

    was = ENDPOINTS.find_resource(context, name).status
    context.store.change(KIND, name, change)
    if was != "Deleting":
        context.hosting.delete(name)
    return {}


def _begin(
    context: Context,
    name: str,
    planned: Callable[[dict[str, Any]], EndpointPlan],
    configured: Callable[[dict[str, Any], EndpointPlan], dict[str, Any] | None] | None = None,
) -> tuple[Resource, EndpointPlan]:
    """Record that an endpoint is being updated to a plan made of its state."""

    def change(resource: Resource) -> Resource:
        with translate(EndpointStateError, ValidationException(_not_now(resource))):
            taken = transition(resource.status, EndpointEvent.UPDATE)
        plan = planned(resource.state)
        state = {**resource.state, "generation": plan.generation, "rollout": plan.to_json()}
        document = resource.document
        if configured is not None:
            config = configured(document, plan)
            state["deployment"] = {"config": config, "started": time.time()}
            document = {**document, **_last_deployment(config)}
        return with_status(resource, taken.status, document, state)

    resource = ENDPOINTS.change(context, name, change)
    return resource, EndpointPlan.from_json(resource.state["rollout"])


def _not_now(resource: Resource) -> str:
    if resource.status in {"Creating", "Updating"}:
        return f'Cannot update in-progress endpoint "{resource.arn}". Wait until it is InService.'
    return (
        f'Cannot update endpoint "{resource.arn}" while its status is {resource.status}. Delete it and '
        "create it again."
    )


def _variants(
    resource: Resource, serving: dict[str, Any], rollout: dict[str, Any] | None, kind: str = "variants"
) -> list[dict[str, Any]]:
    # an endpoint of an earlier version has no shadows
    planned = {variant["name"]: variant for variant in (rollout or serving).get(kind, [])}
    return [
        {
            **_variant(resource, variant, planned.get(variant["name"], variant)),
            "CurrentWeight": variant["weight"],
            "CurrentInstanceCount": variant["count"],
        }
        for variant in serving.get(kind, [])
    ]


def _variant(resource: Resource, variant: dict[str, Any], desired: dict[str, Any]) -> dict[str, Any]:
    created = moment(resource.created)
    # a plan of an earlier version has one container
    images = [one["Image"] for one in (variant["definition"], *variant.get("following", ()))]
    return {
        "VariantName": variant["name"],
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": created} for image in images
        ],
        "DesiredWeight": desired["weight"],
        "DesiredInstanceCount": desired["count"],
        **serverless.described(variant, desired),
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


def _check_deployment(
    context: Context, config: dict[str, Any] | None, plan: EndpointPlan
) -> dict[str, Any] | None:
    """Return the DeploymentConfig if it fits the plan and its alarms exist."""
    with translate(
        DeploymentPolicyError, lambda error: ValidationException(f"Invalid DeploymentConfig: {error}")
    ):
        policy = policy_from_config(config, plan.size)
    if policy.is_rolling and plan.is_serverless:
        raise ValidationException(
            "Invalid DeploymentConfig: a serverless endpoint has no instances that a RollingUpdatePolicy "
            "could replace in batches. Use BlueGreenUpdatePolicy, or none."
        )
    missing = [name for name in policy.alarms if context.store.get(ALARM_KIND, name) is None]
    if missing:
        raise ValidationException(
            f"Invalid DeploymentConfig: there is no CloudWatch alarm {', '.join(missing)}. Create it by "
            "PutMetricAlarm first."
        )
    return config


def _last_deployment(config: dict[str, Any] | None) -> dict[str, Any]:
    """Return what DescribeEndpoint keeps of a deployment's configuration; None changes nothing."""
    return {} if config is None else {"LastDeploymentConfig": config}


def _pending_deployment(context: Context, resource: Resource) -> dict[str, Any] | None:
    """PendingDeploymentSummary of an endpoint; None when no new fleet is being deployed."""
    serving, rollout = resource.state["serving"], resource.state["rollout"]
    if not serving or not rollout or rollout["generation"] == serving["generation"]:
        return None
    deployment = resource.state.get("deployment") or {"started": resource.modified}
    stage = context.hosting.stage(resource.name)
    status = {"Status": stage.status, "StartTime": moment(stage.since)}
    variants, shadows = (
        [
            {**_variant(resource, variant, variant), "VariantStatus": [status]}
            for variant in rollout.get(kind, [])
        ]
        for kind in ("variants", "shadows")
    )
    return {
        "EndpointConfigName": rollout["config_name"],
        "ProductionVariants": variants,
        "ShadowProductionVariants": shadows or None,
        "StartTime": moment(deployment["started"]),
    }
