"""What is in the world that made-up requests are sent to."""

from __future__ import annotations

import json
from typing import Any

BUCKET = "lab"
ROLE = "arn:aws:iam::000000000000:role/any"
#: a lifecycle configuration whose scripts fail, so that no instance with it gets as far as a JupyterLab
FAILING = "failing"

RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
SOURCE = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/rows"}}
METRICS = [{"Name": "loss", "Regex": "loss=([-+0-9.e]+)"}]
TRAINING: dict[str, Any] = {
    "AlgorithmSpecification": {
        "TrainingImage": "script:1",
        "TrainingInputMode": "File",
        "MetricDefinitions": METRICS,
    },
    "RoleArn": ROLE,
    "InputDataConfig": [{"ChannelName": "train", "DataSource": SOURCE}],
    "OutputDataConfig": {"S3OutputPath": "s3://lab/out"},
    "ResourceConfig": RESOURCES,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
PROCESSING: dict[str, Any] = {
    "AppSpecification": {"ImageUri": "script:1"},
    "RoleArn": ROLE,
    "ProcessingResources": {"ClusterConfig": RESOURCES},
    "ProcessingInputs": [
        {
            "InputName": "rows",
            "S3Input": {
                "S3Uri": "s3://lab/rows",
                "LocalPath": "/opt/ml/processing/rows",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ],
}
TRANSFORM: dict[str, Any] = {
    "ModelName": "echo",
    "TransformInput": {"DataSource": SOURCE, "ContentType": "text/csv", "SplitType": "Line"},
    "TransformOutput": {"S3OutputPath": "s3://lab/scored"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
TUNING: dict[str, Any] = {
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "-1", "MaxValue": "3"}]},
    },
    "TrainingJobDefinition": {name: given for name, given in TRAINING.items() if name != "InputDataConfig"},
}
CONDITION = {"Type": "Equals", "LeftValue": {"Get": "Parameters.Mode"}, "RightValue": "quick"}
FLOW = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Mode", "Type": "String", "DefaultValue": "quick"}],
    "Steps": [
        {"Name": "Prepare", "Type": "Processing", "Arguments": PROCESSING},
        {
            "Name": "Choose",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [CONDITION],
                "IfSteps": [{"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
                "ElseSteps": [],
            },
        },
    ],
}
SPECIFICATION = {
    "Containers": [{"Image": "script:1", "ModelDataUrl": "s3://lab/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
VARIANT = {
    "VariantName": "main",
    "ModelName": "scripted",
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
}
ALARM: dict[str, Any] = {
    "AlarmName": "late",
    "Namespace": "flights",
    "MetricName": "delay",
    "Statistic": "Average",
    "Period": 10,
    "EvaluationPeriods": 1,
    "Threshold": 10.0,
    "ComparisonOperator": "GreaterThanThreshold",
}

OBJECTS: list[tuple[str, dict[str, Any]]] = [
    ("PutObject", {"Bucket": BUCKET, "Key": "rows/a.csv", "Body": b"1,2\n", "Metadata": {"k": "v"}}),
    ("PutObject", {"Bucket": BUCKET, "Key": "rows/b.csv", "Body": b"3,4\n", "Tagging": "k=v"}),
    ("PutObject", {"Bucket": BUCKET, "Key": "caf\u00e9 \u202e", "Body": b""}),
    ("GetObject", {"Bucket": BUCKET, "Key": "rows/a.csv", "Range": "bytes=0-1"}),
    (
        "CopyObject",
        {"Bucket": BUCKET, "Key": "copied", "CopySource": "lab/rows/a.csv", "CopySourceIfMatch": "*"},
    ),
    ("ListObjectsV2", {"Bucket": BUCKET, "MaxKeys": 1}),
    ("ListObjects", {"Bucket": BUCKET, "MaxKeys": 1, "Delimiter": "/"}),
]
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "sagemaker",
        "CreateModel",
        {"ModelName": "scripted", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "script:1"}},
    ),
    (
        "sagemaker",
        "CreateEndpointConfig",
        {"EndpointConfigName": "scripted", "ProductionVariants": [VARIANT]},
    ),
    ("sagemaker", "DescribeEndpoint", {"EndpointName": "now"}),
    ("sagemaker", "DescribeEndpoint", {"EndpointName": "later"}),
    ("sagemaker", "CreateTrainingJob", {"TrainingJobName": "fit", **TRAINING}),
    ("sagemaker", "CreateProcessingJob", {"ProcessingJobName": "split", **PROCESSING}),
    ("sagemaker", "CreateTransformJob", {"TransformJobName": "score", **TRANSFORM}),
    ("sagemaker", "CreateHyperParameterTuningJob", {"HyperParameterTuningJobName": "tune", **TUNING}),
    (
        "sagemaker",
        "CreatePipeline",
        {"PipelineName": "flow", "PipelineDefinition": json.dumps(FLOW), "RoleArn": ROLE},
    ),
    ("sagemaker", "CreateExperiment", {"ExperimentName": "delays", "Tags": [{"Key": "k", "Value": "v"}]}),
    ("sagemaker", "CreateTrial", {"TrialName": "first", "ExperimentName": "delays"}),
    (
        "sagemaker",
        "CreateTrialComponent",
        {"TrialComponentName": "part", "Parameters": {"depth": {"NumberValue": 7.0}}},
    ),
    ("sagemaker", "AssociateTrialComponent", {"TrialComponentName": "part", "TrialName": "first"}),
    ("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "group"}),
    (
        "sagemaker",
        "CreateModelPackage",
        {"ModelPackageGroupName": "group", "InferenceSpecification": SPECIFICATION},
    ),
    (
        "sagemaker",
        "Search",
        {
            "Resource": "ExperimentTrialComponent",
            "SearchExpression": {
                "Filters": [{"Name": "Parents.ExperimentName", "Operator": "Equals", "Value": "delays"}]
            },
        },
    ),
    ("cloudwatch", "PutMetricAlarm", ALARM),
    (
        "cloudwatch",
        "PutMetricData",
        {"Namespace": "flights", "MetricData": [{"MetricName": "delay", "Value": 1.0, "Unit": "None"}]},
    ),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "now", "Body": b"1", "ContentType": "text/csv"}),
]
#: operations that list what there is, and need no parameters
LISTS = (
    *("ListModels", "ListEndpoints", "ListEndpointConfigs", "ListExperiments", "ListTrials"),
    *("ListTrialComponents", "ListModelPackageGroups", "ListModelPackages", "ListPipelines"),
    *("ListTrainingJobs", "ListProcessingJobs", "ListTransformJobs", "ListHyperParameterTuningJobs"),
    *("ListNotebookInstances", "ListNotebookInstanceLifecycleConfigs"),
)
