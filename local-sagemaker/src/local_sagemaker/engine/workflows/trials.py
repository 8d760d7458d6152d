"""The training jobs of a tuning job: their requests, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.tuning.rules import Objective
from local_sagemaker.domain.tuning.strategies import Trial
from local_sagemaker.engine.jobs import metrics
from local_sagemaker.engine.jobs.pool import TERMINAL, TRAINING
from local_sagemaker.engine.processes import logs
from local_sagemaker.errors import AwsError
from local_sagemaker.storage.store import Resource

Document = dict[str, Any]
#: of a definition, what a training job's request takes as it is
TAKEN = (
    *("RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition"),
    *("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"),
    *("RetryStrategy", "Environment"),
)
#: tells the container which metric is tuned
OBJECTIVE_NAME = "_tuning_objective_metric"


def definitions(request: Mapping[str, Any]) -> list[Document]:
    """Return the training job definitions of a tuning job, each with its ranges and its objective."""
    config = request["HyperParameterTuningJobConfig"]
    given = request.get("TrainingJobDefinitions") or [request["TrainingJobDefinition"]]
    return [
        {
            "HyperParameterRanges": config.get("ParameterRanges", {}),
            "TuningObjective": config.get("HyperParameterTuningJobObjective"),
            **definition,
        }
        for definition in given
    ]


def objective_of(definition: Mapping[str, Any]) -> Objective:
    """Return the metric that a definition is tuned for."""
    return Objective.read(definition["TuningObjective"])


def training_request(name: str, definition: Mapping[str, Any], values: Mapping[str, str]) -> Document:
    """CreateTrainingJob for one combination of hyperparameters."""
    request = {member: definition[member] for member in TAKEN if member in definition}
    pool = definition.get("HyperParameterTuningResourceConfig")
    if pool is not None:
        # the first choice: there is one kind of machine here
        chosen = (pool.get("InstanceConfigs") or [pool])[0]
        members = ("InstanceType", "InstanceCount", "VolumeSizeInGB")
        request["ResourceConfig"] = {member: chosen[member] for member in members if member in chosen}
    if "CheckpointConfig" in definition:
        place = definition["CheckpointConfig"]
        request["CheckpointConfig"] = {**place, "S3Uri": f"{place['S3Uri'].rstrip('/')}/{name}"}
    return {
        **request,
        "TrainingJobName": name,
        "AlgorithmSpecification": definition["AlgorithmSpecification"],
        "HyperParameters": {
            **definition.get("StaticHyperParameters", {}),
            **values,
            OBJECTIVE_NAME: objective_of(definition).name,
        },
    }


def name_of(tuning: Resource, number: int) -> str:
    """Return the name of a tuning job's training job; it never changes."""
    digest = hashlib.sha256(f"{tuning.arn} {tuning.created} {number}".encode()).hexdigest()
    return f"{tuning.name}-{number:03d}-{digest[:8]}"


def refreshed(context: Service, trial: Document, definition: Mapping[str, Any]) -> Document:
    """Return a trial, updated with the current state of its training job."""
    if trial["status"] in TERMINAL:
        return trial
    job = context.store.get(TRAINING.kind, trial["name"])
    if job is None:
        return trial
    found = {**trial, "status": job.status}
    if job.status in TERMINAL:
        found["objective"] = _objective(job, objective_of(definition).name)
        found["seconds"] = job.document.get("TrainingTimeInSeconds", 0)
    return found


def refused(trial: Document, error: AwsError) -> Document:
    """Return a trial whose training job could not be created."""
    return {**trial, "status": "Failed", "error": error.message, "objective": None, "seconds": 0}


def trial_of(found: Mapping[str, Any]) -> Trial:
    """Return a trial as the strategies see it."""
    return Trial(found["values"], found.get("objective"), found["status"] in TERMINAL)


def reports(context: Service, name: str, definition: Mapping[str, Any]) -> list[float]:
    """Return the values of the objective that a training job has written to its log so far."""
    job = context.store.get(TRAINING.kind, name)
    if job is None:
        return []
    path = logs.path(context.root, TRAINING.log_group, f"{name}/algo-1-{int(job.created)}")
    wanted = objective_of(definition).name
    found = definition["AlgorithmSpecification"].get("MetricDefinitions", [])
    mine = [item for item in found if item["Name"] == wanted]
    return [value for _, value in metrics.values(mine, logs.read(path))] if path.exists() else []


def summary(context: Service, tuning: str, trial: Document, definition: Mapping[str, Any]) -> Document:
    """Return a training job as ListTrainingJobsForHyperParameterTuningJob shows it."""
    job = context.store.get(TRAINING.kind, trial["name"])
    members = ("TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "FailureReason")
    document = {} if job is None else job.document
    goal, value = objective_of(definition), trial.get("objective")
    found = {
        "TrainingJobName": trial["name"],
        "TuningJobName": tuning,
        "TrainingJobStatus": trial["status"],
        "TunedHyperParameters": trial["values"],
        "ObjectiveStatus": objective_status(trial),
        **{member: document[member] for member in members if member in document},
    }
    if "DefinitionName" in definition:
        found["TrainingJobDefinitionName"] = definition["DefinitionName"]
    if value is not None:
        kind = "Maximize" if goal.is_maximized else "Minimize"
        metric = {"Type": kind, "MetricName": goal.name, "Value": value}
        found["FinalHyperParameterTuningJobObjectiveMetric"] = metric
    return found


def objective_status(trial: Mapping[str, Any]) -> str:
    """Whether a trial has its objective: Succeeded, Pending or Failed."""
    if trial["status"] not in TERMINAL:
        return "Pending"
    return "Failed" if trial.get("objective") is None else "Succeeded"


def _objective(job: Resource, name: str) -> float | None:
    """Return the last value of the objective, of a job that did not fail."""
    if job.status == "Failed":
        return None
    values = [
        item["Value"] for item in job.document.get("FinalMetricDataList", []) if item["MetricName"] == name
    ]
    return float(values[-1]) if values else None
