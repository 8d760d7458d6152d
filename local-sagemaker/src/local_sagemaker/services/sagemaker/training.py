"""Training jobs: CreateTrainingJob, DescribeTrainingJob, ListTrainingJobs, StopTrainingJob."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local_sagemaker.engine.jobs import outputs
from local_sagemaker.engine.jobs.container_jobs import broken_metric
from local_sagemaker.engine.jobs.pool import TRAINING
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.jobs import JobType, check_path, refuse_many

#: `<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>`
URI = re.compile(
    r"(?P<registry>\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/)?(?P<name>[a-z0-9-]+):.+"
)
#: off unless a request turns them on
SWITCHES = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")
XGBOOST = ("xgboost", "sagemaker-xgboost")
_BOOSTING = ("rmse", "mae", "auc", "logloss", "error", "merror", "mlogloss")
_LINEAR = (
    *("objective_loss", "mse", "rmse", "absolute_loss", "r2", "binary_classification_accuracy"),
    *("binary_f_beta", "precision", "recall", "roc_auc_score", "multiclass_accuracy", "macro_f_beta"),
)
#: name in the URI -> the metrics, as <channel>:<metric>
BUILT_IN_METRICS: dict[str, tuple[str, ...]] = {
    **{name: tuple(f"{at}:{one}" for at in ("train", "validation") for one in _BOOSTING) for name in XGBOOST},
    "linear-learner": tuple(f"{at}:{one}" for at in ("train", "validation", "test") for one in _LINEAR),
    "kmeans": tuple(f"{at}:{one}" for at in ("train", "test") for one in ("msd", "ssd")),
    "knn": ("test:accuracy", "test:mse"),
    "pca": (),
}
#: built-in algorithms that nothing here is an equivalent of
MISSING = (
    *("blazingtext", "factorization-machines", "forecasting-deepar", "image-classification", "ipinsights"),
    *("lda", "ntm", "object2vec", "object-detection", "randomcutforest", "semantic-segmentation", "seq2seq"),
)

JOBS = JobType.of(TRAINING, "Ascending")
JOBS.serve_list("Answer with one page of training jobs.")
JOBS.serve_stop("Stop a training job: SIGTERM, SIGKILL after two minutes; what it wrote is uploaded.")


@operation("sagemaker", "CreateTrainingJob")
def create_training_job(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Queue a training job: the image's `train` runs in a process with its channels at /opt/ml/input/data."""
    check(parameters)
    complete_built_in(parameters)
    # SageMaker's own default
    parameters.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", 86_400)
    return JOBS.submit(context, parameters)


@operation("sagemaker", "DescribeTrainingJob")
def describe_training_job(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a training job's request, status, transitions, artifacts and metrics."""
    # the member is required, and sagemaker-core insists on it
    document = {"ModelArtifacts": {"S3ModelArtifacts": ""}, **JOBS.named(context, parameters).document}
    return with_defaults(document)


def with_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description of training, with what SageMaker tells where a request said nothing.

    The SDK's `attach` reads these members without asking whether they are there.
    """
    output = {"KmsKeyId": "", **document.get("OutputDataConfig", {})}
    return {**dict.fromkeys(SWITCHES, False), **document, "OutputDataConfig": output}


def check(parameters: dict[str, Any]) -> None:
    """Refuse what would be done differently here than on AWS."""
    algorithm = parameters.get("AlgorithmSpecification", {})
    if "TrainingImage" not in algorithm:
        raise ValidationException(
            "AlgorithmSpecification.TrainingImage is missing: the local SageMaker runs images, no algorithms "
            "by name. Give an image."
        )
    if "ResourceConfig" not in parameters:
        raise ValidationException("ResourceConfig is missing. Give an InstanceType and an InstanceCount.")
    groups = parameters["ResourceConfig"].get("InstanceGroups", [])
    counts = [group["InstanceCount"] for group in groups]
    refuse_many(sum(counts) if counts else parameters["ResourceConfig"].get("InstanceCount", 1))
    path = parameters.get("CheckpointConfig", {}).get("LocalPath", outputs.DEFAULT_CHECKPOINTS)
    check_path("CheckpointConfig", path, outputs.ML)
    if problem := broken_metric(algorithm.get("MetricDefinitions", [])):
        raise ValidationException(problem)
    names = [channel["ChannelName"] for channel in parameters.get("InputDataConfig", [])]
    if len(set(names)) < len(names):
        raise ValidationException(f"Channel names must be unique; InputDataConfig has {', '.join(names)}.")
    for channel in parameters.get("InputDataConfig", []):
        if "S3DataSource" not in channel["DataSource"]:
            raise ValidationException(f"Channel {channel['ChannelName']}: DataSource needs an S3DataSource.")


def complete_built_in(parameters: dict[str, Any]) -> None:
    """Give a training of a built-in algorithm its metrics; ValidationException for one that is not there.

    :param parameters: CreateTrainingJob, or a definition of a tuning job.
    """
    algorithm = parameters["AlgorithmSpecification"]
    uri = URI.fullmatch(algorithm.get("TrainingImage", ""))
    given = {**parameters.get("HyperParameters", {}), **parameters.get("StaticHyperParameters", {})}
    name = uri["name"] if uri else ""
    if uri and uri["registry"] and name in MISSING:
        raise ValidationException(
            f"The built-in algorithm {name} is not emulated. There are "
            f"{', '.join(sorted(BUILT_IN_METRICS))}; another one runs if you describe its image in an "
            "image.toml under a name of your own."
        )
    if name not in BUILT_IN_METRICS:
        return
    if name in XGBOOST and "sagemaker_program" in given:
        raise ValidationException(
            f"The image {name} has no script mode here: xgboost is not installed. Use it as an algorithm, or "
            "describe an environment that has xgboost in an image.toml."
        )
    if BUILT_IN_METRICS[name]:
        algorithm["MetricDefinitions"] = [_definition(name, metric) for metric in BUILT_IN_METRICS[name]]


def _definition(name: str, metric: str) -> dict[str, str]:
    channel, _, word = metric.partition(":")
    if name in XGBOOST:
        regex = rf"\[[0-9]+\].*\t{channel}-{word}:(\S+)"
    else:
        regex = rf"#quality_metric: host=\S+, {channel} {word} <(?:loss|score)>=(\S+)"
    return {"Name": metric, "Regex": regex}
