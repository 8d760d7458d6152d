"""The requests that Flywheel sends to SageMaker: pure functions of the cycle, the settings and the inputs.

The job contract of docs/reference/job-contract.md is kept here and in include/steps/contract.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from typing import Any, Literal

from include.core.cycle import Compute, Cycle
from include.core.documents.manifest import InputList
from include.core.exceptions import FlywheelError
from include.core.layout import CODE_INPUT, LISTS_INPUT, Interval, job_name
from include.core.places import Places
from include.core.sagemaker.registry import version_description
from include.core.settings import Settings
from include.core.steps import job_step
from include.core.tasks import TASKS

#: the members of a request, as boto3 takes them
ApiRequest = dict[str, Any]

PROCESSING_ROOT = "/opt/ml/processing"
#: what InvokeEndpoint and batch transform may send to a model of ours
CONTENT_TYPES = ["text/csv", "application/json", "application/jsonlines"]


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What the request of any job of ours is made from, besides its inputs."""

    #: a name of `STEPS`
    step: str
    #: the job's name; by default that of the key's first generation
    name: str = ""
    cycle: Cycle
    interval: Interval
    key: str
    #: s3:// URI of the code archive
    code_uri: str
    output_uri: str
    settings: Settings
    #: folder with the list of all files that the job is given; empty for a job without inputs
    inputs_uri: str = ""

    def generation(self, number: int) -> JobSpec:
        """Return the same job under the name of another generation."""
        return replace(self, name=job_name(self.cycle.name, self.step, self.interval, self.key, number))

    @property
    def common_parameters(self) -> dict[str, str]:
        """What every job is given: its cycle, its interval and its key."""
        start, end = self.interval.iso
        return {"cycle": self.cycle.name, "start": start, "end": end, "key": self.key}

    def sources(self, inputs: Mapping[str, Source]) -> dict[str, Source]:
        """Return the inputs with what every job has besides: its code, and the list of its files."""
        listed = {LISTS_INPUT: Source(self.inputs_uri)} if self.inputs_uri else {}
        return {**inputs, CODE_INPUT: Source(self.code_uri), **listed}

    @property
    def environment(self) -> dict[str, str]:
        """The thread count, for numeric libraries and for ours."""
        return thread_environment(self.settings)

    @property
    def compute(self) -> Compute:
        """The instances that the cycle gives the step."""
        return job_step(self.step).compute_of(self.cycle)


@dataclass(frozen=True)
class Source:
    """Where an input comes from."""

    uri: str
    kind: Literal["S3Prefix", "ManifestFile"] = "S3Prefix"


@dataclass(frozen=True)
class StepInput:
    """One input of a step: where it is, and what it is."""

    source: Source
    #: digest of its content, part of the step's key
    digest: str
    #: its files, where whoever made it knows them; `list_inputs` finds those of any other
    listed: InputList | None = field(default=None, compare=False)

    @classmethod
    def at(cls, uri: str, content: str | None = None) -> StepInput:
        """Return an input whose URI says what it is, as that of an output does, which holds its key.

        :param content: digest of the output, where somebody wrote it down when it was handed on
        """
        return cls(Source(uri), content or uri)


@dataclass(frozen=True)
class StepInputs:
    """What a step's job is made from: its inputs by name, and its parameters."""

    inputs: Mapping[str, StepInput] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, Source]:
        """Where the inputs come from, by name."""
        return {name: given.source for name, given in self.inputs.items()}


def thread_environment(settings: Settings) -> dict[str, str]:
    """Return the thread count as environment variables."""
    return {"OMP_NUM_THREADS": str(settings.threads), "FLYWHEEL_THREADS": str(settings.threads)}


def step_request(job: JobSpec, given: StepInputs) -> ApiRequest:
    """Return the request of a step's job, a processing or a training job as its row says.

    :raises FlywheelError: an input is none of those that the row names
    """
    row = job_step(job.step)
    unknown = [name for name in given.inputs if not any(fnmatch(name, known) for known in row.inputs)]
    if unknown:
        raise FlywheelError(
            f"Step {job.step} does not take the input {', '.join(unknown)}. Name it in include/core/steps.py."
        )
    if row.kind == "training job":
        return training(job, given.sources)
    return processing(job, given.sources, given.parameters)


def processing(job: JobSpec, inputs: Mapping[str, Source], parameters: Mapping[str, str]) -> ApiRequest:
    """CreateProcessingJob of a step."""
    given = {**job.common_parameters, **parameters}
    arguments = [text for name, value in given.items() for text in (f"--{name}", value)]
    output = {"S3Uri": job.output_uri, "LocalPath": f"{PROCESSING_ROOT}/output", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": job.name,
        "RoleArn": job.settings.role_arn,
        "AppSpecification": {
            "ImageUri": job.settings.image_uri,
            "ContainerEntrypoint": ["process"],
            "ContainerArguments": [job.step, *arguments],
        },
        "Environment": job.environment,
        "ProcessingInputs": [_processing_input(name, source) for name, source in job.sources(inputs).items()],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "output", "S3Output": output}]},
        "ProcessingResources": {"ClusterConfig": _cluster(job.compute)},
        "StoppingCondition": {"MaxRuntimeInSeconds": job.compute.max_runtime_s},
    }


def _processing_input(name: str, source: Source) -> ApiRequest:
    """Return an input that appears at `input/<name>`, a path that may have more than one part."""
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


def _cluster(compute: Compute) -> ApiRequest:
    return {
        "InstanceType": compute.instance_type,
        "InstanceCount": compute.instance_count,
        "VolumeSizeInGB": compute.volume_gb,
    }


def training(job: JobSpec, channels: Mapping[str, Source]) -> ApiRequest:
    """CreateTrainingJob: the image's own `train`, given everything by hyperparameters."""
    return {
        "TrainingJobName": job.name,
        "RoleArn": job.settings.role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": job.settings.image_uri,
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": name, "Regex": rf"(?:^|\s){name}=(\S+)"} for name in training_metrics(job.cycle)
            ],
        },
        "HyperParameters": {**job.cycle.hyperparameters, **job.common_parameters},
        "Environment": job.environment,
        "InputDataConfig": [_channel(name, source) for name, source in job.sources(channels).items()],
        "OutputDataConfig": {"S3OutputPath": job.output_uri.rstrip("/")},
        "ResourceConfig": _cluster(job.compute),
        "StoppingCondition": {"MaxRuntimeInSeconds": job.compute.max_runtime_s},
    }


def training_metrics(cycle: Cycle) -> list[str]:
    """Return the names in the line `name=value ...` that a training job ends with."""
    return ["rows", "rows_validation", *(f"validation_{name}" for name in TASKS[cycle.task].names)]


def _channel(name: str, source: Source) -> ApiRequest:
    source_uri = {"S3DataType": source.kind, "S3Uri": source.uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source_uri}, "InputMode": "File"}


#: what a batch transform does to records, by their content type: the model never sees the event id, and the
#: answer is joined to it by SageMaker. No line of CSV can hold a text with a line break; a line of JSON can.
DATA_PROCESSING = {
    "text/csv": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-2,-1]"},
    "application/jsonlines": {
        "InputFilter": "$.features",
        "JoinSource": "Input",
        "OutputFilter": "$['event_id','SageMakerOutput']",
    },
}


def transform(job: JobSpec, model_name: str, batch_uri: str, content_type: str = "text/csv") -> ApiRequest:
    """CreateTransformJob: event id and features in; event id, label and score out; captured as lists."""
    return {
        "TransformJobName": job.name,
        "ModelName": model_name,
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": 6,
        "Environment": job.environment,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": batch_uri}},
            "ContentType": content_type,
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": job.output_uri.rstrip("/"),
            "Accept": content_type,
            "AssembleWith": "Line",
        },
        "TransformResources": {
            "InstanceType": job.compute.instance_type,
            "InstanceCount": job.compute.instance_count,
        },
        # The lists name the records and answers by the hour, and hold none of their data.
        "DataCaptureConfig": {
            "DestinationS3Uri": Places(job.settings.bucket, job.cycle.name).captured_batch.rstrip("/")
        },
        "DataProcessing": DATA_PROCESSING[content_type],
    }


def model(name: str, model_uri: str, settings: Settings) -> ApiRequest:
    """CreateModel from the archive of a training job."""
    return {
        "ModelName": name,
        "ExecutionRoleArn": settings.role_arn,
        "PrimaryContainer": _container(model_uri, settings),
    }


def _container(model_uri: str, settings: Settings) -> ApiRequest:
    return {
        "Image": settings.image_uri,
        "ModelDataUrl": model_uri,
        "Environment": thread_environment(settings),
    }


def endpoint_config(name: str, cycle: Cycle, model_name: str, settings: Settings) -> ApiRequest:
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
) -> ApiRequest:
    """CreateModelPackage: a version of the cycle's model, with its evidence and its card, if any."""
    instances = [cycle.serving.instance_type]
    return {
        "ModelPackageGroupName": cycle.name,
        "ModelPackageDescription": version_description(cycle.description, model_uri),
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
