"""The official Airflow operators, sensors and triggers for SageMaker do their work against the service."""
# ruff: noqa: ANN401, PLC0415 (boto3 makes its clients at run time; Airflow is heavy to import)

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from sagemaker_kit import serving
from sagemaker_kit.jobs import IMAGE, ROLE, Lab
from sagemaker_kit.service import Service

#: Airflow's own imports warn; its hook looks at a job whose log it prints every thirty seconds
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.long,
    pytest.mark.skipif(find_spec("airflow") is None, reason="Airflow is not installed"),
]

RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
CONTAINER = {"Image": serving.IMAGE, "ModelDataUrl": "s3://lab/model.tar.gz"}


@pytest.fixture(scope="module")
def lab(start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A service with the image that runs SCRIPT and the model that echoes, shared by all tests."""
    folder = tmp_path_factory.mktemp("images")
    path = folder / "image.toml"
    path.write_text(IMAGE)
    echo = serving.image(folder / "echo")
    made = Lab(start_shared_service("--image", str(path), "--image", str(echo)))
    made.put(data__a_csv="a,1\n")
    made.s3.put_object(Bucket="lab", Key="model.tar.gz", Body=serving.archive({"name.txt": b"echo"}))
    return made


@pytest.fixture(autouse=True)
def connection(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's connection to the service; nothing else decides where calls go."""
    extra = {"endpoint_url": lab.service.url, "region_name": "us-east-1"}
    content = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_LAB", json.dumps(content))


def run(kind: str, **more: Any) -> Any:
    """What an operator's execute returns; when it defers, its trigger runs and it is resumed."""
    from airflow.providers.amazon.aws.operators import sagemaker as operators
    from airflow.sdk.exceptions import TaskDeferred

    operator = getattr(operators, kind)(task_id="t", aws_conn_id="aws_lab", **more)
    try:
        return operator.execute({})
    except TaskDeferred as deferred:
        assert more.get("deferrable"), "it deferred without being told to"
        event = asyncio.run(_event(deferred.trigger))
        method = getattr(operator, deferred.method_name)
        return method({}, event.payload, **(deferred.kwargs or {}))


async def _event(trigger: Any) -> Any:
    """The first event of a trigger."""
    async for event in trigger.run():
        return event
    raise AssertionError("The trigger ended without an event.")


def sense(kind: str, **more: Any) -> bool:
    """Whether a sensor is content."""
    from airflow.providers.amazon.aws.sensors import sagemaker as sensors

    found: bool = getattr(sensors, kind)(task_id="s", aws_conn_id="aws_lab", **more).poke({})
    return found


def source(uri: str = "s3://lab/data") -> dict[str, Any]:
    """A place in S3."""
    return {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}


def training(name: str, script: str = "true") -> dict[str, Any]:
    """CreateTrainingJob."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "script:1", "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [{"ChannelName": "train", "DataSource": source()}],
        "OutputDataConfig": {"S3OutputPath": "s3://lab/out"},
        "ResourceConfig": RESOURCES,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "Environment": {"SCRIPT": script},
    }


WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["waits", "defers"])


@WAYS
def test_a_training_job_runs(lab: Lab, deferrable: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """The description comes back, and the sensor sees the end."""
    name = f"train-{deferrable}"
    found = run("SageMakerTrainingOperator", config=training(name), check_interval=1, deferrable=deferrable)
    assert found["Training"]["TrainingJobStatus"] == "Completed"
    assert sense("SageMakerTrainingSensor", job_name=name, print_log=False)
    assert lab.trained(name)["TrainingJobStatus"] == "Completed"


def test_a_failed_training_job_fails_the_task() -> None:
    """With the container's reason."""
    config = training("bad", "echo the reason > /opt/ml/output/failure; exit 1")
    with pytest.raises(Exception, match="the reason"):
        run("SageMakerTrainingOperator", config=config, check_interval=1, print_log=False)


@WAYS
def test_a_processing_job_runs(deferrable: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """By its name, which the operator first looks for."""
    config = {
        "ProcessingJobName": f"process-{deferrable}",
        "AppSpecification": {"ImageUri": "script:1"},
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": RESOURCES},
        "Environment": {"SCRIPT": "true"},
    }
    more = {"check_interval": 1, "deferrable": deferrable}
    found = run("SageMakerProcessingOperator", config=config, **more)
    name = found["Processing"]["ProcessingJobName"]
    assert found["Processing"]["ProcessingJobStatus"] == "Completed"
    assert sense("SageMakerProcessingSensor", job_name=name)
    # the same name again: the operator finds the first job and takes another name
    again = run("SageMakerProcessingOperator", config=config, **more)
    assert again["Processing"]["ProcessingJobName"].startswith(name + "-")


@WAYS
def test_a_tuning_job_runs(deferrable: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """On real training jobs."""
    name = f"tune-{deferrable}"
    definition = training("", "echo loss=0.5")
    del definition["TrainingJobName"]
    definition["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    config = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "9"}]},
        },
        "TrainingJobDefinition": definition,
    }
    found = run("SageMakerTuningOperator", config=config, check_interval=1, deferrable=deferrable)
    assert found["Tuning"]["BestTrainingJob"]["TrainingJobName"].startswith(name)
    assert sense("SageMakerTuningSensor", job_name=name)


@WAYS
def test_a_batch_transform_runs_with_its_model(lab: Lab, deferrable: bool) -> None:  # noqa: FBT001 (a parameter)
    """Model and job from one configuration."""
    name = f"score-{deferrable}"
    config = {
        "Model": {"ModelName": name, "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE},
        "Transform": {
            "TransformJobName": name,
            "ModelName": name,
            "TransformInput": {"DataSource": source(), "ContentType": "text/csv", "SplitType": "Line"},
            "TransformOutput": {"S3OutputPath": f"s3://lab/{name}"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }
    found = run("SageMakerTransformOperator", config=config, check_interval=1, deferrable=deferrable)
    assert found["Transform"]["TransformJobStatus"] == "Completed"
    assert lab.read(f"{name}/a.csv.out") == b"3,a\n"
    assert sense("SageMakerTransformSensor", job_name=name)


@WAYS
def test_an_endpoint_is_deployed_and_updated(lab: Lab, deferrable: bool) -> None:  # noqa: FBT001 (a parameter)
    """`create` of an endpoint that is there becomes an update."""
    name = f"live-{deferrable}"
    run(
        "SageMakerModelOperator",
        config={"ModelName": name, "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE},
    )
    for number in (1, 2):
        config = {
            "EndpointConfig": {
                "EndpointConfigName": f"{name}-{number}",
                "ProductionVariants": [serving.variant(name)],
            },
            "Endpoint": {"EndpointName": name, "EndpointConfigName": f"{name}-{number}"},
        }
        run("SageMakerEndpointOperator", config=config, check_interval=1, deferrable=deferrable)
        serving.in_service(lab.service, name)
        described = lab.sagemaker.describe_endpoint(EndpointName=name)
        assert described["EndpointConfigName"] == f"{name}-{number}"
    assert sense("SageMakerEndpointSensor", endpoint_name=name)
    assert serving.ask(lab.service, name, "a,b") == "3,a\n"


@WAYS
def test_a_pipeline_is_started_and_waited_for(lab: Lab, deferrable: bool) -> None:  # noqa: FBT001 (a parameter)
    """Then one is stopped in the middle."""
    step = {
        "Name": "Process",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": "script:1"},
            "RoleArn": ROLE,
            "ProcessingResources": {"ClusterConfig": RESOURCES},
            "Environment": {"SCRIPT": {"Get": "Parameters.Script"}},
        },
    }
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Script", "Type": "String", "DefaultValue": "true"}],
        "Steps": [step],
    }
    name = f"pipe-{deferrable}"
    lab.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE)
    more = {"check_interval": 1, "wait_for_completion": True, "deferrable": deferrable}
    arn = run("SageMakerStartPipelineOperator", pipeline_name=name, **more)
    assert sense("SageMakerPipelineSensor", pipeline_exec_arn=arn)
    arn = run("SageMakerStartPipelineOperator", pipeline_name=name, pipeline_params={"Script": "sleep 60"})
    assert run("SageMakerStopPipelineOperator", pipeline_exec_arn=arn, **more)
    found = lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert found["PipelineExecutionStatus"] == "Stopped"


def test_a_version_is_registered_and_an_experiment_created(lab: Lab) -> None:
    """The registry's and the experiments' operators."""
    arn = run(
        "SageMakerRegisterModelVersionOperator",
        image_uri=serving.IMAGE,
        model_url="s3://lab/model.tar.gz",
        package_group_name="lines",
    )
    assert lab.sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1
    arn = run("SageMakerCreateExperimentOperator", name="trials", tags={"team": "air"})
    assert lab.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "air"}]


def test_a_model_is_deleted(lab: Lab) -> None:
    """And not there afterwards."""
    lab.sagemaker.create_model(ModelName="gone", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    run("SageMakerDeleteModelOperator", config={"ModelName": "gone"})
    names = [one["ModelName"] for one in lab.sagemaker.list_models(NameContains="gone")["Models"]]
    assert names == []


def test_an_endpoint_configuration_is_created(lab: Lab) -> None:
    """By the operator that does just that."""
    lab.sagemaker.create_model(ModelName="configured", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    variant = serving.variant("configured")
    found = run(
        "SageMakerEndpointConfigOperator",
        config={"EndpointConfigName": "alone", "ProductionVariants": [variant]},
    )
    assert found["EndpointConfig"]["ProductionVariants"][0]["ModelName"] == "configured"


def test_a_notebook_instance_goes_through_its_states(lab: Lab) -> None:
    """Created and waited for, stopped, started, stopped and deleted: a real server each time."""
    name = {"instance_name": "desk"}

    def status() -> str:
        found: str = lab.sagemaker.describe_notebook_instance(NotebookInstanceName="desk")[
            "NotebookInstanceStatus"
        ]
        return found

    run("SageMakerCreateNotebookOperator", **name, instance_type="ml.t3.medium", role_arn=ROLE)
    assert status() == "InService"
    run("SageMakerStopNotebookOperator", **name)
    assert status() == "Stopped"
    run("SageMakerStartNoteBookOperator", **name)
    assert status() == "InService"
    run("SageMakerStopNotebookOperator", **name)
    run("SageMakerDeleteNotebookOperator", **name)
    assert lab.sagemaker.list_notebook_instances()["NotebookInstances"] == []


def test_automl_is_refused_by_name() -> None:
    """What the service does not do is told, not pretended."""
    with pytest.raises(Exception, match="CreateAutoMLJob"):
        run(
            "SageMakerAutoMLOperator",
            job_name="auto",
            s3_input="s3://lab/data",
            target_attribute="y",
            s3_output="s3://lab/out",
            role_arn=ROLE,
        )
