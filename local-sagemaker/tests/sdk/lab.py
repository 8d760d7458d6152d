"""What the programs of both SDKs share: the data, and telling what came out."""
# ruff: noqa: T201 (a program of another environment, which tells by printing)
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from types import ModuleType

import boto3
from botocore.client import BaseClient
from botocore.exceptions import WaiterError

BUCKET = "lab"
ROLE = "arn:aws:iam::000000000000:role/lab"
KIND = "ml.m5.large"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
METRICS = [{"Name": "validation:mse", "Regex": "validation:mse=([0-9.e-]+)"}]
SCRIPTS = Path(__file__).resolve().parent / "jobs"
PLACE = "/opt/ml/processing"
#: rows that are made, and how many of them have no target
ROWS, WITHOUT = 200, 10
PARTS = ("train", "validation")
RAW, BATCH = f"s3://{BUCKET}/raw/raw.csv", f"s3://{BUCKET}/batch/batch.csv"
SPLIT = {name: f"s3://{BUCKET}/split/{name}" for name in PARTS}
CAPTURE = {
    "enable_capture": True,
    "sampling_percentage": 100,
    "destination_s3_uri": f"s3://{BUCKET}/captured",
}
TUNING = {
    "metric_definitions": METRICS,
    "strategy": "Random",
    "objective_type": "Minimize",
    "max_jobs": 3,
    "max_parallel_jobs": 2,
}
#: two rows of an endpoint's features
QUESTION = b"1,1\n0,10\n"


def raw() -> str:
    """`target = 3 first - 2 second + 1`, exactly; every twentieth row has none."""
    lines = ["id,first,second,target\n"]
    for index in range(ROWS):
        first, second = index % 17 - 8, index % 23 - 11
        target = "" if index % (ROWS // WITHOUT) == 0 else 3 * first - 2 * second + 1
        lines.append(f"r{index},{first},{second},{target}\n")
    return "".join(lines)


def tell(step: str, found: object) -> None:
    """Print what came out of a step, on a line of its own: the SDKs leave their lines open."""
    print("\n" + json.dumps({"step": step, "found": found}, default=str), flush=True)


def prepare() -> None:
    """The bucket, raw rows, and rows with an id to be scored in a batch."""
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=RAW.split("/", 3)[3], Body=raw().encode())
    s3.put_object(Bucket=BUCKET, Key=BATCH.split("/", 3)[3], Body=b"a,1,1\nb,0,10\nc,-2,0.5\n")


def client(service: str) -> BaseClient:
    """A plain client, to look at what the SDK has made."""
    return boto3.client(service)


def text_of(uri: str) -> str:
    """An object as text."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def captured(prefix: str, count: int) -> list[dict]:
    """Events of an endpoint, which are written within seconds of its answers."""
    s3, until = client("s3"), time.monotonic() + 60
    while True:
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        texts = [text_of(f"s3://{BUCKET}/{item['Key']}") for item in listed]
        events = [json.loads(line)["captureData"] for text in texts for line in text.splitlines()]
        if len(events) >= count or time.monotonic() > until:
            return events
        time.sleep(0.5)


def tell_split(kind: str) -> None:
    """How many rows a processor has put into each part."""
    tell(f"process {kind}", [text_of(f"{uri}/rows.csv").count("\n") for uri in SPLIT.values()])


def tell_transform(transformer: object) -> None:
    """A batch without its ids to the model, and its answers beside the ids."""
    transformer.transform(
        BATCH,
        content_type="text/csv",
        split_type="Line",
        input_filter="$[1:]",
        join_source="Input",
        output_filter="$[0,-1]",
    )
    tell("transform", text_of(f"s3://{BUCKET}/scored/batch.csv.out"))


def tell_tuning(name: str, best: str) -> None:
    """What the trainings of a tuning job reached, and which one the SDK takes for the best."""
    listed = client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )["TrainingJobSummaries"]
    reached = {
        job["TrainingJobName"]: job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for job in listed
    }
    tell("tune", [best, reached])


def tell_registry(group: str) -> None:
    """The versions of a group: number, approval, content types."""
    sagemaker, found = client("sagemaker"), []
    for item in sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]:
        package = sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"])
        given = package["InferenceSpecification"]["SupportedContentTypes"]
        found.append([package["ModelPackageVersion"], package["ModelApprovalStatus"], given])
    tell("register", sorted(found))


def tell_experiment(run_class: type, session: object) -> None:
    """A run with parameters and a metric by step, read back."""
    with run_class(experiment_name="ridges", run_name="first", sagemaker_session=session) as run:
        run.log_parameters({"alpha": 0.5, "solver": "auto"})
        for step, value in enumerate((0.5, 0.25, 0.125)):
            run.log_metric("mse", value, step=step)
    sagemaker = client("sagemaker")
    (item,) = sagemaker.list_trial_components(ExperimentName="ridges")["TrialComponentSummaries"]
    component = sagemaker.describe_trial_component(TrialComponentName=item["TrialComponentName"])
    parameters = {key: next(iter(value.values())) for key, value in component["Parameters"].items()}
    metrics = {one["MetricName"]: [one["Count"], one["Last"], one["Min"]] for one in component["Metrics"]}
    tell("experiment", [component["Status"]["PrimaryStatus"], parameters, metrics])


def tell_analytics(analytics: ModuleType, job: str, session: object) -> None:
    """The data frames of the SDK: the experiment's run, and the metric of a training."""
    runs = analytics.ExperimentAnalytics(experiment_name="ridges", sagemaker_session=session).dataframe()
    metrics = analytics.TrainingJobAnalytics(job, sagemaker_session=session).dataframe()
    found = runs[["alpha", "mse - Last", "mse - Count"]].to_dict("records")
    tell("analytics", [found, metrics[["metric_name", "value"]].to_dict("records")])


def tell_pipeline(pipeline: object) -> None:
    """A pipeline's steps and its reason when it goes through, when it fails, and when it is stopped."""
    pipeline.upsert(role_arn=ROLE)
    good = pipeline.start()
    good.wait(delay=1, max_attempts=600)
    tell("pipeline", steps(good))
    tell("registered", scored_by_package("piped"))
    bad = pipeline.start(parameters={"Limit": -1.0})
    with contextlib.suppress(WaiterError):
        bad.wait(delay=1, max_attempts=600)
    tell("refused", [bad.describe()["PipelineExecutionStatus"], steps(bad)])
    stopped = pipeline.start()
    stopped.stop()
    until = time.monotonic() + 60
    while (
        stopped.describe()["PipelineExecutionStatus"] in {"Executing", "Stopping"}
        and time.monotonic() < until
    ):
        time.sleep(0.5)
    tell("stopped", stopped.describe()["PipelineExecutionStatus"])


def steps(execution: object) -> dict[str, list]:
    """By step: its status, and why it failed."""
    return {
        step["StepName"]: [step["StepStatus"], step.get("FailureReason")] for step in execution.list_steps()
    }


def scored_by_package(group: str) -> str:
    """What the newest version of a group answers in a batch, made a model by boto3 and its waiters."""
    sagemaker = client("sagemaker")
    (newest,) = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    sagemaker.create_model(
        ModelName=group,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"ModelPackageName": newest["ModelPackageArn"]},
    )
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/question/rows.csv"}
    client("s3").put_object(Bucket=BUCKET, Key="question/rows.csv", Body=QUESTION)
    sagemaker.create_transform_job(
        TransformJobName=group,
        ModelName=group,
        TransformInput={
            "DataSource": {"S3DataSource": source},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={
            "S3OutputPath": f"s3://{BUCKET}/{group}",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        TransformResources={"InstanceType": KIND, "InstanceCount": 1},
    )
    waiter = sagemaker.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName=group, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return text_of(f"s3://{BUCKET}/{group}/rows.csv.out")
