"""Hyperparameter tuning jobs: training jobs one after the other, each chosen by what the others came to."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.domain.tuning import rules, strategies
from local_sagemaker.domain.tuning.rules import Objective, Verdict, is_below_median
from local_sagemaker.domain.tuning.space import Space
from local_sagemaker.domain.tuning.strategies import Trial
from local_sagemaker.engine.jobs.pool import TERMINAL, TRAINING, JobPool
from local_sagemaker.engine.workflows import trials
from local_sagemaker.engine.workflows.gaussian import expected_improvements
from local_sagemaker.engine.workflows.loop import Operations, search_by_status
from local_sagemaker.errors import AwsError, ResourceInUse
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource

KIND = "hyper-parameter-tuning-job"
Document = dict[str, Any]


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
        definitions = trials.definitions(resource.document)
        known = [
            trials.refreshed(self._service, trial, definitions[trial["definition"]])
            for trial in resource.state["trials"]
        ]
        verdict = self._verdict(resource, known, definitions)
        if verdict.start:
            known, verdict = self._plan(resource, known, definitions, verdict)
        was = resource
        resource = self._keep(resource, known, verdict)
        for number, trial in enumerate(known):
            if (
                self._service.store.get(TRAINING.kind, trial["name"]) is None
                and trial["status"] not in TERMINAL
            ):
                known[number] = self._create(resource, trial, definitions[trial["definition"]])
        resource = self._keep(resource, known, verdict)
        self._stop(resource, known, definitions, verdict)
        return (resource.state, resource.status) != (was.state, was.status)

    def fail(self, resource: Resource, reason: str) -> None:
        """End a tuning job that cannot go on."""
        self._keep(resource, resource.state["trials"], Verdict(outcome="Failed", reason=reason[:1024]))

    def _verdict(self, resource: Resource, known: list[Document], definitions: list[Document]) -> Verdict:
        return rules.decide(
            resource.document["HyperParameterTuningJobConfig"],
            [trials.trial_of(trial) for trial in known],
            trials.objective_of(definitions[0]),
            age_s=time.time() - resource.created,
            is_stopping=resource.status == "Stopping",
        )

    def _plan(
        self, resource: Resource, known: list[Document], definitions: list[Document], verdict: Verdict
    ) -> tuple[list[Document], Verdict]:
        """Choose what the next training jobs try; they are created once this is kept."""
        known = list(known)
        for _ in range(verdict.start):
            planned = _next(resource, known, definitions)
            if planned is None:
                return known, rules.exhausted([trials.trial_of(trial) for trial in known])
            known.append(planned)
        return known, verdict

    def _keep(self, resource: Resource, known: list[Document], verdict: Verdict) -> Resource:
        if known == resource.state["trials"] and verdict.outcome is None:
            return resource
        now = time.time()

        def change(found: Resource) -> Resource:
            document = {
                **found.document,
                **_members(self._service, found, known),
                "LastModifiedTime": moment(now),
            }
            if verdict.outcome is not None:
                document["HyperParameterTuningEndTime"] = moment(now)
                document |= {"FailureReason": verdict.reason} if verdict.reason else {}
            status = verdict.outcome or found.status
            document["HyperParameterTuningJobStatus"] = status
            state = {**found.state, "trials": list(known)}
            return replace(found, status=status, document=document, state=state, modified=now)

        return self._service.store.change(KIND, resource.name, change)

    def _stop(
        self,
        resource: Resource,
        known: list[Document],
        definitions: list[Document],
        verdict: Verdict,
    ) -> None:
        running = [trial for trial in known if trial["status"] == "InProgress"]
        config = resource.document["HyperParameterTuningJobConfig"]
        if not verdict.stops:
            is_early = config.get("TrainingJobEarlyStoppingType") == "Auto"
            running = _hopeless(self._service, known, definitions) if is_early and running else []
        for trial in running:
            self._pool.request_stop(TRAINING.kind, trial["name"])

    def _create(self, tuning: Resource, trial: Document, definition: Document) -> Document:
        store = self._service.store
        tags = [{"Key": key, "Value": value} for key, value in store.tags(tuning.arn).items()]
        request = trials.training_request(trial["name"], definition, trial["values"])
        if tags:
            request["Tags"] = tags
        try:
            with suppress(ResourceInUse):
                self._operations.call(
                    "CreateTrainingJob", request, owner=tuning.state.get("owner", tuning.arn)
                )
        except AwsError as error:
            return trials.refused(trial, error)
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
        tried = [trials.trial_of(trial) for trial in known if trial["definition"] == index]
        inherited = [_inherited(one) for one in resource.state.get("inherited", [])] if index == 0 else []
        values = strategies.suggest(
            config["Strategy"],
            Space.read(definitions[index]["HyperParameterRanges"]),
            [*inherited, *tried],
            source,
            expected_improvements,
            is_maximized=trials.objective_of(definitions[index]).is_maximized,
        )
        if values is not None:
            name = trials.name_of(resource, number)
            return {"name": name, "definition": index, "values": values, "status": "InProgress"}
    return None


def _inherited(found: Document) -> Trial:
    return Trial(found["values"], found["objective"], is_over=True)


def _hopeless(context: Service, known: list[Document], definitions: list[Document]) -> list[Document]:
    """Return the running trials that the median rule stops."""
    found = []
    for trial in known:
        if trial["status"] != "InProgress":
            continue
        definition = definitions[trial["definition"]]
        others = [
            trials.reports(context, other["name"], definition)
            for other in known
            if other["status"] == "Completed" and other["definition"] == trial["definition"]
        ]
        mine = trials.reports(context, trial["name"], definition)
        if is_below_median(mine, others, is_maximized=trials.objective_of(definition).is_maximized):
            found.append(trial)
    return found


def _members(context: Service, resource: Resource, known: list[Document]) -> Document:
    """Return Describe's members about the training jobs: counters, the best job, and the time they took."""
    definitions = trials.definitions(resource.document)
    statuses = [trial["status"] for trial in known]
    objectives = [trials.objective_status(trial) for trial in known]
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
    goal = trials.objective_of(definitions[0])
    best = _best(known, goal)
    if best is not None:
        definition = definitions[best["definition"]]
        members["BestTrainingJob"] = trials.summary(context, resource.name, best, definition)
        count = rules.not_improving([trials.trial_of(trial) for trial in known], goal)
        members["TuningJobCompletionDetails"] = {"NumberOfTrainingJobsObjectiveNotImproving": count}
    return members


def _best(known: list[Document], goal: Objective) -> Document | None:
    seen = [trial for trial in known if trial.get("objective") is not None]
    if not seen:
        return None
    return (max if goal.is_maximized else min)(seen, key=lambda trial: float(trial["objective"]))
