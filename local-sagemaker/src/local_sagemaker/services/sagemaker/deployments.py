"""What a request says of how an endpoint's update is to go, and what is told of one that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.domain.deployment_policy import DeploymentPolicyError, policy_from_config
from local_sagemaker.engine.endpoints.endpoint_records import EndpointPlan
from local_sagemaker.engine.endpoints.metrics import ALARM_KIND
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.sagemaker import serverless
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource


def checked(context: Context, config: dict[str, Any] | None, plan: EndpointPlan) -> dict[str, Any] | None:
    """A DeploymentConfig that can be carried out for a plan, with alarms that there are."""
    try:
        policy = policy_from_config(config, plan.size)
    except DeploymentPolicyError as error:
        raise ValidationException(f"Invalid DeploymentConfig: {error}") from error
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


def last(config: dict[str, Any] | None) -> dict[str, Any]:
    """What DescribeEndpoint keeps of a deployment's configuration; one without changes nothing."""
    return {} if config is None else {"LastDeploymentConfig": config}


def pending(context: Context, resource: Resource) -> dict[str, Any] | None:
    """PendingDeploymentSummary of an endpoint; None when no new fleet is being deployed."""
    serving, rollout = resource.state["serving"], resource.state["rollout"]
    if not serving or not rollout or rollout["generation"] == serving["generation"]:
        return None
    deployment = resource.state.get("deployment") or {"started": resource.modified}
    stage = context.hosting.stage(resource.name)
    status = {"Status": stage.status, "StartTime": moment(stage.since)}
    return {
        "EndpointConfigName": rollout["config_name"],
        "ProductionVariants": [_pending(resource, variant, status) for variant in rollout["variants"]],
        "StartTime": moment(deployment["started"]),
    }


def images(resource: Resource, variant: Mapping[str, Any]) -> list[dict[str, Any]]:
    """DeployedImages of a variant."""
    image = variant["definition"]["Image"]
    return [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": moment(resource.created)}]


def _pending(resource: Resource, variant: Mapping[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {
        "VariantName": variant["name"],
        "DeployedImages": images(resource, variant),
        "DesiredWeight": variant["weight"],
        "DesiredInstanceCount": variant["count"],
        **serverless.described(variant, variant),
        "VariantStatus": [status],
    }
