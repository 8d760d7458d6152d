"""Processing jobs through boto3: inputs, outputs, messages, endings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused

BASE = "/opt/ml/processing"


def source(name: str, uri: str, path: str = "", kind: str = "S3Prefix") -> dict[str, Any]:
    """An input of a processing job."""
    place = {
        "S3Uri": uri,
        "LocalPath": path or f"{BASE}/input/{name}",
        "S3DataType": kind,
        "S3InputMode": "File",
    }
    return {"InputName": name, "S3Input": place}


def target(name: str, uri: str, path: str = f"{BASE}/output") -> dict[str, Any]:
    """The outputs of a processing job."""
    place = {"S3Uri": uri, "LocalPath": path, "S3UploadMode": "EndOfJob"}
    return {"Outputs": [{"OutputName": name, "S3Output": place}]}


def test_a_job_turns_inputs_into_outputs(lab: Lab) -> None:
    """Inputs lie at their LocalPath, the output's folder is there, what is in it is uploaded."""
    lab.put(data__a_csv="1\n", data__deep__b_csv="2\n")
    lab.process(
        "copy",
        f"cd {BASE}; mkdir output/sub; cp input/data/a.csv output/a; cp input/data/deep/b.csv output/sub/b",
        ProcessingInputs=[source("data", "s3://lab/data/")],
        ProcessingOutputConfig=target("out", "s3://lab/out/x/"),
    )
    found = lab.processed("copy")
    assert found["ProcessingJobStatus"] == "Completed"
    assert lab.keys("out/") == ["out/x/a", "out/x/sub/b"]
    assert (lab.read("out/x/a"), lab.read("out/x/sub/b")) == (b"1\n", b"2\n")
    assert found["CreationTime"] <= found["ProcessingStartTime"] <= found["ProcessingEndTime"]


def test_a_container_sees_the_request_that_made_it(lab: Lab) -> None:
    """processingjobconfig.json echoes the request; resourceconfig.json names the host."""
    script = "cd /opt/ml/config; for f in processingjobconfig resourceconfig; do cat $f.json; echo; done; "
    script += "echo $PROCESSING_JOB_NAME"
    lab.process("config", script)
    lab.processed("config")
    request, resources, name = lab.lines("ProcessingJobs", "config")
    assert json.loads(request)["AppSpecification"] == {"ImageUri": "script:1"}
    assert "ProcessingJobStatus" not in json.loads(request)
    assert json.loads(resources)["hosts"] == ["algo-1"]
    assert name == "config"


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        ({"ContainerEntrypoint": ["process"], "ContainerArguments": ["a b", "c"]}, ["a b", "c"]),
        ({"ContainerEntrypoint": ["printf", "%s\\n"], "ContainerArguments": ["x", "y"]}, ["x", "y"]),
        ({"ContainerArguments": ["z"]}, ["z"]),
    ],
)
def test_entry_point_and_arguments_are_the_requests_or_the_images(
    lab: Lab, application: dict[str, Any], expected: list[str]
) -> None:
    """A word that names an entry point of the image means that one; any other is a program."""
    lab.process(
        "words",
        'for word in "$@"; do echo "$word"; done',
        AppSpecification={"ImageUri": "script:1", **application},
    )
    assert lab.processed("words")["ProcessingJobStatus"] == "Completed"
    assert lab.lines("ProcessingJobs", "words") == expected


def test_a_program_that_is_not_there_fails_the_job(lab: Lab) -> None:
    """The log and the reason name it."""
    lab.process(
        "typo", "true", AppSpecification={"ImageUri": "script:1", "ContainerEntrypoint": ["/no/such"]}
    )
    found = lab.processed("typo")
    assert found["ProcessingJobStatus"] == "Failed"
    assert "exit code 127" in found["FailureReason"]
    assert "Cannot start /no/such" in found["FailureReason"]


def test_an_exit_message_is_kept_when_the_job_completes(lab: Lab) -> None:
    """/opt/ml/output/message is ExitMessage."""
    lab.process("message", "echo 842 rows > /opt/ml/output/message")
    found = lab.processed("message")
    assert (found["ProcessingJobStatus"], found["ExitMessage"]) == ("Completed", "842 rows")


def test_a_failed_job_says_why_and_uploads_nothing(lab: Lab) -> None:
    """The message is both ExitMessage and part of the reason; half an output is no output."""
    lab.process(
        "refused",
        f"echo half > {BASE}/output/a; echo no rows > /opt/ml/output/message; exit 1",
        ProcessingOutputConfig=target("out", "s3://lab/out/"),
    )
    found = lab.processed("refused")
    assert found["ProcessingJobStatus"] == "Failed"
    assert (found["ExitMessage"], found["FailureReason"]) == (
        "no rows",
        "AlgorithmError: no rows, exit code: 1",
    )
    assert lab.keys("out/") == []


def test_an_input_inside_an_output_is_uploaded_with_it(lab: Lab) -> None:
    """A job may complete a folder in place."""
    lab.put(data__a_csv="1\n")
    lab.process(
        "place",
        f"echo 2 > {BASE}/both/b.csv",
        ProcessingInputs=[source("data", "s3://lab/data/", f"{BASE}/both")],
        ProcessingOutputConfig=target("out", "s3://lab/out", f"{BASE}/both"),
    )
    assert lab.processed("place")["ProcessingJobStatus"] == "Completed"
    assert lab.keys("out/") == ["out/a.csv", "out/b.csv"]


def test_symbolic_links_are_not_uploaded(lab: Lab) -> None:
    """A link could lead anywhere on the machine."""
    script = f"echo 1 > {BASE}/output/a; ln -s /etc/hostname {BASE}/output/b; ln -s / {BASE}/output/c"
    lab.process("links", script, ProcessingOutputConfig=target("out", "s3://lab/out"))
    assert lab.processed("links")["ProcessingJobStatus"] == "Completed"
    assert lab.keys("out/") == ["out/a"]


def test_a_manifest_names_the_objects_of_an_input(lab: Lab) -> None:
    """Names in the manifest are the paths below LocalPath."""
    lab.put(clean__1__a_csv="1\n", clean__2__a_csv="2\n", clean__3__a_csv="3\n")
    lab.put(manifest=json.dumps([{"prefix": "s3://lab/clean/"}, "1/a.csv", "3/a.csv"]))
    lab.process(
        "manifest",
        f"cd {BASE}/input/clean; find . -type f | sort",
        ProcessingInputs=[source("clean", "s3://lab/manifest", kind="ManifestFile")],
    )
    assert lab.processed("manifest")["ProcessingJobStatus"] == "Completed"
    assert lab.lines("ProcessingJobs", "manifest") == ["./1/a.csv", "./3/a.csv"]


def test_an_input_that_is_not_there_fails_the_job(lab: Lab) -> None:
    """The reason names the input and the URI."""
    lab.process("missing", "true", ProcessingInputs=[source("data", "s3://lab/nothing/")])
    found = lab.processed("missing")
    assert found["ProcessingJobStatus"] == "Failed"
    assert "No S3 objects found under S3 URL 's3://lab/nothing/'" in found["FailureReason"]
    assert "input data" in found["FailureReason"]


def test_an_unknown_image_fails_the_job(lab: Lab) -> None:
    """The reason names the image and what is known."""
    lab.process("image", "true", AppSpecification={"ImageUri": "nowhere:1"})
    found = lab.processed("image")
    assert found["ProcessingJobStatus"] == "Failed"
    assert "'nowhere:1' (known patterns: script:*, " in found["FailureReason"]


def test_a_stopped_job_is_stopped(lab: Lab) -> None:
    """The container is told by SIGTERM."""
    lab.process("stopped", "trap 'echo told; exit 1' TERM; echo ready; while :; do sleep 0.05; done")
    while not lab.lines("ProcessingJobs", "stopped"):
        pass
    lab.sagemaker.stop_processing_job(ProcessingJobName="stopped")
    found = lab.processed("stopped")
    assert (found["ProcessingJobStatus"], found["FailureReason"]) == (
        "Stopped",
        "The job was stopped by a request.",
    )
    lines = lab.lines("ProcessingJobs", "stopped")
    # between them the shell tells that its `sleep` was ended too: the whole group gets the signal
    assert (lines[0], lines[-1]) == ("ready", "told")


def test_a_job_that_runs_too_long_is_stopped(lab: Lab) -> None:
    """MaxRuntimeInSeconds counts from the container's start."""
    lab.process("slow", "exec sleep 60", StoppingCondition={"MaxRuntimeInSeconds": 1})
    found = lab.processed("slow")
    assert found["ProcessingJobStatus"] == "Stopped"
    assert "MaxRuntimeInSeconds" in found["FailureReason"]


@pytest.mark.parametrize(
    "request_",
    [
        {"ProcessingInputs": [source("a", "s3://lab/x", "/etc")]},
        {"ProcessingInputs": [source("a", "s3://lab/x", f"{BASE}/../../etc")]},
        {"ProcessingOutputConfig": target("o", "s3://lab/x", "/tmp/x")},  # noqa: S108 (refused)
    ],
)
def test_paths_outside_the_containers_folder_are_refused(lab: Lab, request_: dict[str, Any]) -> None:
    """A job cannot make the service write elsewhere."""
    with refused("ValidationException", "LocalPath"):
        lab.process("refused", "true", **request_)


def test_boto3s_waiter_and_the_missing_job(lab: Lab) -> None:
    """The waiter stops at the end; a missing job is a ValidationException."""
    lab.process("wait", "true")
    waiter = lab.sagemaker.get_waiter("processing_job_completed_or_stopped")
    waiter.wait(ProcessingJobName="wait", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    with refused("ValidationException"):
        lab.sagemaker.describe_processing_job(ProcessingJobName="nobody")
