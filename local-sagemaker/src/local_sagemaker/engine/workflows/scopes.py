"""What the expressions of a pipeline execution may refer to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from local_sagemaker.context import Context
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition, PipelineStep
from local_sagemaker.domain.pipelines.expressions import ExpressionScope
from local_sagemaker.engine.workflows import pipeline_steps
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.sagemaker.listing import moment
from local_sagemaker.storage.store import Resource

Document = dict[str, Any]


def of_execution(
    context: Context, resource: Resource, definition: PipelineDefinition, records: Mapping[str, Document]
) -> ExpressionScope:
    """Parameters, the steps that were begun, and the execution itself."""
    by_name = {step.name: step for step in definition.steps}
    described: dict[str, Any] = {}
    for name, record in records.items():
        found = pipeline_steps.resource_of(context, by_name[name], record)
        outcome = record.get("metadata", {}).get("Condition")
        described[name] = outcome or (found.document if found is not None else {})
    pipeline = resource.parent
    execution = {
        "PipelineName": pipeline,
        "PipelineArn": context.arn("sagemaker", f"pipeline/{pipeline}"),
        "PipelineExecutionId": resource.name.rpartition("/")[2],
        "PipelineExecutionArn": resource.arn,
        "StartDateTime": moment(resource.created).isoformat(),
        "CurrentDateTime": moment(time.time()).isoformat(),
    }

    def read(step: str, name: str) -> str:
        return _property_file(context, by_name[step], described[step], name)

    return ExpressionScope(resource.state["parameters"], described, execution, read)


def _property_file(context: Context, step: PipelineStep, described: Document, name: str) -> str:
    """The text of a property file of a processing step."""
    files = {one["PropertyFileName"]: one for one in step.members.get("PropertyFiles", [])}
    if name not in files:
        raise ValidationException(f"The step {step.name} has no property file {name}.")
    wanted = files[name]
    outputs = described.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for output in outputs:
        if output["OutputName"] == wanted["OutputName"]:
            uri = f"{output['S3Output']['S3Uri'].rstrip('/')}/{wanted['FilePath']}"
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            return context.objects.path(bucket, key).read_text(encoding="utf-8")
    raise ValidationException(f"The step {step.name} has no output {wanted['OutputName']} for {name}.")
