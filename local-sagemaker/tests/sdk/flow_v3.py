"""A user's program with the SageMaker Python SDK v3: from raw rows to an endpoint, a registry and a pipeline.

Run by the SDK's own interpreter, with AWS_ENDPOINT_URL and the like set; prints one JSON line for each step.
"""
# mypy: ignore-errors

from __future__ import annotations

import boto3
import kit_v3 as kit
import lab
import pipeline
from lab import BUCKET, KIND, SCRIPTS, tell
from sagemaker.core import analytics
from sagemaker.core.experiments.run import Run
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.model_monitor import DataCaptureConfig
from sagemaker.core.parameter import ContinuousParameter
from sagemaker.core.processing import FrameworkProcessor, ScriptProcessor
from sagemaker.core.resources import ModelPackage, ModelPackageGroup, TrainingJob
from sagemaker.serve import ModelBuilder
from sagemaker.train.tuner import HyperparameterTuner


def process(session: Session) -> None:
    """ScriptProcessor brings a script, FrameworkProcessor a folder of code."""
    for kind, every, given in (
        (ScriptProcessor, "10", {"code": str(SCRIPTS / "split.py"), "logs": False}),
        (FrameworkProcessor, "5", {"code": "split.py", "source_dir": str(SCRIPTS)}),
    ):
        kit.processor(session, kind).run(
            inputs=[kit.read("raw", lab.RAW)],
            outputs=[kit.write(name, uri) for name, uri in lab.SPLIT.items()],
            arguments=["--every", every],
            **given,
        )
        lab.tell_split(kind.__name__)


def train(session: Session) -> TrainingJob:
    """ModelTrainer.train, with its log shown."""
    kit.trainer(session).train(input_data_config=kit.channels(lab.SPLIT))
    (job,) = TrainingJob.get_all()
    final = {metric.metric_name: metric.value for metric in job.final_metric_data_list}
    tell("train", [job.training_job_status, final])
    return job


def deploy(session: Session, model: str) -> ModelBuilder:
    """ModelBuilder.build and deploy with data capture, Endpoint.invoke, batch transform."""
    builder = kit.builder(session, model)
    built = builder.build()
    capture = DataCaptureConfig(sagemaker_session=session, **lab.CAPTURE)
    endpoint = builder.deploy(
        endpoint_name="lines", instance_type=KIND, initial_instance_count=1, data_capture_config=capture
    )
    answer = endpoint.invoke(body=lab.QUESTION, content_type="text/csv", accept="text/csv")
    tell("predict", answer.body.read().decode())
    tell("capture", lab.captured("captured/", 1))
    endpoint.delete()
    transformer = builder.transformer(
        1, KIND, assemble_with="Line", accept="text/csv", output_path=f"s3://{BUCKET}/scored"
    )
    lab.tell_transform(transformer)
    built.delete()
    return builder


def tune(session: Session) -> None:
    """HyperparameterTuner on the same training."""
    tuner = HyperparameterTuner(
        kit.trainer(session),
        "validation:mse",
        {"alpha": ContinuousParameter(0.0, 500.0)},
        **lab.TUNING,
    )
    tuner.tune(kit.channels(lab.SPLIT))
    lab.tell_tuning(tuner.latest_tuning_job.hyper_parameter_tuning_job_name, tuner.best_training_job())


def register(session: Session, builder: ModelBuilder) -> None:
    """Two versions of a group, the second approved."""
    ModelPackageGroup.create(model_package_group_name="lines", session=session.boto_session)
    for _ in range(2):
        builder.register(
            model_package_group_name="lines", approval_status="PendingManualApproval", **pipeline.PACKAGE
        )
    listed = list(ModelPackage.get_all(model_package_group_name="lines", sort_by="CreationTime"))
    newest = max(listed, key=lambda package: package.model_package_version)
    newest.update(model_approval_status="Approved")
    lab.tell_registry("lines")


def main() -> None:
    """Every step, one after the other."""
    lab.prepare()
    session = Session(boto_session=boto3.Session(), default_bucket=BUCKET)
    process(session)
    job = train(session)
    builder = deploy(session, job.model_artifacts.s3_model_artifacts)
    tune(session)
    register(session, builder)
    lab.tell_experiment(Run, session)
    lab.tell_analytics(analytics, job.training_job_name, session)
    pipeline.run(kit)


if __name__ == "__main__":
    main()
