"""Monitoring schedules and job definitions are kept as records, and say that nothing is run by them."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_kit.jobs import ROLE
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

ENDPOINT = {"EndpointName": "flights", "LocalPath": "/opt/ml/processing/input"}
OUTPUT = {
    "MonitoringOutputs": [
        {
            "S3Output": {
                "S3Uri": "s3://lab/out",
                "LocalPath": "/opt/ml/processing/out",
                "S3UploadMode": "EndOfJob",
            }
        }
    ]
}
CLUSTER = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}
TRUTH = {"GroundTruthS3Input": {"S3Uri": "s3://lab/truth"}}
#: type -> what its application and its input have besides
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "DataQuality": ({}, {}),
    "ModelQuality": ({"ProblemType": "Regression"}, TRUTH),
    "ModelBias": ({"ConfigUri": "s3://lab/config.json"}, TRUTH),
    "ModelExplainability": ({"ConfigUri": "s3://lab/config.json"}, {}),
}


def snake(name: str) -> str:
    """An operation's name as boto3 has it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_")


def define(client: Any, kind: str, name: str = "d") -> str:
    """Create a job definition of a type."""
    application, given = KINDS[kind]
    request = {
        "JobDefinitionName": name,
        f"{kind}AppSpecification": {"ImageUri": "monitor:1", **application},
        f"{kind}JobInput": {"EndpointInput": ENDPOINT, **given},
        f"{kind}JobOutputConfig": OUTPUT,
        "JobResources": CLUSTER,
        "RoleArn": ROLE,
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    arn: str = getattr(client, snake(f"Create{kind}JobDefinition"))(**request)["JobDefinitionArn"]
    return arn


def schedule(kind: str, expression: str = "cron(0 * ? * * *)") -> dict[str, Any]:
    """The configuration of a schedule of a definition."""
    timing = {"ScheduleExpression": expression}
    return {"ScheduleConfig": timing, "MonitoringJobDefinitionName": "d", "MonitoringType": kind}


@pytest.mark.parametrize("kind", KINDS)
def test_definitions_and_schedules_are_kept_and_run_nothing(sagemaker: Service, kind: str) -> None:
    """They are described as given, listed, updated, stopped, started and deleted, also after a restart."""
    client = sagemaker.sagemaker
    arn = define(client, kind)
    with refused("ResourceInUse", arn):
        define(client, kind)
    client.create_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=schedule(kind))
    sagemaker.restart()
    described = getattr(client, snake(f"Describe{kind}JobDefinition"))(JobDefinitionName="d")
    assert described["JobDefinitionArn"] == arn
    assert described[f"{kind}JobInput"]["EndpointInput"]["EndpointName"] == "flights"
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    [summary] = getattr(client, snake(f"List{kind}JobDefinitions"))(EndpointName="flights")[
        "JobDefinitionSummaries"
    ]
    assert (summary["MonitoringJobDefinitionArn"], summary["EndpointName"]) == (arn, "flights")
    seen = client.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert (seen["MonitoringScheduleStatus"], seen["MonitoringType"]) == ("Scheduled", kind)
    assert "runs nothing" in seen["FailureReason"]
    assert (seen["MonitoringScheduleConfig"], seen["EndpointName"]) == (schedule(kind), "flights")
    assert client.list_monitoring_executions(MonitoringScheduleName="s")["MonitoringExecutionSummaries"] == []
    client.stop_monitoring_schedule(MonitoringScheduleName="s")
    listed = client.list_monitoring_schedules(StatusEquals="Stopped", MonitoringTypeEquals=kind)
    assert [one["MonitoringScheduleName"] for one in listed["MonitoringScheduleSummaries"]] == ["s"]
    assert client.list_monitoring_schedules(EndpointName="x")["MonitoringScheduleSummaries"] == []
    client.start_monitoring_schedule(MonitoringScheduleName="s")
    changed = schedule(kind, "NOW")
    client.update_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=changed)
    seen = client.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert (seen["MonitoringScheduleStatus"], seen["MonitoringScheduleConfig"]) == ("Scheduled", changed)
    client.delete_monitoring_schedule(MonitoringScheduleName="s")
    getattr(client, snake(f"Delete{kind}JobDefinition"))(JobDefinitionName="d")
    with refused("ResourceNotFound", "monitoring-schedule/s"):
        client.describe_monitoring_schedule(MonitoringScheduleName="s")
    with refused("ResourceNotFound", arn):
        getattr(client, snake(f"Describe{kind}JobDefinition"))(JobDefinitionName="d")


def test_a_schedule_names_what_it_runs(sagemaker: Service) -> None:
    """One definition, that there is."""
    client = sagemaker.sagemaker
    for config, code in (
        (schedule("DataQuality"), "ResourceNotFound"),
        ({"ScheduleConfig": {"ScheduleExpression": "NOW"}}, "ValidationException"),
    ):
        with refused(code):
            client.create_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=config)
    inline = {
        "MonitoringInputs": [{"EndpointInput": ENDPOINT}],
        "MonitoringOutputConfig": OUTPUT,
        "MonitoringResources": CLUSTER,
        "MonitoringAppSpecification": {"ImageUri": "monitor:1"},
        "RoleArn": ROLE,
    }
    config = {"ScheduleConfig": {"ScheduleExpression": "NOW"}, "MonitoringJobDefinition": inline}
    client.create_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=config)
    seen = client.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert (seen["MonitoringScheduleConfig"], seen["EndpointName"]) == (config, "flights")
