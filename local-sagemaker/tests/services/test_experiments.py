"""Experiments, trials and components are kept, changed, found and deleted."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit import serving
from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service


@pytest.fixture
def client(sagemaker: Service) -> Any:
    """A client, with the trials t1 and t2 of the experiment `delays`, and a component of t1."""
    made = sagemaker.sagemaker
    made.create_experiment(
        ExperimentName="delays", Description="late or not", Tags=[{"Key": "k", "Value": "v"}]
    )
    for name in ("t1", "t2"):
        made.create_trial(TrialName=name, ExperimentName="delays")
    made.create_trial_component(
        TrialComponentName="fit",
        Parameters={"depth": {"NumberValue": 7.0}, "loss": {"StringValue": "log"}},
        Status={"PrimaryStatus": "InProgress"},
    )
    made.associate_trial_component(TrialComponentName="fit", TrialName="t1")
    return made


def names(summaries: list[dict[str, Any]], noun: str) -> list[str]:
    """The names in a page."""
    return [one[f"{noun}Name"] for one in summaries]


def test_trials_and_components_are_found_by_what_they_belong_to(client: Any) -> None:
    """By experiment, by trial, by component."""
    listed = client.list_trials(ExperimentName="delays", SortBy="Name", SortOrder="Ascending")
    assert names(listed["TrialSummaries"], "Trial") == ["t1", "t2"]
    assert names(client.list_trials(TrialComponentName="fit")["TrialSummaries"], "Trial") == ["t1"]
    for asked, expected in (({"TrialName": "t1"}, ["fit"]), ({"TrialName": "t2"}, []), ({}, ["fit"])):
        found = client.list_trial_components(**asked)["TrialComponentSummaries"]
        assert names(found, "TrialComponent") == expected
    assert names(client.list_experiments(MaxResults=1)["ExperimentSummaries"], "Experiment") == ["delays"]


def test_components_are_searched_by_what_they_belong_to(client: Any) -> None:
    """As the SDKs' analytics do; a component that was taken out is not found any more."""
    client.create_trial_component(TrialComponentName="stray")
    described = client.describe_trial_component(TrialComponentName="stray")
    assert [described[name] for name in ("Parameters", "InputArtifacts", "OutputArtifacts")] == [{}, {}, {}]

    def found(experiment: str) -> list[tuple[str, Any]]:
        wanted = {"Name": "Parents.ExperimentName", "Operator": "Equals", "Value": experiment}
        result = client.search(Resource="ExperimentTrialComponent", SearchExpression={"Filters": [wanted]})
        components = [one["TrialComponent"] for one in result["Results"]]
        return [(one["TrialComponentName"], one["Parents"]) for one in components]

    assert found("delays") == [("fit", [{"TrialName": "t1", "ExperimentName": "delays"}])]
    assert found("others") == []
    client.disassociate_trial_component(TrialComponentName="fit", TrialName="t1")
    assert found("delays") == []


def test_components_are_found_by_their_source(client: Any) -> None:
    """A component that no job made has no source."""
    arn = "arn:aws:sagemaker:us-east-1:000000000000:training-job/none"
    assert client.list_trial_components()["TrialComponentSummaries"] != []
    assert client.list_trial_components(SourceArn=arn)["TrialComponentSummaries"] == []


def ended(sagemaker: Service, name: str) -> dict[str, Any]:
    """The component of a job that has ended."""

    def found() -> Any:
        seen = sagemaker.sagemaker.describe_trial_component(TrialComponentName=name)
        return None if seen["Status"]["PrimaryStatus"] == "InProgress" else seen

    return serving.until(found, f"the end of {name}")  # type: ignore[no-any-return]  # boto3's dict


@pytest.mark.parametrize("script", ["echo loss=0.25", "exit 3"])
def test_a_job_with_an_experiment_is_a_component_of_its_trial(
    start_service: Callable[..., Service], image: Path, script: str
) -> None:
    """With its parameters, artifacts, metrics and status; the job's end completes it, whenever that is."""
    lab = Lab(start_service("--image", str(image)))
    client, status = lab.sagemaker, "Failed" if script == "exit 3" else "Completed"
    client.create_experiment(ExperimentName="e")
    client.create_trial(ExperimentName="e", TrialName="t")
    metrics = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    algorithm = {"TrainingImage": "script:1", "TrainingInputMode": "File", "MetricDefinitions": metrics}
    config = {"ExperimentName": "e", "TrialName": "t", "TrialComponentDisplayName": "fit"}
    more = {"AlgorithmSpecification": algorithm, "HyperParameters": {"depth": "3", "kind": "a"}}
    arn = lab.train("j", f"sleep 1; {script}", ExperimentConfig=config, **more)
    lab.service.restart()
    seen = ended(lab.service, "j-aws-training-job")
    assert (seen["DisplayName"], seen["Status"]["PrimaryStatus"]) == ("fit", status)
    assert seen["Source"] == {"SourceArn": arn, "SourceType": "SageMakerTrainingJob"}
    assert seen["Parameters"]["depth"] == {"NumberValue": 3.0}
    assert seen["Parameters"]["kind"] == {"StringValue": "a"}
    assert seen["EndTime"] >= seen["StartTime"]
    shown = {metric["MetricName"]: metric["Last"] for metric in seen.get("Metrics", [])}
    assert shown == ({"loss": 0.25} if status == "Completed" else {})
    model = lab.trained("j").get("ModelArtifacts", {}).get("S3ModelArtifacts")
    assert seen["OutputArtifacts"].get("SageMaker.ModelArtifact", {}).get("Value") == (model or None)
    for asked in ({"TrialName": "t"}, {"ExperimentName": "e"}, {"SourceArn": arn}):
        listed = client.list_trial_components(**asked)["TrialComponentSummaries"]
        assert names(listed, "TrialComponent") == ["j-aws-training-job"]


def test_a_job_needs_the_experiment_that_it_names(sagemaker: Service) -> None:
    """Nothing is kept of a job that is refused; without a trial's name it gets a trial of its own."""
    lab = Lab(sagemaker)
    with refused("ResourceNotFound", "Experiment none not found"):
        lab.process("p", "true", ExperimentConfig={"ExperimentName": "none"})
    with refused("ResourceNotFound", "Trial none not found"):
        lab.process("p", "true", ExperimentConfig={"TrialName": "none"})
    assert lab.sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []
    lab.sagemaker.create_experiment(ExperimentName="e")
    lab.process("p", "true", ExperimentConfig={"ExperimentName": "e"})
    trials = names(lab.sagemaker.list_trials(ExperimentName="e")["TrialSummaries"], "Trial")
    assert trials == ["p-aws-processing-job"]


def test_a_component_is_completed(client: Any, sagemaker: Service) -> None:
    """Parameters and artifacts are added and taken away; a restart changes nothing."""
    client.update_trial_component(
        TrialComponentName="fit",
        Status={"PrimaryStatus": "Completed"},
        Parameters={"rate": {"NumberValue": 0.5}},
        ParametersToRemove=["loss"],
        OutputArtifacts={"model": {"Value": "s3://lab/m.tar.gz"}},
    )
    sagemaker.restart()
    found = client.describe_trial_component(TrialComponentName="fit")
    assert found["Parameters"] == {"depth": {"NumberValue": 7.0}, "rate": {"NumberValue": 0.5}}
    assert found["Status"] == {"PrimaryStatus": "Completed"}
    assert found["OutputArtifacts"]["model"]["Value"] == "s3://lab/m.tar.gz"
    search = {"Filters": [{"Name": "Parameters.rate.NumberValue", "Operator": "LessThan", "Value": "1"}]}
    [result] = client.search(Resource="ExperimentTrialComponent", SearchExpression=search)["Results"]
    assert result["TrialComponent"]["TrialComponentName"] == "fit"


def test_what_has_parts_is_not_deleted(client: Any) -> None:
    """From the component up, each can go when nothing holds it."""
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: client.delete_experiment(ExperimentName="delays"), "experiment delays"),
        (lambda: client.delete_trial(TrialName="t1"), "trial t1"),
        (lambda: client.delete_trial_component(TrialComponentName="fit"), "is part of t1"),
        (lambda: client.create_experiment(ExperimentName="delays"), "delays"),
    ]
    for call, value in calls:
        with refused("ValidationException", value):
            call()
    client.disassociate_trial_component(TrialComponentName="fit", TrialName="t1")
    client.delete_trial_component(TrialComponentName="fit")
    for name in ("t1", "t2"):
        client.delete_trial(TrialName=name)
    client.delete_experiment(ExperimentName="delays")
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.describe_experiment(ExperimentName="delays")
