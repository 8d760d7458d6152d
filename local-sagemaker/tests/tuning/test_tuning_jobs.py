"""Tuning jobs through boto3, on training jobs that run."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import time
from typing import Any

import pytest

from sagemaker_kit.jobs import ROLE, Lab
from sagemaker_kit.refusals import refused

#: writes x squared, of the hyperparameter x, as its loss
SQUARE = (
    "python3 -S -c \"import json; h=json.load(open('/opt/ml/input/config/hyperparameters.json')); "
    "print('loss=%r' % float(h['x'])**2)\""
)
LOSS = [{"Name": "loss", "Regex": "loss=([-+0-9.e]+)"}]
RANGE = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "-1", "MaxValue": "3"}]}
CHOICES = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["3", "-1", "0.5"]}]}


def tune(lab: Lab, name: str, script: str = SQUARE, **config: Any) -> str:
    """Create a tuning job that minimizes the loss of `script`."""
    given = {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": RANGE,
        **config,
    }
    more = given.pop("more", {})
    arn: str = lab.sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig=given,
        TrainingJobDefinition=definition(script),
        **more,
    )["HyperParameterTuningJobArn"]
    return arn


def definition(script: str, **more: Any) -> dict[str, Any]:
    """How the training jobs of a tuning job are made."""
    return {
        "StaticHyperParameters": {"kept": "yes"},
        "AlgorithmSpecification": {
            "TrainingImage": "script:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": LOSS,
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://lab/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "Environment": {"SCRIPT": script},
        **more,
    }


def tuned(lab: Lab, name: str) -> Any:
    """The description of a tuning job that has ended."""
    deadline = time.monotonic() + 90
    while True:
        found = lab.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if found["HyperParameterTuningJobStatus"] not in {"InProgress", "Stopping"}:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def trainings(lab: Lab, name: str, **asked: Any) -> list[dict[str, Any]]:
    """The training jobs of a tuning job, by boto3's paginator."""
    pages = lab.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, PaginationConfig={"PageSize": 3}, **asked
    )
    return [item for page in pages for item in page["TrainingJobSummaries"]]


def value(summary: dict[str, Any]) -> float:
    """The objective of a training job."""
    found: float = summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return found


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_the_best_training_job_is_found(lab: Lab, strategy: str) -> None:
    """So many real jobs, the objective of each, and the one with the lowest."""
    arn = tune(lab, "t", Strategy=strategy)
    found = tuned(lab, "t")
    assert (found["HyperParameterTuningJobStatus"], found["HyperParameterTuningJobArn"]) == ("Completed", arn)
    assert found["TrainingJobStatusCounters"]["Completed"] == 4
    assert found["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    ranked = trainings(lab, "t", SortBy="FinalObjectiveMetricValue", SortOrder="Ascending")
    assert [value(one) for one in ranked] == sorted(
        float(one["TunedHyperParameters"]["x"]) ** 2 for one in ranked
    )
    assert found["BestTrainingJob"]["TrainingJobName"] == ranked[0]["TrainingJobName"]
    job = lab.sagemaker.describe_training_job(TrainingJobName=ranked[0]["TrainingJobName"])
    assert job["TuningJobArn"] == arn
    assert job["HyperParameters"] == {
        "kept": "yes",
        "_tuning_objective_metric": "loss",
        **ranked[0]["TunedHyperParameters"],
    }


@pytest.mark.parametrize("is_list", [False, True])
def test_a_description_says_what_the_sdk_reads(lab: Lab, *, is_list: bool) -> None:
    """The members that `attach` and `best_estimator` take for granted, for one definition or for several."""
    if is_list:
        goal = {"TuningObjective": {"Type": "Minimize", "MetricName": "loss"}, "HyperParameterRanges": RANGE}
        lab.sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="told",
            HyperParameterTuningJobConfig={
                "Strategy": "Random",
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            },
            TrainingJobDefinitions=[definition(SQUARE, DefinitionName="one", **goal)],
        )
    else:
        tune(lab, "told")
    told = lab.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="told")
    [given] = told["TrainingJobDefinitions"] if is_list else [told["TrainingJobDefinition"]]
    assert given["StaticHyperParameters"] == {"kept": "yes", "_tuning_objective_metric": "loss"}
    assert given["OutputDataConfig"] == {"KmsKeyId": "", "S3OutputPath": "s3://lab/out"}
    assert (given["EnableNetworkIsolation"], given["EnableManagedSpotTraining"]) == (False, False)
    assert told["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"] == "Off"


def test_a_grid_tries_every_choice(lab: Lab) -> None:
    """Without a number of jobs, since the grid has one."""
    tune(lab, "g", Strategy="Grid", ParameterRanges=CHOICES, ResourceLimits={"MaxParallelTrainingJobs": 2})
    assert tuned(lab, "g")["BestTrainingJob"]["TunedHyperParameters"] == {"x": "0.5"}
    assert sorted(one["TunedHyperParameters"]["x"] for one in trainings(lab, "g")) == ["-1", "0.5", "3"]


def test_a_seed_repeats_the_choice(lab: Lab) -> None:
    """The same seed, one job at a time: the same hyperparameters."""
    found = []
    for name in ("s1", "s2"):
        limits = {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1}
        tune(lab, name, RandomSeed=7, ResourceLimits=limits)
        tuned(lab, name)
        found.append([one["TunedHyperParameters"] for one in trainings(lab, name)])
    assert found[0] == found[1]


def test_a_tuning_job_without_a_success_fails(lab: Lab) -> None:
    """With SageMaker's reason, and the failures of its jobs to be seen."""
    tune(lab, "f", "exit 1")
    found = tuned(lab, "f")
    assert found["HyperParameterTuningJobStatus"] == "Failed"
    assert "All training jobs failed" in found["FailureReason"]
    assert found["TrainingJobStatusCounters"]["NonRetryableError"] == 4
    assert "BestTrainingJob" not in found
    assert all("exit code 1" in one["FailureReason"] for one in trainings(lab, "f", StatusEquals="Failed"))


def test_a_stop_ends_the_training_jobs(lab: Lab) -> None:
    """Nothing new is begun, what runs is stopped."""
    tune(lab, "stop", "sleep 60")
    deadline = time.monotonic() + 30
    while not trainings(lab, "stop"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    lab.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stop")
    assert tuned(lab, "stop")["HyperParameterTuningJobStatus"] == "Stopped"
    assert {one["TrainingJobStatus"] for one in trainings(lab, "stop")} == {"Stopped"}
    assert len(trainings(lab, "stop")) == 2
    with refused("ValidationException", "Stopped"):
        lab.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stop")


def test_a_tuning_job_goes_on_after_a_kill(lab: Lab) -> None:
    """Every job exactly once, whenever the service dies."""
    tune(
        lab,
        "k",
        f"sleep 0.2; {SQUARE}",
        ResourceLimits={"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 2},
    )
    for _ in range(3):
        time.sleep(0.4)
        lab.service.restart()
    assert tuned(lab, "k")["TrainingJobStatusCounters"]["Completed"] == 6
    names = [one["TrainingJobName"] for one in trainings(lab, "k")]
    listed = lab.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    assert sorted(names) == sorted(one["TrainingJobName"] for one in listed)
    assert len(names) == 6


def test_a_hopeless_job_is_stopped_early(lab: Lab) -> None:
    """Three good jobs, then one that reports badly and would go on for a minute."""
    script = (
        'x=$(sed \'s/.*"x": "\\([0-9]*\\)".*/\\1/\' /opt/ml/input/config/hyperparameters.json); '
        "echo loss=$x; echo loss=$x; if [ $x = 9 ]; then sleep 60; fi"
    )
    choices = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2", "3", "9"]}]}
    limits = {"MaxParallelTrainingJobs": 1}
    tune(
        lab,
        "e",
        script,
        Strategy="Grid",
        ParameterRanges=choices,
        ResourceLimits=limits,
        TrainingJobEarlyStoppingType="Auto",
    )
    found = tuned(lab, "e")
    assert found["HyperParameterTuningJobStatus"] == "Completed", found
    statuses = {one["TunedHyperParameters"]["x"]: one["TrainingJobStatus"] for one in trainings(lab, "e")}
    assert statuses == {"1": "Completed", "2": "Completed", "3": "Completed", "9": "Stopped"}


def test_a_warm_start_knows_what_its_parent_has_tried(lab: Lab) -> None:
    """A grid that the parent went through half is only finished."""
    half = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["3", "-1"]}]}
    limits = {"MaxParallelTrainingJobs": 2}
    tune(lab, "parent", Strategy="Grid", ParameterRanges=half, ResourceLimits=limits)
    tuned(lab, "parent")
    warm = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "parent"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    more = {"WarmStartConfig": warm}
    tune(lab, "child", Strategy="Grid", ParameterRanges=CHOICES, ResourceLimits=limits, more=more)
    tuned(lab, "child")
    assert [one["TunedHyperParameters"] for one in trainings(lab, "child")] == [{"x": "0.5"}]


def test_tuning_jobs_are_listed_tagged_and_deleted(lab: Lab) -> None:
    """The tags come to the training jobs as well."""
    arn = tune(lab, "l", more={"Tags": [{"Key": "team", "Value": "air"}]})
    tuned(lab, "l")
    [found] = lab.sagemaker.list_hyper_parameter_tuning_jobs(StatusEquals="Completed")[
        "HyperParameterTuningJobSummaries"
    ]
    assert (found["HyperParameterTuningJobName"], found["Strategy"]) == ("l", "Random")
    assert lab.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "air"}]
    training = trainings(lab, "l")[0]["TrainingJobArn"]
    assert lab.sagemaker.list_tags(ResourceArn=training)["Tags"] == [{"Key": "team", "Value": "air"}]
    found = lab.sagemaker.search(Resource="HyperParameterTuningJob")["Results"]
    assert [one["HyperParameterTuningJob"]["HyperParameterTuningJobArn"] for one in found] == [arn]
    with refused("ResourceInUse", arn):
        tune(lab, "l")
    lab.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="l")
    with refused("ValidationException", "Could not find", "job l"):
        tuned(lab, "l")


@pytest.mark.parametrize(
    ("config", "values"),
    [
        ({"Strategy": "Hyperband"}, ("Hyperband",)),
        ({"Strategy": "Grid"}, ("Grid", "CategoricalParameterRanges")),
        ({"ParameterRanges": {}}, ("Give ParameterRanges",)),
        (
            {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "auc"}},
            ("auc", "MetricDefinitions"),
        ),
        (
            {"ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 2}},
            ("MaxParallelTrainingJobs, 2", "MaxNumberOfTrainingJobs, 1"),
        ),
        (
            {"ResourceLimits": {"MaxParallelTrainingJobs": 2}},
            ("MaxNumberOfTrainingJobs", "MaxRuntimeInSeconds"),
        ),
        (
            {
                "ParameterRanges": {
                    "IntegerParameterRanges": [{"Name": "kept", "MinValue": "1", "MaxValue": "2"}]
                }
            },
            ("kept", "StaticHyperParameters"),
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused(lab: Lab, config: dict[str, Any], values: tuple[str, ...]) -> None:
    """Before anything runs."""
    with refused("ValidationException", *values):
        tune(lab, "no", **config)
    assert lab.sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
