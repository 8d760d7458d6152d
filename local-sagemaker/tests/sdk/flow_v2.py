"""A user's program with the SageMaker Python SDK v2: from raw rows to an endpoint, a registry and a pipeline.

Run by the SDK's own interpreter, with AWS_ENDPOINT_URL and the like set; prints one JSON line for each step.
"""
# mypy: ignore-errors

from __future__ import annotations

import boto3
import kit_v2 as kit
import lab
import numpy as np
import pipeline
from lab import BUCKET, IMAGE, KIND, SCRIPTS, tell
from sagemaker import Session, analytics
from sagemaker.deserializers import CSVDeserializer
from sagemaker.experiments.run import Run
from sagemaker.model import ModelPackage
from sagemaker.model_monitor import DataCaptureConfig
from sagemaker.processing import FrameworkProcessor, ScriptProcessor
from sagemaker.serializers import CSVSerializer
from sagemaker.sklearn import SKLearn
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner


def process(session: Session) -> None:
    """ScriptProcessor and SKLearnProcessor bring a script, FrameworkProcessor a folder of code."""
    plain = {key: value for key, value in kit.common(session).items() if key != "framework_version"}
    script, folder = {"code": str(SCRIPTS / "split.py")}, {"code": "split.py", "source_dir": str(SCRIPTS)}
    for made, every, given in (
        (ScriptProcessor(image_uri=IMAGE, command=["python3"], **plain), "20", script),
        (kit.processor(session), "10", script),
        (FrameworkProcessor(SKLearn, **kit.common(session)), "5", folder),
    ):
        made.run(
            inputs=[kit.read("raw", lab.RAW)],
            outputs=[kit.write(name, uri) for name, uri in lab.SPLIT.items()],
            arguments=["--every", every],
            **given,
        )
        lab.tell_split(type(made).__name__)


def train(session: Session) -> SKLearn:
    """Estimator.fit, with its log shown."""
    made = kit.estimator(session)
    made.fit(kit.channels(lab.SPLIT))
    described = made.latest_training_job.describe()
    final = {metric["MetricName"]: metric["Value"] for metric in described["FinalMetricDataList"]}
    tell("train", [described["TrainingJobStatus"], final])
    return made


def deploy(trained: SKLearn) -> None:
    """Estimator.deploy with data capture, Predictor.predict, Transformer."""
    capture = DataCaptureConfig(sagemaker_session=trained.sagemaker_session, **lab.CAPTURE)
    predictor = trained.deploy(
        initial_instance_count=1,
        instance_type=KIND,
        endpoint_name="lines",
        serializer=CSVSerializer(),
        deserializer=CSVDeserializer(),
        data_capture_config=capture,
    )
    answer = predictor.predict(np.loadtxt(lab.QUESTION.decode().splitlines(), delimiter=","))
    tell("predict", "\n".join(cell for row in answer for cell in row))
    tell("capture", lab.captured("captured/", 1))
    predictor.delete_model()
    predictor.delete_endpoint()
    transformer = trained.transformer(
        1, KIND, assemble_with="Line", accept="text/csv", output_path=f"s3://{BUCKET}/scored"
    )
    lab.tell_transform(transformer)


def tune(session: Session) -> None:
    """HyperparameterTuner on the same training."""
    tuner = HyperparameterTuner(
        kit.estimator(session),
        "validation:mse",
        {"alpha": ContinuousParameter(0.0, 500.0)},
        **lab.TUNING,
    )
    tuner.fit(kit.channels(lab.SPLIT))
    lab.tell_tuning(tuner.latest_tuning_job.name, tuner.best_training_job())


def register(session: Session, trained: SKLearn) -> None:
    """Two versions of a group, the second approved."""
    boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName="lines")
    for _ in range(2):
        package: ModelPackage = kit.model(session, trained.model_data).register(
            model_package_group_name="lines", approval_status="PendingManualApproval", **pipeline.PACKAGE
        )
    package.update_approval_status("Approved")
    lab.tell_registry("lines")


def main() -> None:
    """Every step, one after the other."""
    lab.prepare()
    session = Session(boto_session=boto3.Session(), default_bucket=BUCKET)
    process(session)
    trained = train(session)
    deploy(trained)
    tune(session)
    register(session, trained)
    lab.tell_experiment(Run, session)
    lab.tell_analytics(analytics, trained.latest_training_job.name, session)
    pipeline.run(kit)


if __name__ == "__main__":
    main()
