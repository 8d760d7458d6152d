"""A user's program with the SageMaker Python SDK v2: script mode from training to registration.

Run by the SDK's own environment, with the service's URL as argument; prints one JSON line for each step.
"""
# ruff: noqa: T201 (a program of another environment, which tells by printing)
# mypy: ignore-errors

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(
    AWS_ENDPOINT_URL=sys.argv[1],
    AWS_ACCESS_KEY_ID="local",
    AWS_SECRET_ACCESS_KEY="local",  # noqa: S106 (any is accepted)
    AWS_DEFAULT_REGION="us-east-1",
    SAGEMAKER_SUPPRESS_V2_WARNING="1",
)

import boto3
import numpy as np
import sagemaker
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.sklearn import SKLearn, SKLearnProcessor
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner

FIT = """
import argparse, os, pathlib, joblib, numpy as np
from sklearn.linear_model import Ridge

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=0.0)
    given = parser.parse_args()
    rows = np.loadtxt(pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]) / "rows.csv", delimiter=",")
    model = Ridge(alpha=given.alpha).fit(rows[:, :1], rows[:, 1])
    print("mse=%r" % float(((model.predict(rows[:, :1]) - rows[:, 1]) ** 2).mean()))
    joblib.dump(model, pathlib.Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")

def model_fn(folder):
    return joblib.load(pathlib.Path(folder) / "model.joblib")
"""
PROCESS = """
import pathlib
text = pathlib.Path("/opt/ml/processing/input/data/rows.csv").read_text()
pathlib.Path("/opt/ml/processing/output/doubled.csv").write_text(text * 2)
"""
ROLE = "arn:aws:iam::000000000000:role/lab"
METRICS = [{"Name": "mse", "Regex": "mse=([0-9.e-]+)"}]
KIND = "ml.m5.large"


def tell(step: str, found: object) -> None:
    """Print what came out of a step, on a line of its own: the SDK leaves its lines open."""
    print("\n" + json.dumps({"step": step, "found": found}), flush=True)


def main() -> None:
    """Fit, deploy, predict, transform, tune, process, register."""
    boto3.client("s3").create_bucket(Bucket="lab")
    session = sagemaker.Session(boto_session=boto3.Session(), default_bucket="lab")
    folder = Path(tempfile.mkdtemp())
    for name, text in (("rows.csv", "1,2\n2,4\n3,6\n"), ("fit.py", FIT), ("process.py", PROCESS)):
        (folder / name).write_text(text)
    rows = session.upload_data(str(folder / "rows.csv"), key_prefix="data")
    common = {"role": ROLE, "instance_type": KIND, "sagemaker_session": session}
    estimator = SKLearn(
        str(folder / "fit.py"),
        framework_version="1.2-1",
        hyperparameters={"alpha": 0.0},
        metric_definitions=METRICS,
        **common,
    )
    estimator.fit({"train": "s3://lab/data"}, logs=False)
    tell("fit", estimator.model_data)
    predictor = estimator.deploy(initial_instance_count=1, instance_type=KIND)
    tell("predict", predictor.predict(np.array([[4.0]])).tolist())
    predictor.delete_model()
    predictor.delete_endpoint()
    transformer = estimator.transformer(1, KIND, assemble_with="Line", accept="text/csv")
    boto3.client("s3").put_object(Bucket="lab", Key="batch/in.csv", Body=b"4\n5\n")
    transformer.transform("s3://lab/batch/in.csv", content_type="text/csv", split_type="Line", logs=False)
    tell("transform", session.read_s3_file("lab", transformer.output_path.split("/", 3)[3] + "/in.csv.out"))
    ranges = {"alpha": ContinuousParameter(0.0, 3.0)}
    limits = {"max_jobs": 2, "max_parallel_jobs": 2, "strategy": "Random"}
    tuner = HyperparameterTuner(
        estimator, "mse", ranges, metric_definitions=METRICS, objective_type="Minimize", **limits
    )
    tuner.fit({"train": "s3://lab/data"})
    tell("tune", [tuner.best_training_job(), *tuner.analytics().dataframe()["TrainingJobName"]])
    processor = SKLearnProcessor(framework_version="1.2-1", instance_count=1, **common)
    place = "/opt/ml/processing"
    processor.run(
        code=str(folder / "process.py"),
        inputs=[ProcessingInput(source=rows, destination=f"{place}/input/data")],
        outputs=[ProcessingOutput(source=f"{place}/output", destination="s3://lab/doubled")],
        logs=False,
    )
    tell("process", session.read_s3_file("lab", "doubled/doubled.csv"))
    package = estimator.create_model().register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=[KIND],
        transform_instances=[KIND],
        model_package_group_name="lines",
        approval_status="Approved",
    )
    tell("register", package.model_package_arn)


if __name__ == "__main__":
    main()
