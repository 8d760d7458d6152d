"""Training jobs through boto3: what the container sees, how jobs end, what they leave."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused


def channel(name: str, uri: str, kind: str = "S3Prefix") -> dict[str, Any]:
    """A channel of a training job."""
    place = {"S3DataType": kind, "S3Uri": uri}
    return {"ChannelName": name, "DataSource": {"S3DataSource": place}}


def test_a_job_that_ends_well_is_completed_and_leaves_its_model(lab: Lab) -> None:
    """What is in /opt/ml/model becomes model.tar.gz under the output path."""
    lab.train("good", "mkdir /opt/ml/model/code; echo 1 > /opt/ml/model/a; echo 2 > /opt/ml/model/code/b")
    found = lab.trained("good")
    assert found["TrainingJobStatus"] == "Completed"
    assert found["SecondaryStatus"] == "Completed"
    assert found["ModelArtifacts"] == {"S3ModelArtifacts": "s3://lab/out/good/output/model.tar.gz"}
    assert lab.unpacked("out/good/output/model.tar.gz") == {"a": "1\n", "code/b": "2\n"}
    assert "FailureReason" not in found


def test_a_description_says_what_the_sdk_reads(lab: Lab) -> None:
    """The members that `attach` takes for granted are there, as given or as SageMaker's defaults."""
    switches = (
        "EnableNetworkIsolation",
        "EnableInterContainerTrafficEncryption",
        "EnableManagedSpotTraining",
    )
    lab.train("plain", "true")
    output = {"S3OutputPath": "s3://lab/out", "KmsKeyId": "key"}
    lab.train("said", "true", OutputDataConfig=output, EnableNetworkIsolation=True)
    plain, said = (lab.sagemaker.describe_training_job(TrainingJobName=name) for name in ("plain", "said"))
    assert (plain["OutputDataConfig"]["KmsKeyId"], [plain[name] for name in switches]) == ("", [False] * 3)
    assert (said["OutputDataConfig"], [said[name] for name in switches]) == (output, [True, False, False])


def test_a_job_passes_through_sagemakers_secondary_states(lab: Lab) -> None:
    """Every transition has a message, all but the last were left, and times are in order."""
    lab.train("states", "true")
    found = lab.trained("states")
    transitions = found["SecondaryStatusTransitions"]
    names = [item["Status"] for item in transitions]
    assert names == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(item["StatusMessage"] for item in transitions)
    assert len({item["StatusMessage"] for item in transitions}) == len(transitions)
    times = [item["StartTime"] for item in transitions]
    assert times == sorted(times)
    assert found["CreationTime"] <= found["TrainingStartTime"] <= found["TrainingEndTime"]


def test_a_container_sees_its_configuration(lab: Lab) -> None:
    """Hyperparameters, channels, resources and environment are where SageMaker puts them."""
    lab.put(data__a_csv="1\n")
    script = "cd /opt/ml/input/config; "
    script += "for f in hyperparameters inputdataconfig resourceconfig; do cat $f.json; echo; done; "
    script += 'echo "$TRAINING_JOB_NAME $TRAINING_JOB_ARN $AWS_REGION"'
    arn = lab.train(
        "config",
        script,
        HyperParameters={"depth": "3"},
        InputDataConfig=[channel("train", "s3://lab/data/") | {"ContentType": "text/csv"}],
    )
    lab.trained("config")
    parameters, data, resources, environment = lab.lines("TrainingJobs", "config")
    assert json.loads(parameters) == {"depth": "3"}
    assert json.loads(data) == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    assert json.loads(resources)["hosts"] == ["algo-1"]
    assert json.loads(resources)["current_host"] == "algo-1"
    assert environment == f"config {arn} us-east-1"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://lab/data/", ["deep/c.csv", "train.csv", "trial.csv"]),
        ("s3://lab/data", ["deep/c.csv", "train.csv", "trial.csv"]),
        ("s3://lab/data/tra", ["train.csv"]),
        ("s3://lab/data/tr", ["train.csv", "trial.csv"]),
        ("s3://lab/data/deep/c.csv", ["c.csv"]),
    ],
)
def test_a_prefix_gives_its_objects_as_files(lab: Lab, uri: str, expected: list[str]) -> None:
    """A prefix may be a folder, a part of a key, or one key; the files lie beneath the folder it is in."""
    lab.put(data__train_csv="1\n", data__trial_csv="2\n", data__deep__c_csv="3\n", other_csv="4\n")
    script = "cd /opt/ml/input/data/train; find . -type f | sort | sed s,^./,,"
    lab.train("prefix", script, InputDataConfig=[channel("train", uri)])
    assert lab.trained("prefix")["TrainingJobStatus"] == "Completed"
    assert lab.lines("TrainingJobs", "prefix") == expected


def test_a_manifest_names_the_objects_of_a_channel(lab: Lab) -> None:
    """Names in a manifest are relative to its prefix, in the channel as in S3."""
    lab.put(data__a_csv="1\n", data__deep__c_csv="3\n", data__d_csv="4\n")
    lab.put(manifest=json.dumps([{"prefix": "s3://lab/data/"}, "a.csv", "deep/c.csv"]))
    script = "cd /opt/ml/input/data/train; find . -type f | sort"
    lab.train("manifest", script, InputDataConfig=[channel("train", "s3://lab/manifest", "ManifestFile")])
    assert lab.trained("manifest")["TrainingJobStatus"] == "Completed"
    assert lab.lines("TrainingJobs", "manifest") == ["./a.csv", "./deep/c.csv"]


def test_a_container_may_change_its_input_and_the_object_stays(lab: Lab) -> None:
    """A channel behaves as a download does: writing, deleting and renaming touch the job's copy alone."""
    lab.put(data__a_csv="1\n", data__b_csv="2\n")
    script = "cd /opt/ml/input/data/train; echo more >> a.csv; rm b.csv; cat a.csv; ls"
    lab.train("writes", script, InputDataConfig=[channel("train", "s3://lab/data/")])
    assert lab.trained("writes")["TrainingJobStatus"] == "Completed"
    assert lab.lines("TrainingJobs", "writes") == ["1", "more", "a.csv"]
    assert (lab.read("data/a.csv"), lab.read("data/b.csv")) == (b"1\n", b"2\n")


def test_other_output_becomes_output_tar_gz(lab: Lab) -> None:
    """What is in /opt/ml/output/data is kept beside the model."""
    lab.train("output", "echo report > /opt/ml/output/data/report.txt")
    lab.trained("output")
    assert lab.unpacked("out/output/output/output.tar.gz") == {"report.txt": "report\n"}


def test_metrics_are_read_from_the_log(lab: Lab) -> None:
    """The last value of each definition is kept; what is no number, or never came, is left out."""
    definitions = [
        {"Name": "loss", "Regex": "loss=(\\S+)"},
        {"Name": "never", "Regex": "never=(\\S+)"},
    ]
    algorithm = {"TrainingImage": "script:1", "TrainingInputMode": "File", "MetricDefinitions": definitions}
    lab.train(
        "metrics", "echo loss=0.5; echo loss=0.25 >&2; echo loss=soon", AlgorithmSpecification=algorithm
    )
    metrics = lab.trained("metrics")["FinalMetricDataList"]
    assert [(item["MetricName"], item["Value"]) for item in metrics] == [("loss", 0.25)]
    now = datetime.now(UTC)
    found = lab.service.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": "metrics"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=7200,
        Statistics=["SampleCount", "Average"],
    )["Datapoints"]
    # the hours may change between the two lines
    assert sum(point["SampleCount"] for point in found) == 2
    assert sum(point["SampleCount"] * point["Average"] for point in found) == 0.75


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo no rows > /opt/ml/output/failure; exit 3", "AlgorithmError: no rows, exit code: 3"),
        ("echo Traceback: boom; exit 2", "exit code 2. The last lines of its log: Traceback: boom"),
        ("kill -9 $$", "was ended by signal 9 (SIGKILL)"),
        ("kill -SEGV $$", "was ended by signal 11 (SIGSEGV)"),
        ("exit 1", "exit code 1. It has written nothing to its log."),
    ],
)
def test_a_container_that_fails_is_failed_with_the_reason(lab: Lab, script: str, reason: str) -> None:
    """The reason is the failure file, else the exit status and the end of the log; there is no model."""
    lab.train("bad", script)
    found = lab.trained("bad")
    assert found["TrainingJobStatus"] == found["SecondaryStatus"] == "Failed"
    assert reason in found["FailureReason"]
    assert found["SecondaryStatusTransitions"][-1]["Status"] == "Failed"
    assert lab.keys("out/") == []


def test_a_long_failure_is_cut(lab: Lab) -> None:
    """FailureReason has at most 1,024 characters."""
    lab.train("long", "head -c 5000 /dev/zero | tr '\\0' x > /opt/ml/output/failure; exit 1")
    reason = lab.trained("long")["FailureReason"]
    assert len(reason) == 1024
    assert reason.endswith(", exit code: 1")


def test_bytes_that_are_no_utf8_reach_the_log_replaced(lab: Lab) -> None:
    """A container may print anything; neither the job nor the log fails for it."""
    lab.train(
        "bytes",
        "printf 'a\\377b\\n\\300\\200\\n'; printf 'end'; printf 'bad\\377' > /opt/ml/output/failure; exit 1",
    )
    found = lab.trained("bytes")
    assert found["FailureReason"] == "AlgorithmError: bad\ufffd, exit code: 1"
    assert lab.lines("TrainingJobs", "bytes") == ["a\ufffdb", "\ufffd\ufffd", "end"]


def test_an_unknown_image_fails_the_job_and_names_the_known(lab: Lab) -> None:
    """As on AWS the request is accepted, and the job fails."""
    algorithm = {"TrainingImage": "nowhere/xgboost:3", "TrainingInputMode": "File"}
    lab.train("image", "true", AlgorithmSpecification=algorithm)
    found = lab.trained("image")
    assert found["TrainingJobStatus"] == "Failed"
    assert (
        "ClientError: No local environment is known for the image 'nowhere/xgboost:3'"
        in found["FailureReason"]
    )
    assert "script:*" in found["FailureReason"]


@pytest.mark.parametrize(
    ("uri", "kind", "reason"),
    [
        ("s3://lab/nothing/", "S3Prefix", "No S3 objects found under S3 URL 's3://lab/nothing/'"),
        ("s3://lab/nothing", "ManifestFile", "No S3 objects found under S3 URL 's3://lab/nothing'"),
        ("s3://lab/broken", "ManifestFile", "is not valid"),
        ("s3://lab/dangling", "ManifestFile", "No S3 objects found under S3 URL 's3://lab/x/gone.csv'"),
        ("s3://no-such-bucket/x", "S3Prefix", "does not exist"),
    ],
)
def test_input_that_is_not_there_fails_the_job(lab: Lab, uri: str, kind: str, reason: str) -> None:
    """The reason names the URI, as on AWS."""
    lab.put(broken="{", dangling=json.dumps([{"prefix": "s3://lab/x/"}, "gone.csv"]))
    lab.train("input", "true", InputDataConfig=[channel("train", uri, kind)])
    found = lab.trained("input")
    assert found["TrainingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("ClientError: ")
    assert reason in found["FailureReason"]


def test_an_output_bucket_that_is_not_there_fails_the_job(lab: Lab) -> None:
    """A job whose model cannot be kept is no success."""
    lab.train("nowhere", "true", OutputDataConfig={"S3OutputPath": "s3://no-such-bucket/out"})
    found = lab.trained("nowhere")
    assert found["TrainingJobStatus"] == "Failed"
    assert "s3://no-such-bucket/out/nowhere/output/model.tar.gz" in found["FailureReason"]


@pytest.mark.parametrize("script", ["trap 'exit 0' TERM; ", "trap '' TERM; ", ""])
def test_a_stopped_job_is_stopped_and_keeps_what_it_wrote(lab: Lab, script: str) -> None:
    """SIGTERM first, SIGKILL when the grace is over; either way Stopped, with its artifact."""
    lab.train("stopped", f"{script} echo 1 > /opt/ml/model/a; echo ready; while :; do sleep 0.05; done")
    lab.training("stopped")
    lab.sagemaker.stop_training_job(TrainingJobName="stopped")
    assert lab.sagemaker.describe_training_job(TrainingJobName="stopped")["TrainingJobStatus"] in {
        "Stopping",
        "Stopped",
    }
    found = lab.trained("stopped")
    assert found["TrainingJobStatus"] == found["SecondaryStatus"] == "Stopped"
    assert found["FailureReason"] == "The job was stopped by a request."
    assert lab.unpacked("out/stopped/output/model.tar.gz") == {"a": "1\n"}


def test_a_job_that_runs_too_long_is_stopped(lab: Lab) -> None:
    """MaxRuntimeInSeconds ends a job as Stopped, and says why."""
    lab.train("slow", "exec sleep 60", StoppingCondition={"MaxRuntimeInSeconds": 1})
    found = lab.trained("slow")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "MaxRuntimeInSeconds" in found["FailureReason"]


def test_a_job_that_has_ended_cannot_be_stopped(lab: Lab) -> None:
    """The answer says which state it ended in."""
    lab.train("over", "true")
    lab.trained("over")
    with refused("ValidationException", "Completed"):
        lab.sagemaker.stop_training_job(TrainingJobName="over")


def test_a_name_can_be_taken_once(lab: Lab) -> None:
    """Submitting twice is impossible: the second request is refused."""
    lab.train("once", "true")
    with refused("ResourceInUse", "training-job/once"):
        lab.train("once", "true")


def test_a_missing_job_is_a_validation_exception(lab: Lab) -> None:
    """Operators and waiters need this code."""
    with refused("ValidationException", "Could not find", "nobody"):
        lab.sagemaker.describe_training_job(TrainingJobName="nobody")


@pytest.mark.parametrize(
    ("request_", "member"),
    [
        (
            {"InputDataConfig": [channel("a", "s3://lab/x"), channel("a", "s3://lab/x")]},
            "InputDataConfig has a, a",
        ),
        ({"AlgorithmSpecification": {"AlgorithmName": "a", "TrainingInputMode": "File"}}, "TrainingImage"),
        ({"CheckpointConfig": {"S3Uri": "s3://lab/c", "LocalPath": "/etc"}}, "CheckpointConfig"),
    ],
)
def test_what_is_not_emulated_is_refused(lab: Lab, request_: dict[str, Any], member: str) -> None:
    """Nothing is accepted that would be done differently here."""
    with refused("ValidationException", member):
        lab.train("refused", "true", **request_)


def test_boto3s_waiter_sees_the_end(lab: Lab) -> None:
    """The waiter that AWS ships works, for the good end and the bad."""
    lab.train("wait", "true")
    waiter = lab.sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName="wait", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    lab.train("wait-bad", "exit 1")
    with pytest.raises(WaiterError) as caught:
        waiter.wait(TrainingJobName="wait-bad", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    found: Any = caught.value.last_response
    assert found["TrainingJobStatus"] == "Failed"


def test_what_a_container_leaves_running_ends_with_it(lab: Lab) -> None:
    """A background process neither holds the job back nor outlives it."""
    lab.train("children", "(trap '' TERM HUP; sleep 1000; echo late) & echo $!; exit 0")
    assert lab.trained("children")["TrainingJobStatus"] == "Completed"
    assert len(lab.lines("TrainingJobs", "children")) == 1
