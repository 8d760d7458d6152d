"""What v3's program and its pipeline make their jobs of, and the classes of its workflow package."""
# ruff: noqa: F401 (pipeline.py takes the classes from here)
# mypy: ignore-errors

from __future__ import annotations

import tempfile

import lab
from lab import IMAGE, KIND, ROLE, SCRIPTS
from pipeline import PACKAGE
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow import (
    ConditionStep,
    FailStep,
    ModelStep,
    Pipeline,
    ProcessingStep,
    TrainingStep,
)
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, MetricDefinition, SourceCode

METRICS = [MetricDefinition(name=metric["Name"], regex=metric["Regex"]) for metric in lab.METRICS]
CODE = SourceCode(source_dir=str(SCRIPTS), entry_script="fit.py")


def read(name: str, uri: str) -> ProcessingInput:
    """An input of a processing job."""
    place = f"{lab.PLACE}/input/{name}"
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri, local_path=place, s3_data_type="S3Prefix", s3_input_mode="File"
        ),
    )


def write(name: str, uri: str) -> ProcessingOutput:
    """An output of a processing job."""
    place = f"{lab.PLACE}/output/{name}"
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(s3_uri=uri, local_path=place, s3_upload_mode="EndOfJob"),
    )


def processor(session: Session, kind: type = ScriptProcessor) -> ScriptProcessor:
    """A processor of one instance."""
    return kind(
        image_uri=IMAGE,
        role=ROLE,
        instance_count=1,
        instance_type=KIND,
        command=["python3"],
        sagemaker_session=session,
    )


def trainer(session: Session) -> ModelTrainer:
    """A training in script mode: v3 brings the script and its drivers in channels."""
    return ModelTrainer(
        sagemaker_session=session,
        training_image=IMAGE,
        role=ROLE,
        base_job_name="fit",
        source_code=CODE,
        compute=Compute(instance_type=KIND, instance_count=1),
        hyperparameters={"alpha": 0.0},
    ).with_metric_definitions(METRICS)


def channels(sources: dict[str, object]) -> list[InputData]:
    """The channels of a training by their places."""
    return [InputData(channel_name=name, data_source=source) for name, source in sources.items()]


def builder(session: Session, data: object) -> ModelBuilder:
    """A model of trained data, with its serving code packed into it."""
    return ModelBuilder(
        image_uri=IMAGE,
        s3_model_data_url=data,
        model_path=tempfile.mkdtemp(),
        source_code=CODE,
        role_arn=ROLE,
        sagemaker_session=session,
    )


def train_arguments(session: PipelineSession, sources: dict[str, object]) -> object:
    """The training of a pipeline."""
    return trainer(session).train(input_data_config=channels(sources))


def package_arguments(session: PipelineSession, data: object) -> object:
    """A version with its serving code, which the SDK packs in a training job of its own."""
    made = builder(session, data)
    return made.register(model_package_group_name="piped", approval_status="Approved", **PACKAGE)
