"""Experiments, trials and trial components, as records: what a client says of its runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_sagemaker.errors import ResourceNotFound, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import create as create_resource
from local_sagemaker.services.sagemaker.resources import page_of
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource

#: by noun: kind in the store
KINDS = {
    "Experiment": "experiment",
    "Trial": "experiment-trial",
    "TrialComponent": "experiment-trial-component",
}
#: kind of the batches of a component's metrics, see api/experiment_metrics.py
POINTS = "experiment-trial-component-points"
#: members of a component that are maps, each with a member that takes keys away
MAPS = ("Parameters", "InputArtifacts", "OutputArtifacts")
CHANGED = ("DisplayName", "Description", "Status", "StartTime", "EndTime")


@operation("sagemaker", "CreateExperiment")
def create_experiment(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep an experiment."""
    return _create(context, "Experiment", parameters)


@operation("sagemaker", "CreateTrial")
def create_trial(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a trial of an experiment, which must exist."""
    experiment = find(context, "Experiment", parameters["ExperimentName"]).name
    return _create(context, "Trial", parameters, parent=experiment)


@operation("sagemaker", "CreateTrialComponent")
def create_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a trial component: parameters, artifacts, times."""
    # a component has its maps from the beginning, and clients read them without asking
    return _create(context, "TrialComponent", {**{name: {} for name in MAPS}, **parameters})


@operation("sagemaker", "DescribeExperiment")
def describe_experiment(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with an experiment."""
    return find(context, "Experiment", parameters["ExperimentName"]).document


@operation("sagemaker", "DescribeTrial")
def describe_trial(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a trial."""
    return find(context, "Trial", parameters["TrialName"]).document


@operation("sagemaker", "DescribeTrialComponent")
def describe_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a trial component."""
    document = find(context, "TrialComponent", parameters["TrialComponentName"]).document
    return {name: value for name, value in document.items() if name != "Parents"}


@operation("sagemaker", "UpdateExperiment")
def update_experiment(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change the description of an experiment."""
    return _update(context, "Experiment", parameters)


@operation("sagemaker", "UpdateTrial")
def update_trial(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change the description of a trial."""
    return _update(context, "Trial", parameters)


@operation("sagemaker", "UpdateTrialComponent")
def update_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change a component's status and times; add, change or take away parameters and artifacts."""
    return _update(context, "TrialComponent", parameters)


@operation("sagemaker", "ListExperiments")
def list_experiments(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of experiments."""
    return _listed(context, "Experiment", parameters)


@operation("sagemaker", "ListTrials")
def list_trials(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of trials: all, an experiment's, or those that a component belongs to."""
    component = parameters.get("TrialComponentName")

    def is_wanted(trial: Resource) -> bool:
        return component is None or component in trial.state.get("components", [])

    return _listed(context, "Trial", parameters, is_wanted, parent=parameters.get("ExperimentName"))


@operation("sagemaker", "ListTrialComponents", ignored=("SourceArn",))
def list_trial_components(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of components: all, or those of a trial or an experiment."""
    trial, experiment = parameters.get("TrialName"), parameters.get("ExperimentName")
    if trial is None and experiment is None:
        return _listed(context, "TrialComponent", parameters)
    trials = context.store.search(KINDS["Trial"], Query(parent=experiment))
    names = {name for one in trials if trial in {None, one.name} for name in one.state.get("components", [])}
    return _listed(context, "TrialComponent", parameters, lambda component: component.name in names)


@operation("sagemaker", "AssociateTrialComponent")
def associate_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Make a component part of a trial."""
    return _associate(context, parameters, is_part=True)


@operation("sagemaker", "DisassociateTrialComponent")
def disassociate_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take a component out of a trial."""
    return _associate(context, parameters, is_part=False)


@operation("sagemaker", "DeleteExperiment")
def delete_experiment(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget an experiment that has no trials."""
    found = find(context, "Experiment", parameters["ExperimentName"])
    if context.store.search(KINDS["Trial"], Query(parent=found.name, limit=1)):
        raise ValidationException(f"The experiment {found.name} still has trials. Delete them first.")
    return _delete(context, "Experiment", found)


@operation("sagemaker", "DeleteTrial")
def delete_trial(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget a trial that has no components."""
    found = find(context, "Trial", parameters["TrialName"])
    if found.state.get("components"):
        raise ValidationException(f"The trial {found.name} still has components. Disassociate them first.")
    return _delete(context, "Trial", found)


@operation("sagemaker", "DeleteTrialComponent")
def delete_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget a component that is part of no trial."""
    found = find(context, "TrialComponent", parameters["TrialComponentName"])
    owners = [
        one.name
        for one in context.store.search(KINDS["Trial"])
        if found.name in one.state.get("components", [])
    ]
    if owners:
        raise ValidationException(f"The component {found.name} is part of {', '.join(owners)}.")
    with context.store.together():
        for batch in context.store.search(POINTS, Query(parent=found.name)):
            context.store.delete(POINTS, batch.name)
        return _delete(context, "TrialComponent", found)


def find(context: Context, noun: str, name_or_arn: str) -> Resource:
    """Return an experiment, trial or component by its name or ARN."""
    name = name_or_arn.rpartition("/")[2]
    found: Resource | None = context.store.get(KINDS[noun], name)
    if found is None:
        raise ResourceNotFound(f"{noun} {name} not found.")
    return found


def _create(
    context: Context, noun: str, parameters: Mapping[str, Any], *, parent: str = ""
) -> dict[str, Any]:
    name, now = parameters[f"{noun}Name"], time.time()
    arn = context.arn("sagemaker", f"{KINDS[noun]}/{name}")
    document = {key: value for key, value in parameters.items() if key != "Tags"} | {
        f"{noun}Arn": arn,
        "CreationTime": moment(now),
        "LastModifiedTime": moment(now),
    }
    document.setdefault("DisplayName", name)
    resource = Resource(
        kind=KINDS[noun], name=name, parent=parent, arn=arn, created=now, modified=now, document=document
    )
    taken = ValidationException(
        f"{noun} names must be unique within an AWS account and region. {noun} with name {name} already "
        "exists."
    )
    create_resource(context, resource, parameters, taken)
    return {f"{noun}Arn": arn}


def _update(context: Context, noun: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    found, now = find(context, noun, parameters[f"{noun}Name"]), time.time()

    def change(resource: Resource) -> Resource:
        document = {**resource.document, "LastModifiedTime": moment(now)}
        document |= {name: parameters[name] for name in CHANGED if name in parameters}
        for name in MAPS:
            gone = parameters.get(f"{name}ToRemove", [])
            merged = {**document.get(name, {}), **parameters.get(name, {})}
            if merged:
                document[name] = {key: value for key, value in merged.items() if key not in gone}
        return replace(resource, document=document, modified=now)

    context.store.change(KINDS[noun], found.name, change)
    return {f"{noun}Arn": found.arn}


def _listed(
    context: Context,
    noun: str,
    parameters: Mapping[str, Any],
    is_wanted: Any = None,  # noqa: ANN401 (a predicate of a resource)
    *,
    parent: str | None = None,
) -> dict[str, Any]:
    after, before = parameters.get("CreatedAfter"), parameters.get("CreatedBefore")
    query = Query(
        parent=parent,
        created_after=after.timestamp() if after else None,
        created_before=before.timestamp() if before else None,
        sort_by="name" if parameters.get("SortBy") == "Name" else "created",
        is_descending=parameters.get("SortOrder", "Descending") == "Descending",
    )
    found = [one for one in context.store.search(KINDS[noun], query) if is_wanted is None or is_wanted(one)]
    shown, token = page_of(found, parameters)
    members = (f"{noun}Name", f"{noun}Arn", "DisplayName", "CreationTime", "LastModifiedTime")
    more = ("Status", "StartTime", "EndTime") if noun == "TrialComponent" else ()
    summaries = [
        {name: one.document[name] for name in (*members, *more) if name in one.document} for one in shown
    ]
    return {f"{noun}Summaries": summaries, "NextToken": token}


def _associate(context: Context, parameters: Mapping[str, Any], *, is_part: bool) -> dict[str, Any]:
    component = find(context, "TrialComponent", parameters["TrialComponentName"])
    trial = find(context, "Trial", parameters["TrialName"])

    parent = {"TrialName": trial.name, "ExperimentName": trial.parent}

    def change(resource: Resource) -> Resource:
        others = [name for name in resource.state.get("components", []) if name != component.name]
        return replace(resource, state={"components": [*others, component.name] if is_part else others})

    def belong(resource: Resource) -> Resource:
        others = [one for one in resource.document.get("Parents", []) if one != parent]
        parents = [*others, parent] if is_part else others
        # Search shows them, and finds by them; Describe has no such member
        return replace(resource, document={**resource.document, "Parents": parents})

    with context.store.together():
        context.store.change(KINDS["Trial"], trial.name, change)
        context.store.change(KINDS["TrialComponent"], component.name, belong)
    return {"TrialComponentArn": component.arn, "TrialArn": trial.arn}


def _delete(context: Context, noun: str, found: Resource) -> dict[str, Any]:
    context.store.delete(KINDS[noun], found.name)
    return {f"{noun}Arn": found.arn}
