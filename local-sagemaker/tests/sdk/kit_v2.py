"""What v2's program and its pipeline make their jobs of, and the classes of its workflow package."""
# ruff: noqa: F401 (pipeline.py takes the classes from here)
# mypy: ignore-errors

from __future__ import annotations

import lab
from lab import KIND, ROLE, SCRIPTS
from pipeline import PACKAGE
from sagemaker import Session
from sagemaker.inputs import TrainingInput
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.sklearn import SKLearn, SKLearnModel, SKLearnProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep


def read(name: str, uri: str) -> ProcessingInput:
    """An input of a processing job."""
    return ProcessingInput(input_name=name, source=uri, destination=f"{lab.PLACE}/input/{name}")


def write(name: str, uri: str) -> ProcessingOutput:
    """An output of a processing job."""
    return ProcessingOutput(output_name=name, source=f"{lab.PLACE}/output/{name}", destination=uri)


def common(session: Session) -> dict:
    """What all jobs are given."""
    return {
        "role": ROLE,
        "instance_type": KIND,
        "instance_count": 1,
        "framework_version": "1.2-1",
        "sagemaker_session": session,
    }


def processor(session: Session) -> SKLearnProcessor:
    """A processor of one instance."""
    return SKLearnProcessor(**common(session))


def estimator(session: Session) -> SKLearn:
    """A training in script mode: v2 names the archive of the code in a hyperparameter."""
    return SKLearn(
        "fit.py",
        source_dir=str(SCRIPTS),
        hyperparameters={"alpha": 0.0},
        metric_definitions=lab.METRICS,
        **common(session),
    )


def channels(sources: dict[str, object]) -> dict[str, TrainingInput]:
    """The channels of a training by their places."""
    return {name: TrainingInput(source) for name, source in sources.items()}


def model(session: Session, data: object) -> SKLearnModel:
    """A model of trained data with its serving code."""
    return SKLearnModel(
        model_data=data,
        role=ROLE,
        entry_point="fit.py",
        source_dir=str(SCRIPTS),
        framework_version="1.2-1",
        sagemaker_session=session,
    )


def train_arguments(session: PipelineSession, sources: dict[str, object]) -> object:
    """The training of a pipeline."""
    return estimator(session).fit(channels(sources))


def package_arguments(session: PipelineSession, data: object) -> object:
    """A version of the model."""
    made = model(session, data)
    return made.register(model_package_group_name="piped", approval_status="Approved", **PACKAGE)
