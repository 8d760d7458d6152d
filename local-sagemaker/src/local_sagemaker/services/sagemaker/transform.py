"""Batch transform jobs: create, describe, list, stop."""

from __future__ import annotations

from typing import Any

from local_sagemaker.domain.jsonpath import JsonPathError
from local_sagemaker.engine.jobs.channels import container_definition
from local_sagemaker.engine.jobs.pool import TRANSFORM
from local_sagemaker.engine.jobs.records import DataProcessing, RecordError, format_of
from local_sagemaker.errors import ValidationException, invalid_request, translate
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.jobs import JobType

#: SageMaker's limit of MaxPayloadInMB, alone and times MaxConcurrentTransforms
PAYLOAD_LIMIT_MB = 100

JOBS = JobType.of(TRANSFORM, "Descending")
JOBS.serve_describe("Answer with a job's request, state and times.")
JOBS.serve_list("Answer with one page of transform jobs.")
JOBS.serve_stop(
    "Stop a transform job: SIGTERM, SIGKILL after two minutes; what it has transformed is not kept."
)


@operation("sagemaker", "CreateTransformJob")
def create_transform_job(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Queue a job that sends records of S3 objects to a model and puts the answers beside them."""
    payload, concurrent = parameters.get("MaxPayloadInMB", 6), parameters.get("MaxConcurrentTransforms") or 1
    if payload * concurrent > PAYLOAD_LIMIT_MB:
        raise ValidationException(
            f"MaxPayloadInMB times MaxConcurrentTransforms is {payload * concurrent}, and may be at most "
            f"{PAYLOAD_LIMIT_MB}. Lower one of them."
        )
    with translate((JsonPathError, RecordError), invalid_request):
        processing = DataProcessing.from_request(parameters)
        if not processing.input_filter.is_root or processing.is_joined:
            format_of(processing.content_type)
        if processing.touches_answers and processing.accept is not None:
            format_of(processing.accept)
    container_definition(context, parameters["ModelName"])
    return JOBS.submit(context, parameters)
