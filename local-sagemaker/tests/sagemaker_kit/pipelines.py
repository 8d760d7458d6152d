"""Pipelines as the tests define them, and short ways to run them."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import json
from typing import Any

from sagemaker_kit import serving
from sagemaker_kit.jobs import ROLE, Lab

RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}


def get(path: str) -> dict[str, str]:
    """A reference."""
    return {"Get": path}


def process(name: str, script: Any, **more: Any) -> dict[str, Any]:
    """A processing step that runs a script and uploads what it writes to $OUT."""
    output = {
        "S3Uri": {
            "Std:Join": {"On": "/", "Values": ["s3://lab/runs", get("Execution.PipelineExecutionId"), name]}
        },
        "LocalPath": "/opt/ml/processing/out",
        "S3UploadMode": "EndOfJob",
    }
    arguments = {
        "AppSpecification": {"ImageUri": "script:1"},
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": RESOURCES},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
        "Environment": {"SCRIPT": script},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


TRAIN = {
    "Name": "Train",
    "Type": "Training",
    "Arguments": {
        "AlgorithmSpecification": {"TrainingImage": "script:1", "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": {"depth": get("Parameters.Depth")},
        "OutputDataConfig": {"S3OutputPath": "s3://lab/models"},
        "ResourceConfig": RESOURCES,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": get("Steps.Prepare.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"),
                    }
                },
            }
        ],
        "Environment": {"SCRIPT": "cp /opt/ml/input/data/train/rows.csv /opt/ml/model/name.txt"},
    },
}
CONTAINER = {
    "Image": serving.IMAGE,
    "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
}
GOOD = [
    {
        "Name": "Model",
        "Type": "Model",
        "Arguments": {"PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE},
    },
    {
        "Name": "Score",
        "Type": "Transform",
        "Arguments": {
            "ModelName": get("Steps.Model.ModelName"),
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": get("Parameters.Batch")}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {"S3OutputPath": "s3://lab/scored"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    },
    {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "lines",
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {
                "Containers": [CONTAINER],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        },
    },
]
BAD = [
    {
        "Name": "TooBad",
        "Type": "Fail",
        "Arguments": {
            "ErrorMessage": {"Std:Join": {"On": " ", "Values": ["Below", get("Parameters.Floor")]}}
        },
    }
]
REPORT = [{"PropertyFileName": "report", "OutputName": "out", "FilePath": "report.json"}]
WHOLE = {
    "Version": "2020-12-01",
    "Parameters": [
        {"Name": "Depth", "Type": "Integer", "DefaultValue": 3},
        {"Name": "Floor", "Type": "Float", "DefaultValue": 0.5},
        {"Name": "Batch", "Type": "String", "DefaultValue": "s3://lab/batch"},
    ],
    "Steps": [
        process("Prepare", "echo 1,2 > /opt/ml/processing/out/rows.csv"),
        TRAIN,
        process(
            "Evaluate",
            'echo \'{"metrics": {"auc": 0.7}}\' > /opt/ml/processing/out/report.json',
            DependsOn=["Train"],
            PropertyFiles=REPORT,
        ),
        {
            "Name": "IsGood",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [
                    {
                        "Type": "GreaterThanOrEqualTo",
                        "LeftValue": {
                            "Std:JsonGet": {
                                "PropertyFile": get("Steps.Evaluate.PropertyFiles.report"),
                                "Path": "metrics.auc",
                            }
                        },
                        "RightValue": get("Parameters.Floor"),
                    }
                ],
                "IfSteps": GOOD,
                "ElseSteps": BAD,
            },
        },
    ],
}


def create(lab: Lab, name: str, steps: list[Any] | None = None, **more: Any) -> str:
    """Create a pipeline, of the whole definition or of these steps."""
    definition = WHOLE if steps is None else {"Version": "2020-12-01", "Steps": steps}
    arn: str = lab.sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE, **more
    )["PipelineArn"]
    return arn


def start(lab: Lab, name: str, **parameters: str) -> str:
    """Start an execution."""
    given = [{"Name": key, "Value": value} for key, value in parameters.items()]
    arn: str = lab.sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)[
        "PipelineExecutionArn"
    ]
    return arn


def ended(lab: Lab, arn: str) -> dict[str, Any]:
    """The description of an execution that has ended."""

    def found() -> Any:
        seen = lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return None if seen["PipelineExecutionStatus"] in {"Executing", "Stopping"} else seen

    return serving.until(found, "the end of the execution", 90)  # type: ignore[no-any-return]  # boto3's dict


def steps(lab: Lab, arn: str) -> dict[str, dict[str, Any]]:
    """The steps of an execution by name, by boto3's paginator."""
    pages = lab.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"PageSize": 3}
    )
    return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}


def statuses(lab: Lab, arn: str) -> dict[str, str]:
    """The status of every step that was begun."""
    return {name: step["StepStatus"] for name, step in steps(lab, arn).items()}
