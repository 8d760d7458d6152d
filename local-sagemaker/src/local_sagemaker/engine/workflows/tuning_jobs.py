"""Hyperparameter tuning jobs: training jobs one after the other, each chosen by what the others came to."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.tuning import rules, strategies
from local_sagemaker.domain.tuning.rules import Objective, Verdict, is_below_median
from local_sagemaker.domain.tuning.space import Space
from local_sagemaker.domain.tuning.strategies import Trial
from local_sagemaker.engine.jobs.container_jobs import metric_values
from local_sagemaker.engine.jobs.pool import TERMINAL, TRAINING, JobPool
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.workflows.gaussian import expected_improvements
from local_sagemaker.engine.workflows.loop import Operations, search_by_status
from local_sagemaker.errors import AwsError, ResourceInUse
from local_sagemaker.storage.documents import Document, moment
from local_sagemaker.storage.store import Resource

KIND = "hyper-parameter-tuning-job"
#: of a definition, what a training job's request takes as it is
TAKEN = (
    *("RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition"),
    *("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"),
    *("RetryStrategy", "Environment"),
)
#: tells the container which metric is tuned
OBJECTIVE_NAME = "_tuning_objective_metric"


class TuningJobs:
    """Tuning jobs as the workflow loop looks at them."""

    kind = KIND

    def __init__(self, service: Service, operations: Operations, pool: JobPool) -> None:
        self._service, self._operations, self._pool = service, operations, pool

    def list_active(self) -> list[Resource]:
        """Return the tuning jobs that have not ended."""
        return search_by_status(self._service.store, KIND, "InProgress", "Stopping")

    def advance(self, resource: Resource) -> bool:
        """Take in what has become of the training jobs, then start, stop or end what is due."""
        definitions = training_definitions(resource.document)
        known = [
            refresh_trial(self._service, trial, definitions[trial["definition"]])
            for trial in resource.state["trials"]
        ]
        verdict = rules.decide(
            resource.document["HyperParameterTuningJobConfig"],
            [trial_of(trial) for trial in known],
            objective_of(definitions[0]),
            age_s=time.time() - resource.created,
            is_stopping=resource.status == "Stopping",
        )
        # chosen now, and created once this is kept
        for _ in range(verdict.start):
            planned = _next(resource, known, definitions)
            if planned is None:
                verdict = rules.exhausted([trial_of(trial) for trial in known])
                break
            known.append(planned)
        was = resource
        resource = self._keep(resource, known, verdict)
        for number, trial in enumerate(known):
            if (
                self._service.store.get(TRAINING.kind, trial["name"]) is None
                and trial["status"] not in TERMINAL
            ):
                known[number] = self._create(resource, trial, definitions[trial["definition"]])
        resource = self._keep(resource, known, verdict)
        running = [trial for trial in known if trial["status"] == "InProgress"]
        config = resource.document["HyperParameterTuningJobConfig"]
        if not verdict.stops:
            is_early = config.get("TrainingJobEarlyStoppingType") == "Auto"
            running = _hopeless(self._service, known, definitions) if is_early and running else []
        for trial in running:
            self._pool.request_stop(TRAINING.kind, trial["name"])
        return (resource.state, resource.status) != (was.state, was.status)

    def fail(self, resource: Resource, reason: str) -> None:
        """End a tuning job that cannot go on."""
        self._keep(resource, resource.state["trials"], Verdict(outcome="Failed", reason=reason[:1024]))

    def _keep(self, resource: Resource, known: list[Document], verdict: Verdict) -> Resource:
        if known == resource.state["trials"] and verdict.outcome is None:
            return resource
        now = time.time()

        def change(latest: Resource) -> Resource:
            document = {
                **latest.document,
                **_members(self._service, latest, known),
                "LastModifiedTime": moment(now),
            }
            if verdict.outcome is not None:
                document["HyperParameterTuningEndTime"] = moment(now)
                document |= {"FailureReason": verdict.reason} if verdict.reason else {}
            status = verdict.outcome or latest.status
            document["HyperParameterTuningJobStatus"] = status
            state = {**latest.state, "trials": list(known)}
            return replace(latest, status=status, document=document, state=state, modified=now)

        return self._service.store.change(KIND, resource.name, change)

    def _create(self, tuning: Resource, trial: Document, definition: Document) -> Document:
        store = self._service.store
        tags = [{"Key": key, "Value": value} for key, value in store.tags(tuning.arn).items()]
        request = training_request(trial["name"], definition, trial["values"])
        if tags:
            request["Tags"] = tags
        experiment = experiment_of(tuning.name)
        if store.get("experiment-trial", experiment) is not None:  # somebody may have deleted it
            request["ExperimentConfig"] = {"ExperimentName": experiment, "TrialName": experiment}
        try:
            with suppress(ResourceInUse):
                self._operations.call(
                    "CreateTrainingJob", request, owner=tuning.state.get("owner", tuning.arn)
                )
        except AwsError as error:
            return {**trial, "status": "Failed", "error": error.message, "objective": None, "seconds": 0}
        store.change(
            TRAINING.kind,
            trial["name"],
            lambda job: replace(job, document={**job.document, "TuningJobArn": tuning.arn}),
        )
        return trial


def _next(resource: Resource, known: list[Document], definitions: list[Document]) -> Document | None:
    """Return the next trial; definitions that have something left to try take turns."""
    config, number = resource.document["HyperParameterTuningJobConfig"], len(known) + 1
    for turn in range(len(definitions)):
        index = (number - 1 + turn) % len(definitions)
        source = random.Random(f"{config.get('RandomSeed', resource.arn)} {index} {number}")  # noqa: S311 (no secret)
        tried = [trial_of(trial) for trial in known if trial["definition"] == index]
        parents = resource.state.get("inherited", []) if index == 0 else []
        values = strategies.suggest(
            config["Strategy"],
            Space.read(definitions[index]["HyperParameterRanges"]),
            [*(Trial(one["values"], one["objective"], is_over=True) for one in parents), *tried],
            source,
            expected_improvements,
            is_maximized=objective_of(definitions[index]).is_maximized,
        )
        if values is not None:
            name = training_job_name(resource, number)
            return {"name": name, "definition": index, "values": values, "status": "InProgress"}
    return None


def _hopeless(context: Service, known: list[Document], definitions: list[Document]) -> list[Document]:
    """Return the running trials that the median rule stops."""

    def is_stopped(trial: Document) -> bool:
        definition = definitions[trial["definition"]]
        others = [
            objective_values(context, other["name"], definition)
            for other in known
            if other["status"] == "Completed" and other["definition"] == trial["definition"]
        ]
        mine = objective_values(context, trial["name"], definition)
        return is_below_median(mine, others, is_maximized=objective_of(definition).is_maximized)

    return [trial for trial in known if trial["status"] == "InProgress" and is_stopped(trial)]


def _members(context: Service, resource: Resource, known: list[Document]) -> Document:
    """Return Describe's members about the training jobs: counters, the best job, and the time they took."""
    definitions = training_definitions(resource.document)
    statuses = [trial["status"] for trial in known]
    objectives = [objective_status(trial) for trial in known]
    members: Document = {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": sum(status not in TERMINAL for status in statuses),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {
            name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")
        },
        "ConsumedResources": {"RuntimeInSeconds": sum(trial.get("seconds", 0) for trial in known)},
    }
    goal = objective_of(definitions[0])
    seen = [trial for trial in known if trial.get("objective") is not None]
    if seen:
        best = (max if goal.is_maximized else min)(seen, key=lambda trial: float(trial["objective"]))
        definition = definitions[best["definition"]]
        members["BestTrainingJob"] = summarize_trial(context, resource.name, best, definition)
        count = rules.not_improving([trial_of(trial) for trial in known], goal)
        members["TuningJobCompletionDetails"] = {"NumberOfTrainingJobsObjectiveNotImproving": count}
    return members


def training_definitions(request: Mapping[str, Any]) -> list[Document]:
    """Return the training job definitions of a tuning job, each with its ranges and its objective."""
    config = request["HyperParameterTuningJobConfig"]
    return [
        {
            "HyperParameterRanges": config.get("ParameterRanges", {}),
            "TuningObjective": config.get("HyperParameterTuningJobObjective"),
            **definition,
        }
        for definition in given_definitions(request)
    ]


def given_definitions(request: Mapping[str, Any]) -> list[Document]:
    """Return the training job definitions as a request has them; none if it has none."""
    one = request.get("TrainingJobDefinition")
    return list(request.get("TrainingJobDefinitions") or ([] if one is None else [one]))


def experiment_of(tuning: str) -> str:
    """Return the name of a tuning job's experiment, and of its trial."""
    return f"{tuning}-aws-tuning-job"


def summarize_trials(context: Service, resource: Resource, *, is_ranked: bool = False) -> list[Document]:
    """Return the training jobs of a tuning job as lists show them.

    :param is_ranked: the best one first, and those without their objective last.
    """
    definitions = training_definitions(resource.document)
    trials = resource.state["trials"]
    if is_ranked:
        sign = -1 if objective_of(definitions[0]).is_maximized else 1
        trials = sorted(trials, key=lambda one: _rank(one, sign))
    return [
        summarize_trial(context, resource.name, trial, definitions[trial["definition"]])
        for trial in trials
        if context.store.get(TRAINING.kind, trial["name"]) is not None
    ]


def _rank(trial: Document, sign: int) -> tuple[bool, float]:
    value = trial.get("objective")
    return value is None, 0.0 if value is None else sign * float(value)


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
        checkpoints = definition["CheckpointConfig"]
        request["CheckpointConfig"] = {**checkpoints, "S3Uri": f"{checkpoints['S3Uri'].rstrip('/')}/{name}"}
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


def training_job_name(tuning: Resource, number: int) -> str:
    """Return the name of a tuning job's training job; it never changes."""
    digest = hashlib.sha256(f"{tuning.arn} {tuning.created} {number}".encode()).hexdigest()
    return f"{tuning.name}-{number:03d}-{digest[:8]}"


def refresh_trial(context: Service, trial: Document, definition: Mapping[str, Any]) -> Document:
    """Return a trial, updated with the current state of its training job."""
    if trial["status"] in TERMINAL:
        return trial
    job = context.store.get(TRAINING.kind, trial["name"])
    if job is None:
        return trial
    refreshed = {**trial, "status": job.status}
    if job.status in TERMINAL:
        name, data = objective_of(definition).name, job.document.get("FinalMetricDataList", [])
        values = [float(item["Value"]) for item in data if item["MetricName"] == name]
        # of a job that did not fail, the last value
        refreshed["objective"] = values[-1] if values and job.status != "Failed" else None
        refreshed["seconds"] = job.document.get("TrainingTimeInSeconds", 0)
    return refreshed


def trial_of(trial: Mapping[str, Any]) -> Trial:
    """Return a trial as the strategies see it."""
    return Trial(trial["values"], trial.get("objective"), trial["status"] in TERMINAL)


def objective_values(context: Service, name: str, definition: Mapping[str, Any]) -> list[float]:
    """Return the values of the objective that a training job has written to its log so far."""
    job = context.store.get(TRAINING.kind, name)
    if job is None:
        return []
    path = logs.path(context.root, TRAINING.log_group, f"{name}/algo-1-{int(job.created)}")
    wanted = objective_of(definition).name
    metrics = definition["AlgorithmSpecification"].get("MetricDefinitions", [])
    mine = [item for item in metrics if item["Name"] == wanted]
    return [value for *_, value in metric_values(mine, logs.read(path))] if path.exists() else []


def summarize_trial(
    context: Service, tuning: str, trial: Document, definition: Mapping[str, Any]
) -> Document:
    """Return a training job as ListTrainingJobsForHyperParameterTuningJob shows it."""
    job = context.store.get(TRAINING.kind, trial["name"])
    members = ("TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "FailureReason")
    document = {} if job is None else job.document
    goal, value = objective_of(definition), trial.get("objective")
    summary = {
        "TrainingJobName": trial["name"],
        "TuningJobName": tuning,
        "TrainingJobStatus": trial["status"],
        "TunedHyperParameters": trial["values"],
        "ObjectiveStatus": objective_status(trial),
        **{member: document[member] for member in members if member in document},
    }
    if "DefinitionName" in definition:
        summary["TrainingJobDefinitionName"] = definition["DefinitionName"]
    if value is not None:
        kind = "Maximize" if goal.is_maximized else "Minimize"
        metric = {"Type": kind, "MetricName": goal.name, "Value": value}
        summary["FinalHyperParameterTuningJobObjectiveMetric"] = metric
    return summary


def objective_status(trial: Mapping[str, Any]) -> str:
    """Whether a trial has its objective: Succeeded, Pending or Failed."""
    if trial["status"] not in TERMINAL:
        return "Pending"
    return "Failed" if trial.get("objective") is None else "Succeeded"
