"""Processing jobs: CreateProcessingJob, DescribeProcessingJob, ListProcessingJobs, StopProcessingJob."""

from __future__ import annotations

from typing import Any

from local_sagemaker.engine.jobs.pool import PROCESSING
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.jobs import JobType, check_path, refuse_many

BASE = "/opt/ml/processing/"

JOBS = JobType.of(PROCESSING, "Ascending")
JOBS.serve_describe("Answer with a processing job's request, status, times, exit message and failure reason.")
JOBS.serve_list("Answer with one page of processing jobs.")
JOBS.serve_stop("Stop a processing job: SIGTERM, SIGKILL after two minutes.")


@operation("sagemaker", "CreateProcessingJob")
def create_processing_job(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Queue a processing job: its entry point runs in a process with its inputs below /opt/ml/processing."""
    _check_cluster(parameters["ProcessingResources"]["ClusterConfig"])
    for item in parameters.get("ProcessingInputs", []):
        name, source = item["InputName"], item.get("S3Input")
        if source is None:
            raise ValidationException(f"Input {name}: only an S3Input is supported by the local SageMaker.")
        check_path(f"Input {name}", source.get("LocalPath"), BASE)
    for item in parameters.get("ProcessingOutputConfig", {}).get("Outputs", []):
        name, target = item["OutputName"], item.get("S3Output")
        if target is None:
            raise ValidationException(f"Output {name}: only an S3Output is supported by the local SageMaker.")
        check_path(f"Output {name}", target.get("LocalPath"), BASE)
    # SageMaker's own default
    parameters.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", 86_400)
    return JOBS.submit(context, parameters)


def _check_cluster(given: dict[str, Any]) -> None:
    """Refuse what names no cluster."""
    if not {"InstanceType", "InstanceCount"} <= given.keys():
        raise ValidationException(
            "ProcessingResources.ClusterConfig: the local SageMaker picks no instances. Give an "
            "InstanceType and an InstanceCount."
        )
    refuse_many(given["InstanceCount"])
