"""What a pipeline's steps and versions promise beyond one run: caches, retries, selections, versions."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit.jobs import IMAGE, ROLE, Lab
from sagemaker_kit.pipelines import create, ended, get, process, start, statuses, steps
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until


@pytest.fixture(scope="module")
def lab(start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A service that all tests here share, each with pipelines of its own."""
    path = tmp_path_factory.mktemp("image") / "image.toml"
    path.write_text(IMAGE)
    return Lab(start_shared_service("--image", str(path)))


def arn_of(lab: Lab, execution: str, step: str) -> str:
    """The ARN of the processing job that a step shows."""
    return str(steps(lab, execution)[step]["Metadata"]["ProcessingJob"]["Arn"])


def cached_steps() -> dict[str, Any]:
    """A pipeline of a step that is cached, one that fails, and one that reads the first one's output."""
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}
    script = {
        "Std:Join": {"On": "", "Values": ["echo ", get("Parameters.Word"), " > /opt/ml/processing/out/w"]}
    }
    reader = process("Uri", "true")
    reader["Arguments"]["Environment"]["URI"] = get(
        "Steps.Say.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"
    )
    return {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Word", "Type": "String", "DefaultValue": "one"}],
        "Steps": [process("Say", script, **cached), process("Never", "exit 1", **cached), reader],
    }


def test_a_cached_step_is_not_done_again(lab: Lab) -> None:
    """A later step reads the earlier execution's output; another argument, and a failure, are no hits."""
    lab.sagemaker.create_pipeline(
        PipelineName="cached", PipelineDefinition=json.dumps(cached_steps()), RoleArn=ROLE
    )
    first = start(lab, "cached")
    ended(lab, first)
    second = start(lab, "cached")
    ended(lab, second)
    other = start(lab, "cached", Word="two")
    ended(lab, other)
    seen = steps(lab, second)
    assert seen["Uri"]["StepStatus"] == "Succeeded", seen["Uri"].get("FailureReason")
    assert seen["Say"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    assert seen["Say"]["Metadata"] == steps(lab, first)["Say"]["Metadata"]
    assert "CacheHitResult" not in seen["Never"]
    assert "CacheHitResult" not in steps(lab, other)["Say"]
    job = lab.sagemaker.describe_processing_job(
        ProcessingJobName=arn_of(lab, second, "Uri").rpartition("/")[2]
    )
    assert job["Environment"]["URI"] == f"s3://lab/runs/{first.rpartition('/')[2]}/Say"
    lab.service.restart()
    third = start(lab, "cached")
    ended(lab, third)
    assert steps(lab, third)["Say"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first}


def test_what_is_too_old_is_done_again(lab: Lab) -> None:
    """ExpireAfter is counted from the earlier step's end."""
    create(lab, "old", [process("A", "true", CacheConfig={"Enabled": True, "ExpireAfter": "PT0S"})])
    runs = []
    for _ in range(2):
        runs.append(start(lab, "old"))
        ended(lab, runs[-1])
    assert "CacheHitResult" not in steps(lab, runs[1])["A"]
    assert arn_of(lab, runs[0], "A") != arn_of(lab, runs[1], "A")


def test_a_lost_job_is_tried_again_by_its_policy(lab: Lab, tmp_path: Path) -> None:
    """Its process vanished: the second try succeeds. A container's own failure is final."""
    mark = tmp_path / "mark"
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 0, "MaxAttempts": 2}
    script = f"[ -e {mark} ] || {{ touch {mark}; sleep 60; }}"
    create(
        lab,
        "lost",
        [process("A", script, RetryPolicies=[policy]), process("B", "exit 1", RetryPolicies=[policy])],
    )
    run = start(lab, "lost")
    until(mark.exists, "the beginning of the job")
    name = arn_of(lab, run, "A").rpartition("/")[2]
    record = lab.service.root / "jobs/processing-job" / name / "run/process.json"
    os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
    ended(lab, run)
    seen = steps(lab, run)
    assert (seen["A"]["StepStatus"], seen["A"]["AttemptCount"]) == ("Succeeded", 2)
    assert arn_of(lab, run, "A").rpartition("/")[2] != name
    assert (seen["B"]["StepStatus"], seen["B"]["AttemptCount"]) == ("Failed", 1)


def too_many(policy: dict[str, Any]) -> dict[str, Any]:
    """A step that asks for more instances than there are, and is tried again by a policy."""
    step = process("Many", "true", RetryPolicies=[policy])
    cluster = step["Arguments"]["ProcessingResources"]["ClusterConfig"]
    step["Arguments"]["ProcessingResources"] = {"ClusterConfig": {**cluster, "InstanceCount": 50}}
    return step


def test_retries_have_an_end(lab: Lab) -> None:
    """A limit that stays is met by every try; a retry of the execution begins to count anew."""
    policy = {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "IntervalSeconds": 0, "MaxAttempts": 1}
    step = too_many(policy)
    create(lab, "limited", [step])
    run = start(lab, "limited")
    assert ended(lab, run)["PipelineExecutionStatus"] == "Failed"
    found = steps(lab, run)["Many"]
    assert (found["AttemptCount"], "InstanceCount=50" in found["FailureReason"]) == (2, True)
    lab.sagemaker.retry_pipeline_execution(
        PipelineExecutionArn=run, ParallelismConfiguration={"MaxParallelExecutionSteps": 1}
    )
    described = ended(lab, run)
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}
    assert steps(lab, run)["Many"]["AttemptCount"] == 4


def test_a_stop_ends_the_wait_for_a_retry(lab: Lab) -> None:
    """At once, also when the next try is an hour away."""
    policy = {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "IntervalSeconds": 3600}
    step = too_many(policy)
    create(lab, "waiting", [step])
    run = start(lab, "waiting")
    until(lambda: statuses(lab, run) == {"Many": "Executing"}, "the first try")
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=run)
    assert ended(lab, run)["PipelineExecutionStatus"] == "Stopped"
    assert statuses(lab, run) == {"Many": "Stopped"}


@pytest.mark.parametrize(
    ("step", "values"),
    [
        (process("A", "true", RetryPolicies=[{"ExceptionType": ["No.SUCH"]}]), ("step A", "No.SUCH")),
        (process("A", "true", CacheConfig={"Enabled": True, "ExpireAfter": "soon"}), ("step A", "soon")),
        ({"Name": "F", "Type": "Fail", "RetryPolicies": [{}]}, ("step F", "type Fail")),
    ],
)
def test_rules_that_mean_nothing_are_refused(lab: Lab, step: dict[str, Any], values: tuple[str, ...]) -> None:
    """When the pipeline is created, not when it runs."""
    with refused("ValidationException", *values):
        create(lab, "refused", [step])


def test_selected_steps_run_on_an_earlier_executions_outputs(lab: Lab) -> None:
    """Only they are done; what they need is taken over, with the parameters; what is missing is told."""
    chain = [
        process("A", "true"),
        process("B", "true", DependsOn=["A"]),
        process("C", "true", DependsOn=["B"]),
    ]
    create(lab, "chosen", chain)
    source = start(lab, "chosen")
    ended(lab, source)
    config = {"SourcePipelineExecutionArn": source, "SelectedSteps": [{"StepName": "B"}]}
    client = lab.sagemaker
    run = client.start_pipeline_execution(PipelineName="chosen", SelectiveExecutionConfig=config)
    run = run["PipelineExecutionArn"]
    described = ended(lab, run)
    assert (described["PipelineExecutionStatus"], described["SelectiveExecutionConfig"]) == (
        "Succeeded",
        config,
    )
    seen = steps(lab, run)
    assert set(seen) == {"A", "B"}
    assert seen["A"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert arn_of(lab, run, "A") == arn_of(lab, source, "A")
    assert arn_of(lab, run, "B") != arn_of(lab, source, "B")
    for wrong, values in (
        ({"SelectedSteps": [{"StepName": "B"}]}, ("SourcePipelineExecutionArn", "need A")),
        ({**config, "SelectedSteps": [{"StepName": "Z"}]}, ("step Z",)),
    ):
        with refused("ValidationException", *values):
            client.start_pipeline_execution(PipelineName="chosen", SelectiveExecutionConfig=wrong)
    later = {**config, "SourcePipelineExecutionArn": run, "SelectedSteps": [{"StepName": "C"}]}
    client.start_pipeline_execution(PipelineName="chosen", SelectiveExecutionConfig=later)


def test_every_definition_is_a_version(lab: Lab) -> None:
    """Versions are listed, described, named and started; an execution tells which it had."""
    client = lab.sagemaker
    create(lab, "versions", [process("Old", "true")])
    definition = json.dumps({"Version": "2020-12-01", "Steps": [process("New", "true")]})
    updated = client.update_pipeline(PipelineName="versions", PipelineDefinition=definition)
    assert updated["PipelineVersionId"] == 2
    assert client.update_pipeline(PipelineName="versions", PipelineDescription="d")["PipelineVersionId"] == 2
    run = client.start_pipeline_execution(PipelineName="versions", PipelineVersionId=1)[
        "PipelineExecutionArn"
    ]
    assert ended(lab, run)["PipelineVersionId"] == 1
    assert set(statuses(lab, run)) == {"Old"}
    executed = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=run)
    assert '"Old"' in executed["PipelineDefinition"]
    client.update_pipeline_version(
        PipelineArn=updated["PipelineArn"], PipelineVersionId=1, PipelineVersionDisplayName="first"
    )
    listed = client.list_pipeline_versions(PipelineName="versions", SortOrder="Ascending")
    found = [
        (
            one["PipelineVersionId"],
            one.get("PipelineVersionDisplayName"),
            one.get("LastExecutionPipelineExecutionArn"),
        )
        for one in listed["PipelineVersionSummaries"]
    ]
    assert found == [(1, "first", run), (2, None, None)]
    old = client.describe_pipeline(PipelineName="versions", PipelineVersionId=1)
    assert ('"Old"' in old["PipelineDefinition"], old["PipelineVersionDisplayName"]) == (True, "first")
    assert '"New"' in client.describe_pipeline(PipelineName="versions")["PipelineDefinition"]
    with refused("ResourceNotFound", "version 3"):
        client.start_pipeline_execution(PipelineName="versions", PipelineVersionId=3)
    client.delete_pipeline(PipelineName="versions")
    create(lab, "versions", [])
    assert len(client.list_pipeline_versions(PipelineName="versions")["PipelineVersionSummaries"]) == 1


def test_an_execution_is_described_anew(lab: Lab) -> None:
    """Also when it has ended."""
    client = lab.sagemaker
    create(lab, "told", [])
    run = start(lab, "told")
    ended(lab, run)
    client.update_pipeline_execution(PipelineExecutionArn=run, PipelineExecutionDescription="changed")
    found = client.describe_pipeline_execution(PipelineExecutionArn=run)
    assert (found["PipelineExecutionDescription"], found["PipelineExecutionStatus"]) == (
        "changed",
        "Succeeded",
    )
