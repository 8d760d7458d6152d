"""Whether a request for a tuning job can be carried out, and what it inherits from its parents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.domain.tuning.space import Choices, RangeError, Space
from local_sagemaker.engine.workflows import gaussian, trials
from local_sagemaker.errors import ResourceNotFound, ValidationException
from local_sagemaker.services import calls
from local_sagemaker.services.context import Context
from local_sagemaker.services.sagemaker import training

NOUN = "HyperParameterTuningJob"


def check(parameters: Mapping[str, Any]) -> None:
    """ValidationException for a tuning job that could not be carried out as it stands."""
    config = parameters[f"{NOUN}Config"]
    if config["Strategy"] == "Hyperband":
        raise ValidationException(
            "Strategy Hyperband is not emulated locally. Give Bayesian, Random or Grid; "
            "TrainingJobEarlyStoppingType=Auto stops hopeless jobs."
        )
    if config["Strategy"] == "Bayesian" and not gaussian.is_available():
        raise ValidationException(
            "Strategy Bayesian needs scikit-learn, which is not installed. Install local-sagemaker[tuning] "
            "where the service runs and start it again, or give Random."
        )
    if "Autotune" in parameters:
        raise ValidationException("Autotune is not emulated locally. Give the ranges and limits yourself.")
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
    for definition in trials.definitions(parameters):
        _check_definition(definition, config["Strategy"])


def inherited(context: Context, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the parents of a warm start have tried within this job's ranges."""
    warm = parameters.get("WarmStartConfig")
    if warm is None:
        return []
    names = {one.name for one in Space.read(trials.definitions(parameters)[0]["HyperParameterRanges"]).ranges}
    found = []
    for parent in warm["ParentHyperParameterTuningJobs"]:
        name = parent.get("HyperParameterTuningJobName")
        if name is None:  # the model has it optional
            raise ValidationException(
                "A parent of WarmStartConfig has no name. Give its HyperParameterTuningJobName."
            )
        resource = context.store.get("hyper-parameter-tuning-job", name)
        if resource is None:
            raise ResourceNotFound(f"Could not find the parent hyper parameter tuning job {name}.")
        found += [
            {"values": trial["values"], "objective": trial["objective"]}
            for trial in resource.state["trials"]
            if trial.get("objective") is not None and set(trial["values"]) == names
        ]
    return found


def _check_definition(definition: Mapping[str, Any], strategy: str) -> None:
    ranges = definition["HyperParameterRanges"]
    if ranges.get("AutoParameters"):
        raise ValidationException("AutoParameters are not emulated locally. Give ranges.")
    try:
        space = Space.read(ranges)
    except RangeError as error:
        raise ValidationException(str(error)) from error
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
    request = trials.training_request("sample", definition, sample)
    calls.check("CreateTrainingJob", request)
    training.check(request)
