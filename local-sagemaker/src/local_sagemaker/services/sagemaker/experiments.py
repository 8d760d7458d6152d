"""Experiments, trials and trial components, as records: what clients say of their runs, and what jobs are."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_sagemaker.engine.workflows import trial_components
from local_sagemaker.errors import ResourceNotFound, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import ResourceType, chosen
from local_sagemaker.storage.store import Query, Resource


def _record_type(noun: str, kind: str) -> ResourceType:
    return ResourceType(
        noun=noun,
        kind=kind,
        missing=f"{noun} {{name}} not found.",
        missing_error=ResourceNotFound,
        taken=f"{noun} names must be unique within an AWS account and region. {noun} with name {{name}} "
        "already exists.",
    )


EXPERIMENTS = _record_type("Experiment", "experiment")
TRIALS = _record_type("Trial", "experiment-trial")
COMPONENTS = _record_type("TrialComponent", trial_components.KIND)
#: kind of the batches of a component's metrics, see experiment_metrics.py
POINTS = "experiment-trial-component-points"
#: members of a component that are maps, each with a member that takes keys away
MAPS = ("Parameters", "InputArtifacts", "OutputArtifacts")
#: of a parameter or an artifact, in characters
VALUE_LIMIT = 2500
CHANGED = ("DisplayName", "Description", "Status", "StartTime", "EndTime")

EXPERIMENTS.serve_describe("Answer with an experiment.")
TRIALS.serve_describe("Answer with a trial.")
COMPONENTS.serve_describe("Answer with a trial component.")
EXPERIMENTS.serve_list("Answer with one page of experiments.")


@operation("sagemaker", "CreateExperiment")
def create_experiment(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep an experiment."""
    return EXPERIMENTS.create(context, _titled(parameters, "ExperimentName"))


@operation("sagemaker", "CreateTrial")
def create_trial(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a trial of an experiment, which must exist."""
    experiment = EXPERIMENTS.named(context, parameters).name
    return TRIALS.create(context, _titled(parameters, "TrialName"), parent=experiment)


@operation("sagemaker", "CreateTrialComponent")
def create_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a trial component: parameters, artifacts, times."""
    # a component has its maps from the beginning, and clients read them without asking
    maps: dict[str, Any] = {name: {} for name in MAPS}
    return COMPONENTS.create(context, maps | _titled(parameters, "TrialComponentName"))


def _titled(parameters: dict[str, Any], member: str) -> dict[str, Any]:
    """Return a request with the name to be displayed, by default its name."""
    return {"DisplayName": parameters[member], **parameters}


def _update(records: ResourceType, context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    record = records.named(context, parameters)

    def change(resource: Resource) -> Resource:
        members = chosen(parameters, CHANGED)
        for name in MAPS:
            gone = parameters.get(f"{name}ToRemove", [])
            merged = {**resource.document.get(name, {}), **parameters.get(name, {})}
            if merged:
                members[name] = {key: value for key, value in merged.items() if key not in gone}
        return resource.changed(members)

    context.store.change(record.kind, record.name, change)
    return {f"{records.noun}Arn": record.arn}


for updated, summary in (
    (EXPERIMENTS, "Change the description of an experiment."),
    (TRIALS, "Change the description of a trial."),
    (COMPONENTS, "Change a component's status and times; add, change or take away parameters and artifacts."),
):
    operation("sagemaker", f"Update{updated.noun}", summary=summary)(functools.partial(_update, updated))


@operation("sagemaker", "ListTrials")
def list_trials(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of trials: all, an experiment's, or those that a component belongs to."""
    component = parameters.get("TrialComponentName")

    def fits(trial: Resource) -> bool:
        return component is None or component in _components(trial)

    return TRIALS.list_resources(context, parameters, parent=parameters.get("ExperimentName"), fits=fits)


@operation("sagemaker", "ListTrialComponents")
def list_trial_components(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of components: all, or those of a trial, an experiment or a job."""
    trial, experiment = parameters.get("TrialName"), parameters.get("ExperimentName")
    source, names = parameters.get("SourceArn"), None
    if trial is not None or experiment is not None:
        trials = context.store.search(TRIALS.kind, Query(parent=experiment))
        names = {name for one in trials if trial in {None, one.name} for name in _components(one)}

    def fits(component: Resource) -> bool:
        arn = component.document.get("Source", {}).get("SourceArn")
        return (names is None or component.name in names) and source in {None, arn}

    return COMPONENTS.list_resources(context, parameters, fits=fits)


def ensure_trial(context: Context, experiment: str, trial: str) -> None:
    """Make a trial, and the experiment that it belongs to, unless they exist."""
    with context.store.together():
        if context.store.get(EXPERIMENTS.kind, experiment) is None:
            EXPERIMENTS.create(context, _titled({"ExperimentName": experiment}, "ExperimentName"))
        known = context.store.get(TRIALS.kind, trial)
        if known is None:
            TRIALS.create(context, _titled({"TrialName": trial}, "TrialName"), parent=experiment)
        elif known.parent != experiment:
            raise ValidationException(
                f"The trial {trial} belongs to the experiment {known.parent}, not to {experiment}. Give "
                "another TrialName."
            )


def record_job(context: Context, noun: str, job: Resource) -> None:
    """Keep a trial component for a job whose request has an ExperimentConfig; its trial must exist.

    :param noun: SageMaker's word for the job, `TrainingJob`.
    """
    config = job.document.get("ExperimentConfig")
    if not config:
        return
    name = f"{job.name}-aws-{job.kind}"
    trial = config.get("TrialName")
    if trial is None and "ExperimentName" in config:
        trial = name
        ensure_trial(context, EXPERIMENTS.named(context, config).name, trial)
    elif trial is not None and TRIALS.find_resource(context, trial).parent != config.get(
        "ExperimentName", TRIALS.find_resource(context, trial).parent
    ):
        raise ValidationException(f"The trial {trial} is none of the experiment {config['ExperimentName']}.")
    source = {"SourceArn": job.arn, "SourceType": f"SageMaker{noun}"}
    document = _shown(job.document) | {
        "TrialComponentName": name,
        "DisplayName": config.get("TrialComponentDisplayName", name),
        "Source": source,
        "Status": {"PrimaryStatus": trial_components.ACTIVE},
        "StartTime": job.document["CreationTime"],
    }
    COMPONENTS.create(context, document, status=trial_components.ACTIVE)
    if trial is not None:
        _associate(context, {"TrialComponentName": name, "TrialName": trial}, is_part=True)


def _shown(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters and inputs of a job as its component has them."""
    texts = {**job.get("HyperParameters", {}), **job.get("Environment", {})}
    cluster = {
        **job.get("ResourceConfig", {}),
        **job.get("ProcessingResources", {}).get("ClusterConfig", {}),
        **job.get("TransformResources", {}),
    }
    for member in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if member in cluster:
            texts[f"SageMaker.{member}"] = str(cluster[member])
    sources = {
        channel["ChannelName"]: channel["DataSource"].get("S3DataSource", {}).get("S3Uri")
        for channel in job.get("InputDataConfig", [])
    }
    for given in job.get("ProcessingInputs", []):
        sources[given["InputName"]] = given.get("S3Input", {}).get("S3Uri")
    transformed = job.get("TransformInput", {}).get("DataSource", {}).get("S3DataSource", {}).get("S3Uri")
    sources["SageMaker.TransformInput"] = transformed
    image = job.get("AlgorithmSpecification", {}).get("TrainingImage")
    sources["SageMaker.ImageUri"] = image or job.get("AppSpecification", {}).get("ImageUri")
    return {
        "Parameters": {key: _parameter(text[:VALUE_LIMIT]) for key, text in texts.items()},
        "InputArtifacts": {key: {"Value": uri} for key, uri in sources.items() if uri},
        "OutputArtifacts": {},
    }


def _parameter(text: str) -> dict[str, Any]:
    try:
        number = float(text)
    except ValueError:
        return {"StringValue": text}
    return {"NumberValue": number} if math.isfinite(number) else {"StringValue": text}


@operation("sagemaker", "AssociateTrialComponent")
def associate_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Make a component part of a trial."""
    return _associate(context, parameters, is_part=True)


@operation("sagemaker", "DisassociateTrialComponent")
def disassociate_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take a component out of a trial."""
    return _associate(context, parameters, is_part=False)


def _associate(context: Context, parameters: Mapping[str, Any], *, is_part: bool) -> dict[str, Any]:
    component, trial = COMPONENTS.named(context, parameters), TRIALS.named(context, parameters)
    parent = {"TrialName": trial.name, "ExperimentName": trial.parent}

    def with_component(resource: Resource) -> Resource:
        others = [name for name in _components(resource) if name != component.name]
        return replace(resource, state={"components": [*others, component.name] if is_part else others})

    def with_parent(resource: Resource) -> Resource:
        others = [one for one in resource.document.get("Parents", []) if one != parent]
        parents = [*others, parent] if is_part else others
        # Search shows them, and finds by them; Describe has no such member
        return replace(resource, document={**resource.document, "Parents": parents})

    with context.store.together():
        context.store.change(trial.kind, trial.name, with_component)
        context.store.change(component.kind, component.name, with_parent)
    return {"TrialComponentArn": component.arn, "TrialArn": trial.arn}


def _components(trial: Resource) -> list[str]:
    names: list[str] = trial.state.get("components", [])
    return names


@operation("sagemaker", "DeleteExperiment")
def delete_experiment(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget an experiment that has no trials."""
    experiment = EXPERIMENTS.named(context, parameters)
    if context.store.search(TRIALS.kind, Query(parent=experiment.name, limit=1)):
        raise ValidationException(f"The experiment {experiment.name} still has trials. Delete them first.")
    context.store.delete(experiment.kind, experiment.name)
    return {"ExperimentArn": experiment.arn}


@operation("sagemaker", "DeleteTrial")
def delete_trial(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget a trial that has no components."""
    trial = TRIALS.named(context, parameters)
    if _components(trial):
        raise ValidationException(f"The trial {trial.name} still has components. Disassociate them first.")
    context.store.delete(trial.kind, trial.name)
    return {"TrialArn": trial.arn}


@operation("sagemaker", "DeleteTrialComponent")
def delete_trial_component(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget a component that is part of no trial."""
    component = COMPONENTS.named(context, parameters)
    trials = [
        trial.name for trial in context.store.search(TRIALS.kind) if component.name in _components(trial)
    ]
    if trials:
        raise ValidationException(f"The component {component.name} is part of {', '.join(trials)}.")
    with context.store.together():
        for batch in context.store.search(POINTS, Query(parent=component.name)):
            context.store.delete(POINTS, batch.name)
        context.store.delete(component.kind, component.name)
    return {"TrialComponentArn": component.arn}
