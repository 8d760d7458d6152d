"""The requests that Flywheel sends to SageMaker: pure functions of the cycle, the settings and the inputs.

The job contract of docs/explanation/architecture.md is kept here and in include/steps/contract.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from include.core.cycle import Compute, Cycle
from include.core.layout import Interval, Places
from include.core.settings import Settings

Request = dict[str, Any]

PROCESSING_ROOT = "/opt/ml/processing"
#: what InvokeEndpoint and batch transform may send to a model of ours
CONTENT_TYPES = ["text/csv", "application/json", "application/jsonlines"]
#: lines `name=value` that a training job ends with
METRICS = (
    "rows",
    "rows_validation",
    "validation_roc_auc",
    "validation_average_precision",
    "validation_accuracy",
    "validation_f1_score",
    "validation_log_loss",
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all requests of one step have in common."""

    name: str
    step: str
    cycle: Cycle
    interval: Interval
    key: str
    #: s3:// URI of the code archive
    code_uri: str
    output_uri: str
    settings: Settings

    @property
    def told(self) -> dict[str, str]:
        """What every job is told about itself."""
        start, end = self.interval.iso
        return {"cycle": self.cycle.name, "start": start, "end": end, "key": self.key}

    @property
    def environment(self) -> dict[str, str]:
        """The thread count, for numeric libraries and for ours."""
        return thread_environment(self.settings)


@dataclass(frozen=True)
class Source:
    """Where an input comes from."""

    uri: str
    kind: Literal["S3Prefix", "ManifestFile"] = "S3Prefix"


def thread_environment(settings: Settings) -> dict[str, str]:
    """The thread count as environment variables."""
    return {"OMP_NUM_THREADS": str(settings.threads), "FLYWHEEL_THREADS": str(settings.threads)}


def processing(job: Job, inputs: Mapping[str, Source], parameters: Mapping[str, str]) -> Request:
    """CreateProcessingJob of a step."""
    told = [text for name, value in {**job.told, **parameters}.items() for text in (f"--{name}", value)]
    sources = {"code": Source(job.code_uri), **inputs}
    return {
        "ProcessingJobName": job.name,
        "RoleArn": job.settings.role_arn,
        "AppSpecification": {
            "ImageUri": job.settings.image_uri,
            "ContainerEntrypoint": ["process"],
            "ContainerArguments": [job.step, *told],
        },
        "Environment": job.environment,
        "ProcessingInputs": [_processing_input(name, source) for name, source in sources.items()],
        "ProcessingOutputConfig": {"Outputs": [_processing_output(job.output_uri)]},
        "ProcessingResources": {"ClusterConfig": _cluster(job.cycle.processing)},
        "StoppingCondition": {"MaxRuntimeInSeconds": job.cycle.processing.max_runtime_s},
    }


def _processing_input(name: str, source: Source) -> Request:
    """An input that appears at `input/<name>`, a path that may have more than one part."""
    return {
        "InputName": name.replace("/", "-"),
        "S3Input": {
            "S3Uri": source.uri,
            "LocalPath": f"{PROCESSING_ROOT}/input/{name}",
            "S3DataType": source.kind,
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
        },
    }


def _processing_output(uri: str) -> Request:
    place = {"S3Uri": uri, "LocalPath": f"{PROCESSING_ROOT}/output", "S3UploadMode": "EndOfJob"}
    return {"OutputName": "output", "S3Output": place}


def _cluster(compute: Compute) -> Request:
    return {
        "InstanceType": compute.instance_type,
        "InstanceCount": compute.instance_count,
        "VolumeSizeInGB": compute.volume_gb,
    }


def training(job: Job, channels: Mapping[str, Source]) -> Request:
    """CreateTrainingJob: the image's own `train`, told everything by hyperparameters."""
    sources = {**channels, "code": Source(job.code_uri)}
    return {
        "TrainingJobName": job.name,
        "RoleArn": job.settings.role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": job.settings.image_uri,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": m, "Regex": rf"(?:^|\s){m}=(\S+)"} for m in METRICS],
        },
        "HyperParameters": {**job.cycle.hyperparameters, **job.told},
        "Environment": job.environment,
        "InputDataConfig": [_channel(name, source) for name, source in sources.items()],
        "OutputDataConfig": {"S3OutputPath": job.output_uri.rstrip("/")},
        "ResourceConfig": _cluster(job.cycle.training),
        "StoppingCondition": {"MaxRuntimeInSeconds": job.cycle.training.max_runtime_s},
    }


def _channel(name: str, source: Source) -> Request:
    place = {"S3DataType": source.kind, "S3Uri": source.uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": place}, "InputMode": "File"}


def transform(job: Job, model_name: str, batch_uri: str) -> Request:
    """CreateTransformJob: event id and features in; event id, label and score out; captured as lists."""
    return {
        "TransformJobName": job.name,
        "ModelName": model_name,
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": 6,
        "Environment": job.environment,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": batch_uri}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": job.output_uri.rstrip("/"),
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        "TransformResources": {
            "InstanceType": job.cycle.serving.instance_type,
            "InstanceCount": job.cycle.serving.instance_count,
        },
        # The lists name the records and answers by the hour, and hold none of their data.
        "DataCaptureConfig": {
            "DestinationS3Uri": Places(job.settings.bucket, job.cycle.name).captured_batch.rstrip("/")
        },
        # The model never sees the event id; the answer is joined to it by SageMaker.
        "DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-2,-1]"},
    }


def model(name: str, model_uri: str, settings: Settings) -> Request:
    """CreateModel from the archive of a training job."""
    return {
        "ModelName": name,
        "ExecutionRoleArn": settings.role_arn,
        "PrimaryContainer": _container(model_uri, settings),
    }


def _container(model_uri: str, settings: Settings) -> Request:
    return {
        "Image": settings.image_uri,
        "ModelDataUrl": model_uri,
        "Environment": thread_environment(settings),
    }


def endpoint_config(name: str, cycle: Cycle, model_name: str, settings: Settings) -> Request:
    """CreateEndpointConfig: one variant, and every request and answer captured, unless they are private."""
    # A request holds all columns.
    modes = ["Output"] if cycle.monitoring.private else ["Input", "Output"]
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {
                "VariantName": "champion",
                "ModelName": model_name,
                "InstanceType": cycle.serving.instance_type,
                "InitialInstanceCount": cycle.serving.instance_count,
                "InitialVariantWeight": 1.0,
            }
        ],
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": Places(settings.bucket, cycle.name).captured.rstrip("/"),
            "CaptureOptions": [{"CaptureMode": mode} for mode in modes],
            # Without the list SageMaker captures everything as base64.
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json", "application/jsonlines"],
            },
        },
    }


def model_package(
    cycle: Cycle,
    *,
    model_uri: str,
    evaluation_uri: str,
    approval: Literal["Approved", "Rejected"],
    properties: Mapping[str, str],
    card: Mapping[str, str] | None = None,
    settings: Settings,
) -> Request:
    """CreateModelPackage: a version of the cycle's model, with its evidence and its card, if any."""
    instances = [cycle.serving.instance_type]
    return {
        "ModelPackageGroupName": cycle.name,
        "ModelPackageDescription": cycle.description,
        "InferenceSpecification": {
            "Containers": [_container(model_uri, settings)],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": CONTENT_TYPES,
            "SupportedRealtimeInferenceInstanceTypes": instances,
            "SupportedTransformInstanceTypes": instances,
        },
        "ModelApprovalStatus": approval,
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": evaluation_uri},
            }
        },
        "CustomerMetadataProperties": dict(properties),
        **({"ModelCard": dict(card)} if card else {}),
    }
