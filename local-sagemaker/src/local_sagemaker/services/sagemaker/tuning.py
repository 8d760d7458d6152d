"""Hyperparameter tuning jobs: create, describe, list, stop, delete, and the list of their training jobs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from local_sagemaker.domain.tuning.space import Choices, RangeError, Space
from local_sagemaker.engine.jobs.pool import TERMINAL
from local_sagemaker.engine.workflows import tuning_jobs
from local_sagemaker.errors import (
    ResourceInUse,
    ResourceNotFound,
    ValidationException,
    invalid_request,
    translate,
)
from local_sagemaker.protocol import models
from local_sagemaker.services import owners, registry
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import experiments, training
from local_sagemaker.services.sagemaker.resources import ResourceType, chosen, page_of
from local_sagemaker.storage.store import Document, Resource

NOUN = "HyperParameterTuningJob"


class TuningJobType(ResourceType):
    """Tuning jobs."""

    def described(self, resource: Resource) -> Document:
        """Return a job with what SageMaker tells of its training where a request said nothing."""
        described = super().described(resource)
        config = {"TrainingJobEarlyStoppingType": "Off", **described[f"{NOUN}Config"]}
        described[f"{NOUN}Config"] = config
        if "TrainingJobDefinition" in described:
            described["TrainingJobDefinition"] = _completed(config, described["TrainingJobDefinition"])
        if "TrainingJobDefinitions" in described:
            described["TrainingJobDefinitions"] = [
                _completed(config, definition) for definition in described["TrainingJobDefinitions"]
            ]
        return described

    def summarized(self, resource: Resource) -> Document:
        """Return what a list shows of a job, some of its configuration among it."""
        config = resource.document[f"{NOUN}Config"]
        return super().summarized(resource) | chosen(config, ("Strategy", "ResourceLimits"))


def _completed(config: Mapping[str, Any], definition: Mapping[str, Any]) -> Document:
    """Return a definition with the name of its objective, by which SDKs tell what it was tuned for."""
    goal = definition.get("TuningObjective") or config[f"{NOUN}Objective"]
    static = {
        **definition.get("StaticHyperParameters", {}),
        tuning_jobs.OBJECTIVE_NAME: goal["MetricName"],
    }
    return {**training.with_defaults(definition), "StaticHyperParameters": static}


JOBS = TuningJobType(
    noun=NOUN,
    kind=tuning_jobs.KIND,
    missing="Requested resource not found. Could not find the hyper parameter tuning job {name}.",
    taken="Hyper parameter tuning job names must be unique within an AWS account and region; a job with this "
    "name already exists ({arn})",
    taken_error=ResourceInUse,
    order=("Name", "Ascending"),
)
JOBS.serve_describe("Answer with a tuning job's request, status, counters and best training job.")
JOBS.serve_list("Answer with one page of tuning jobs.")


@operation("sagemaker", f"Create{NOUN}")
def create_tuning_job(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Begin a tuning job: Random, Grid or Bayesian, on training jobs of this service, in an experiment."""
    for definition in tuning_jobs.given_definitions(parameters):
        training.complete_built_in(definition)
    check_request(parameters)
    arn = JOBS.arn(context, parameters[f"{NOUN}Name"])
    inherited = inherited_trials(context, parameters)
    document = parameters | {
        f"{NOUN}Status": "InProgress",
        "TrainingJobStatusCounters": dict.fromkeys(
            ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0
        ),
        "ObjectiveStatusCounters": {"Succeeded": 0, "Pending": 0, "Failed": 0},
    }
    state = {"trials": [], "inherited": inherited, "owner": owners.of_workflow(arn)}
    experiment = tuning_jobs.experiment_of(parameters[f"{NOUN}Name"])
    with context.store.together():
        answer = JOBS.create(context, parameters, document, status="InProgress", state=state)
        experiments.ensure_trial(context, experiment, experiment)
    context.workflows.wake()
    return answer


@operation("sagemaker", f"Stop{NOUN}")
def stop_tuning_job(context: Context, parameters: dict[str, Any]) -> None:
    """Stop a tuning job and the training jobs it has running."""

    def change(job: Resource) -> Resource:
        if job.status in TERMINAL:
            raise ValidationException(
                "The request was rejected because the hyper parameter tuning job is in status "
                f"{job.status}: it has already reached a terminal state."
            )
        return job.changed({f"{NOUN}Status": "Stopping"}, status="Stopping")

    JOBS.change(context, parameters[f"{NOUN}Name"], change)
    context.workflows.wake()


@operation("sagemaker", f"Delete{NOUN}")
def delete_tuning_job(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a tuning job that has ended; its training jobs stay."""
    job = JOBS.named(context, parameters)
    if job.status not in TERMINAL:
        raise ResourceInUse(f"The tuning job {job.name} is {job.status}. Stop it first.")
    context.store.delete(tuning_jobs.KIND, job.name)


@operation("sagemaker", f"ListTrainingJobsFor{NOUN}")
def list_training_jobs_for_tuning_job(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a tuning job's training jobs, by time, name, status or objective."""
    resource = JOBS.named(context, parameters)
    status = parameters.get("StatusEquals")
    jobs = [
        one
        for one in tuning_jobs.summarize_trials(context, resource)
        if status in {None, one["TrainingJobStatus"]}
    ]
    order = parameters.get("SortBy", "Name")
    if order == "FinalObjectiveMetricValue":
        jobs = [one for one in jobs if "FinalHyperParameterTuningJobObjectiveMetric" in one]
    is_descending = parameters.get("SortOrder", "Ascending") == "Descending"
    jobs.sort(key=lambda one: _rank(one, order), reverse=is_descending)
    summaries, token = page_of(jobs, parameters)
    return {"TrainingJobSummaries": summaries, "NextToken": token}


def _rank(summary: dict[str, Any], order: str) -> tuple[Any, str]:
    name = summary["TrainingJobName"]
    objective = summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
    ranks = {
        "CreationTime": summary["CreationTime"],
        "Status": summary["TrainingJobStatus"],
        "FinalObjectiveMetricValue": objective,
    }
    return ranks.get(order, name), name


def check_request(parameters: Mapping[str, Any]) -> None:
    """ValidationException for a tuning job that could not be carried out as it stands."""
    config = parameters[f"{NOUN}Config"]
    if config["Strategy"] == "Bayesian" and find_spec("sklearn") is None:
        raise ValidationException(
            "Strategy Bayesian needs scikit-learn, which is not installed. Install local-sagemaker[tuning] "
            "where the service runs and start it again, or give Random."
        )
    if ("TrainingJobDefinition" in parameters) == ("TrainingJobDefinitions" in parameters):
        raise ValidationException("Give either TrainingJobDefinition or TrainingJobDefinitions.")
    limits = config["ResourceLimits"]
    most = limits.get("MaxNumberOfTrainingJobs")
    if most is not None and limits["MaxParallelTrainingJobs"] > most:
        raise ValidationException(
            f"MaxParallelTrainingJobs, {limits['MaxParallelTrainingJobs']}, exceeds "
            f"MaxNumberOfTrainingJobs, {most}."
        )
    if most is None and config["Strategy"] != "Grid" and "MaxRuntimeInSeconds" not in limits:
        raise ValidationException("ResourceLimits needs MaxNumberOfTrainingJobs or MaxRuntimeInSeconds.")
    for definition in tuning_jobs.training_definitions(parameters):
        _check_definition(definition, config["Strategy"])


def inherited_trials(context: Context, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the trials of a warm start's parents that lie within this job's ranges."""
    warm = parameters.get("WarmStartConfig")
    if warm is None:
        return []
    ranges = tuning_jobs.training_definitions(parameters)[0]["HyperParameterRanges"]
    names = {one.name for one in Space.read(ranges).ranges}
    inherited = []
    for parent in warm["ParentHyperParameterTuningJobs"]:
        name = parent.get("HyperParameterTuningJobName")
        if name is None:  # the model has it optional
            raise ValidationException(
                "A parent of WarmStartConfig has no name. Give its HyperParameterTuningJobName."
            )
        resource = context.store.get("hyper-parameter-tuning-job", name)
        if resource is None:
            raise ResourceNotFound(f"Could not find the parent hyper parameter tuning job {name}.")
        inherited += [
            {"values": trial["values"], "objective": trial["objective"]}
            for trial in resource.state["trials"]
            if trial.get("objective") is not None and set(trial["values"]) == names
        ]
    return inherited


def _check_definition(definition: Mapping[str, Any], strategy: str) -> None:
    ranges = definition["HyperParameterRanges"]
    with translate(RangeError, invalid_request):
        space = Space.read(ranges)
    if not space.ranges:
        raise ValidationException("There is no hyperparameter to tune. Give ParameterRanges.")
    if strategy == "Grid" and not all(isinstance(one, Choices) for one in space.ranges):
        raise ValidationException("Strategy Grid takes CategoricalParameterRanges only.")
    both = {one.name for one in space.ranges} & set(definition.get("StaticHyperParameters", {}))
    if both:
        raise ValidationException(f"{', '.join(sorted(both))}: tuned and in StaticHyperParameters at once.")
    goal = definition["TuningObjective"]
    if goal is None:
        raise ValidationException("There is no objective. Give HyperParameterTuningJobObjective.")
    metrics = [one["Name"] for one in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]
    if goal["MetricName"] not in metrics:
        raise ValidationException(
            f"The objective metric {goal['MetricName']} is none of the MetricDefinitions "
            f"({', '.join(metrics) or 'there are none'}). Add a definition with its regular expression."
        )
    sample = {one.name: one.value([0.0] * one.width) for one in space.ranges}
    request = tuning_jobs.training_request("sample", definition, sample)
    registry.check_request(models.operation_model("sagemaker", "CreateTrainingJob"), request)
    training.check(request)
