"""Pipelines through boto3, on jobs that run."""

# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit import serving
from sagemaker_kit.jobs import ROLE, Lab
from sagemaker_kit.pipelines import RESOURCES, create, ended, get, process, start, statuses, steps
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service


@pytest.fixture
def lab(start_service: Callable[..., Service], image: Path, tmp_path: Path) -> Lab:
    """A service with the image whose container runs the environment's SCRIPT, and the model that echoes."""
    echo = serving.image(tmp_path / "echo")
    return Lab(start_service("--image", str(image), "--image", str(echo)))


def test_a_whole_pipeline_runs(lab: Lab) -> None:
    """Prepare, train, evaluate; the condition holds: model, batch transform, registration."""
    lab.put(batch__in_csv="a,b\n")
    pipeline = create(lab, "whole")
    arn = start(lab, "whole", Depth="7")
    found = ended(lab, arn)
    seen = steps(lab, arn)
    reasons = {
        name: step.get("FailureReason") for name, step in seen.items() if step["StepStatus"] != "Succeeded"
    }
    assert found["PipelineExecutionStatus"] == "Succeeded", reasons
    assert (found["PipelineArn"], arn.startswith(f"{pipeline}/execution/")) == (pipeline, True)
    names = ["Prepare", "Train", "Evaluate", "IsGood", "Model", "Register", "Score"]
    assert sorted(seen) == sorted(names)
    assert {step["StepStatus"] for step in seen.values()} == {"Succeeded"}
    assert seen["IsGood"]["Metadata"]["Condition"]["Outcome"] == "True"
    job = seen["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    described = lab.sagemaker.describe_training_job(TrainingJobName=job)
    assert described["HyperParameters"] == {"depth": "7"}
    assert lab.unpacked(f"models/{job}/output/model.tar.gz") == {"name.txt": "1,2\n"}
    assert lab.read("scored/in.csv.out") == b"3,a\n"
    package = seen["Register"]["Metadata"]["RegisterModel"]["Arn"]
    registered = lab.sagemaker.describe_model_package(ModelPackageName=package)
    assert registered["ModelApprovalStatus"] == "Approved"
    parameters = lab.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert parameters["PipelineParameters"] == [{"Name": "Depth", "Value": "7"}]


def test_the_other_branch_fails_with_its_message(lab: Lab) -> None:
    """The condition does not hold; nothing of the first branch is begun."""
    create(lab, "whole")
    arn = start(lab, "whole", Floor="0.9")
    found = ended(lab, arn)
    assert (found["PipelineExecutionStatus"], found["FailureReason"]) == ("Failed", "Below 0.9")
    assert set(statuses(lab, arn)) == {"Prepare", "Train", "Evaluate", "IsGood", "TooBad"}
    assert steps(lab, arn)["TooBad"]["Metadata"]["Fail"]["ErrorMessage"] == "Below 0.9"


def test_a_failed_step_holds_up_what_waits_for_it_alone(lab: Lab) -> None:
    """Then a retry carries out again what has not succeeded."""
    bad = process("Bad", "exit 3")
    create(lab, "part", [process("Good", "true"), bad, process("Later", "true", DependsOn=["Bad"])])
    arn = start(lab, "part")
    found = ended(lab, arn)
    assert found["PipelineExecutionStatus"] == "Failed"
    assert found["FailureReason"] == "Step failure: One or multiple steps failed."
    assert statuses(lab, arn) == {"Good": "Succeeded", "Bad": "Failed"}
    assert "exit code 3" in steps(lab, arn)["Bad"]["FailureReason"]
    first = steps(lab, arn)
    lab.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    ended(lab, arn)
    again = steps(lab, arn)
    assert again["Good"] == first["Good"]
    assert (again["Bad"]["AttemptCount"], again["Bad"]["Metadata"] != first["Bad"]["Metadata"]) == (2, True)


def test_a_stop_ends_the_jobs(lab: Lab) -> None:
    """An execution that has ended cannot be stopped, in the words that clients know."""
    create(lab, "long", [process("Sleep", "sleep 60"), process("Never", "true", DependsOn=["Sleep"])])
    arn = start(lab, "long")
    serving.until(lambda: statuses(lab, arn), "a first step")
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert ended(lab, arn)["PipelineExecutionStatus"] == "Stopped"
    assert statuses(lab, arn) == {"Sleep": "Stopped"}
    with refused("ValidationException", "'Executing'"):
        lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_an_execution_goes_on_after_a_kill(lab: Lab) -> None:
    """Every step once, whenever the service dies."""
    chain = [process("S0", "sleep 0.3")]
    chain += [process(f"S{number}", "sleep 0.3", DependsOn=[f"S{number - 1}"]) for number in range(1, 4)]
    create(lab, "chain", chain)
    arn = start(lab, "chain")
    for _ in range(3):
        time.sleep(0.5)
        lab.service.restart()
    assert ended(lab, arn)["PipelineExecutionStatus"] == "Succeeded"
    jobs = lab.sagemaker.list_processing_jobs(MaxResults=100)["ProcessingJobSummaries"]
    assert len(jobs) == len(chain)


def test_an_expression_without_a_value_fails_its_step(lab: Lab) -> None:
    """With the expression in the reason."""
    create(lab, "wrong", [process("A", "true"), process("B", get("Steps.A.FailureReason"))])
    arn = start(lab, "wrong")
    assert ended(lab, arn)["PipelineExecutionStatus"] == "Failed"
    assert "Steps.A.FailureReason" in steps(lab, arn)["B"]["FailureReason"]


@pytest.mark.parametrize("member", ["Condition", "Expression"])
def test_a_condition_is_turned_round(lab: Lab, member: str) -> None:
    """Not, as the SDKs write it, and as they wrote it."""
    equal = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    fails = {"Name": "Never", "Type": "Fail", "Arguments": {"ErrorMessage": "turned"}}
    arguments = {"Conditions": [{"Type": "Not", member: equal}], "IfSteps": [fails], "ElseSteps": []}
    create(lab, "turned", [{"Name": "If", "Type": "Condition", "Arguments": arguments}])
    arn = start(lab, "turned")
    assert ended(lab, arn)["PipelineExecutionStatus"] == "Succeeded"
    assert steps(lab, arn)["If"]["Metadata"]["Condition"]["Outcome"] == "False"


TUNE = {
    "Name": "Tune",
    "Type": "Tuning",
    "Arguments": {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["3", "1", "2"]}]},
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": "script:1",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://lab/models"},
            "ResourceConfig": RESOURCES,
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "Environment": {
                "SCRIPT": 'sed -E \'s/.*"x": *"([0-9])".*/loss=\\1/\' '
                "/opt/ml/input/config/hyperparameters.json; touch /opt/ml/model/m"
            },
        },
    },
}


def test_the_best_models_of_a_tuning_step_are_referred_to(lab: Lab) -> None:
    """Best first, as the SDKs' get_top_model_s3_uri names them."""
    top = [get(f"Steps.Tune.TrainingJobSummaries[{number}].TrainingJobName") for number in range(3)]
    script = {"Std:Join": {"On": "; echo ", "Values": ["true", *top]}}
    create(lab, "tuned", [TUNE, process("Show", script)])
    arn = start(lab, "tuned")
    assert ended(lab, arn)["PipelineExecutionStatus"] == "Succeeded", steps(lab, arn)
    job = steps(lab, arn)["Show"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    ranked = lab.lines("ProcessingJobs", job)
    values = [
        lab.sagemaker.describe_training_job(TrainingJobName=name)["HyperParameters"]["x"] for name in ranked
    ]
    assert values == ["1", "2", "3"]


def delete_experiment(client: Any, experiment: str) -> int:
    """Delete an experiment as the Airflow provider's DAGs do; return how many components it had."""
    count = 0
    for trial in client.list_trials(ExperimentName=experiment)["TrialSummaries"]:
        name = trial["TrialName"]
        for component in client.list_trial_components(TrialName=name)["TrialComponentSummaries"]:
            key = {"TrialComponentName": component["TrialComponentName"]}
            client.disassociate_trial_component(TrialName=name, **key)
            client.delete_trial_component(**key)
            count += 1
        client.delete_trial(TrialName=name)
    client.delete_experiment(ExperimentName=experiment)
    return count


def test_executions_and_tuning_jobs_have_experiments(lab: Lab) -> None:
    """A trial for each execution, with a component for each of its jobs; they are deleted one by one."""
    config = {
        "ExperimentName": get("Execution.PipelineName"),
        "TrialName": get("Execution.PipelineExecutionId"),
    }
    show = process(
        "A", {"Std:Join": {"On": " ", "Values": ["echo", get("PipelineExperimentConfig.TrialName")]}}
    )
    whole = {"Version": "2020-12-01", "PipelineExperimentConfig": config, "Steps": [show, TUNE]}
    lab.sagemaker.create_pipeline(PipelineName="traced", PipelineDefinition=json.dumps(whole), RoleArn=ROLE)
    runs = [start(lab, "traced") for _ in range(2)]
    assert {ended(lab, arn)["PipelineExecutionStatus"] for arn in runs} == {"Succeeded"}
    listed = lab.sagemaker.list_trials(ExperimentName="traced")["TrialSummaries"]
    trials = {one["TrialName"] for one in listed}
    assert trials == {arn.rpartition("/")[2] for arn in runs}
    metadata = [steps(lab, runs[0])[name]["Metadata"] for name in ("A", "Tune")]
    job, tuning = (next(iter(one.values()))["Arn"].rpartition("/")[2] for one in metadata)
    assert lab.lines("ProcessingJobs", job) == [runs[0].rpartition("/")[2]]
    assert delete_experiment(lab.sagemaker, f"{tuning}-aws-tuning-job") == 3
    assert delete_experiment(lab.sagemaker, "traced") == 2


def test_the_names_of_a_trial_must_be_names(lab: Lab) -> None:
    """What no trial can be called is refused when the execution is started."""
    config = {"ExperimentName": "e", "TrialName": get("Parameters.Name")}
    whole = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Name", "Type": "String"}],
        "PipelineExperimentConfig": config,
        "Steps": [],
    }
    lab.sagemaker.create_pipeline(PipelineName="named", PipelineDefinition=json.dumps(whole), RoleArn=ROLE)
    with refused("ValidationException", "PipelineExperimentConfig.TrialName", "a b"):
        start(lab, "named", Name="a b")


def wrong(step: dict[str, Any], **arguments: object) -> dict[str, Any]:
    """A step with other arguments."""
    return {**step, "Arguments": {**step["Arguments"], **arguments}}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (wrong(process("A", "true"), Colour="red"), "Colour"),
        (wrong(process("A", "true"), RoleArn=None), "RoleArn is missing"),
        (wrong(process("A", "true"), AppSpecification="script:1"), "AppSpecification"),
        (wrong(process("A", "true"), Environment={"a": []}), "Environment.a"),
        (wrong(process("A", "true"), StoppingCondition={"MaxRuntimeInSeconds": 0}), "greater than or equal"),
        (
            wrong(process("A", "true"), ProcessingInputs=[{"InputName": "x", "AppManaged": True}]),
            "AppManaged",
        ),
        (process("A", get("Steps.P.Nothing")), "'Steps.P.Nothing'"),
        (process("A", get("Steps.P.ProcessingOutputConfig.Outputs['out'].S3Uri")), "Outputs"),
        (process("A", get("Parameters.None")), "'Parameters.None'"),
    ],
)
def test_steps_are_checked_when_a_pipeline_is_created_or_changed(
    sagemaker: Service, step: dict[str, Any], message: str
) -> None:
    """By the operation that carries a step out, with the step's name; the pipeline stays as it was."""
    client, before = sagemaker.sagemaker, process("P", "true")
    text = json.dumps({"Version": "2020-12-01", "Steps": [before, step]})
    with refused("ValidationException", "The step A: ", message):
        client.create_pipeline(PipelineName="wrong", PipelineDefinition=text, RoleArn=ROLE)
    good = json.dumps({"Version": "2020-12-01", "Steps": [process("A", "true")]})
    client.create_pipeline(PipelineName="wrong", PipelineDefinition=good, RoleArn=ROLE)
    with refused("ValidationException", "The step A: ", message):
        client.update_pipeline(PipelineName="wrong", PipelineDefinition=text)
    assert client.describe_pipeline(PipelineName="wrong")["PipelineDefinition"] == good


def test_steps_beside_each_other_are_limited(lab: Lab) -> None:
    """Never more than ParallelismConfiguration says."""
    many = [process(f"S{number}", "sleep 0.2") for number in range(3)]
    create(lab, "slow", many, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    arn = start(lab, "slow")
    assert ended(lab, arn)["PipelineExecutionStatus"] == "Succeeded"
    seen = sorted(steps(lab, arn).values(), key=lambda step: step["StartTime"])
    assert all(one["EndTime"] <= two["StartTime"] for one, two in pairwise(seen))


def test_pipelines_are_listed_changed_and_deleted(lab: Lab) -> None:
    """With the words and codes of AWS."""
    client = lab.sagemaker
    create(lab, "air-a", [process("A", "true")], Tags=[{"Key": "k", "Value": "v"}])
    create(lab, "air-b", [])
    with refused("ValidationException", "(air-a)"):
        create(lab, "air-a", [])
    listed = client.list_pipelines(
        PipelineNamePrefix="air", SortBy="Name", SortOrder="Ascending", MaxResults=1
    )
    assert [one["PipelineName"] for one in listed["PipelineSummaries"]] == ["air-a"]
    listed = client.list_pipelines(
        PipelineNamePrefix="air", SortBy="Name", SortOrder="Ascending", NextToken=listed["NextToken"]
    )
    assert [one["PipelineName"] for one in listed["PipelineSummaries"]] == ["air-b"]
    token = {"ClientRequestToken": "t" * 32}
    arns = {
        client.start_pipeline_execution(PipelineName="air-b", **token)["PipelineExecutionArn"]
        for _ in range(2)
    }
    assert len(arns) == 1
    assert ended(lab, arns.pop())["PipelineExecutionStatus"] == "Succeeded"
    [run] = client.list_pipeline_executions(PipelineName="air-b")["PipelineExecutionSummaries"]
    assert run["PipelineExecutionStatus"] == "Succeeded"
    client.update_pipeline(PipelineName="air-a", PipelineDescription="changed")
    described = client.describe_pipeline(PipelineName="air-a")
    assert (described["PipelineDescription"], described["PipelineStatus"]) == ("changed", "Active")
    [found] = client.search(
        Resource="Pipeline",
        SearchExpression={"Filters": [{"Name": "Tags.k", "Operator": "Equals", "Value": "v"}]},
    )["Results"]
    assert found["Pipeline"]["PipelineName"] == "air-a"
    client.delete_pipeline(PipelineName="air-a")
    with refused("ResourceNotFound", "/air-a"):
        client.describe_pipeline(PipelineName="air-a")
