"""AsyncInferenceConfig in requests: what is refused of it, and which endpoints may get or lose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.engine.endpoints.endpoint_records import EndpointPlan
from local_sagemaker.errors import ValidationException

PATHS = ("S3OutputPath", "S3FailurePath")
TOPICS = ("SuccessTopic", "ErrorTopic", "IncludeInferenceResponseIn")


def check(parameters: Mapping[str, Any]) -> None:
    """Refuse what an endpoint configuration wants of asynchronous answers and would not get."""
    config = parameters.get("AsyncInferenceConfig")
    if config is None:
        return
    output = config["OutputConfig"]
    topics = [name for name in TOPICS if output.get("NotificationConfig", {}).get(name)]
    if topics:
        raise ValidationException(
            f"{', '.join(topics)} of NotificationConfig: there is no SNS here, so nobody would be notified. "
            "Leave it out, and look for the objects at OutputLocation and FailureLocation."
        )
    if "S3OutputPath" not in output:
        raise ValidationException(
            "AsyncInferenceConfig needs an S3OutputPath: without it, answers would go to SNS alone, which is "
            "not emulated."
        )
    for name in PATHS:
        if not output.get(name, "s3://").startswith("s3://"):
            raise ValidationException(
                f"{name} {output[name]} is not emulated: name it as s3://bucket/prefix."
            )
    if "DataCaptureConfig" in parameters:
        raise ValidationException(
            "DataCaptureConfig is not emulated together with AsyncInferenceConfig: inputs and answers are "
            "objects in S3 anyway. Leave it out."
        )


def check_update(plan: EndpointPlan, serving: EndpointPlan) -> None:
    """An endpoint stays of its kind: requests that wait must not be left without answer."""
    if (plan.asynchronous is None) != (serving.asynchronous is None):
        raise ValidationException(
            "An endpoint cannot be updated from real-time to asynchronous inference, nor back. Create "
            "another endpoint."
        )
