"""Jobs of several instances, pipes, checkpoints and outputs that are put while a job runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused

TWO = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}


def channel(name: str, uri: str, distribution: str = "FullyReplicated", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A channel over a prefix."""
    place = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": distribution}
    return {"ChannelName": name, "DataSource": {"S3DataSource": place}, **more}


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def test_instances_run_side_by_side_and_share_sharded_data(lab: Lab) -> None:
    """Each sees itself and all hosts, its share of a sharded channel and all of a replicated one."""
    lab.put(parts__a="1", parts__b="2", parts__c="3")
    script = (
        "config=/opt/ml/input/config/resourceconfig.json; out=/opt/ml/model;"
        'host=$(sed \'s/.*current_host": "\\([a-z0-9-]*\\)".*/\\1/\' $config);'
        "for name in shard all; do ls /opt/ml/input/data/$name > $out/$host.$name; done;"
        "cp $config $out/$host.json; echo I am $host"
    )
    channels = [channel("shard", "s3://lab/parts", "ShardedByS3Key"), channel("all", "s3://lab/parts")]
    lab.train("two", script, ResourceConfig=TWO, InputDataConfig=channels)
    found = lab.trained("two")
    assert found["TrainingJobStatus"] == "Completed", found["FailureReason"]
    files = lab.unpacked("out/two/output/model.tar.gz")
    assert (files["algo-1.shard"].split(), files["algo-2.shard"].split()) == (["a", "c"], ["b"])
    assert files["algo-1.all"] == files["algo-2.all"] == "a\nb\nc\n"
    second = json.loads(files["algo-2.json"])
    assert (second["current_host"], second["hosts"]) == ("algo-2", ["algo-1", "algo-2"])
    assert sorted(lab.lines("TrainingJobs", "two")) == ["I am algo-1", "I am algo-2"]


def test_one_failing_instance_fails_the_job(lab: Lab) -> None:
    """The others are ended, and its reason is the job's."""
    script = (
        "if grep -q 'current_host\": \"algo-2' /opt/ml/input/config/resourceconfig.json; then "
        "echo second is broken > /opt/ml/output/failure; exit 3; fi; exec sleep 60"
    )
    lab.train("half", script, ResourceConfig=TWO)
    found = lab.trained("half")
    assert found["TrainingJobStatus"] == "Failed"
    assert found["FailureReason"] == "AlgorithmError: second is broken, exit code: 3"


def test_a_job_of_instances_is_stopped_and_survives_a_kill_of_the_service(lab: Lab) -> None:
    """All its processes end by the stop."""
    lab.train("long", "echo begun; exec sleep 60", ResourceConfig=TWO)
    eventually(lambda: lab.lines("TrainingJobs", "long") == ["begun"] * 2, "both have begun")
    lab.service.restart()
    lab.sagemaker.stop_training_job(TrainingJobName="long")
    assert lab.trained("long")["TrainingJobStatus"] == "Stopped"


def test_processing_instances_put_their_outputs_together(lab: Lab) -> None:
    """Into one prefix, from shares of one input."""
    lab.put(parts__a="1", parts__b="2")
    place = {
        "S3Uri": "s3://lab/parts",
        "LocalPath": "/opt/ml/processing/in",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "ShardedByS3Key",
    }
    output = {"S3Uri": "s3://lab/copied", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    lab.process(
        "copy",
        "cp /opt/ml/processing/in/* /opt/ml/processing/out/",
        ProcessingResources={"ClusterConfig": TWO},
        ProcessingInputs=[{"InputName": "in", "S3Input": place}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "out", "S3Output": output}]},
    )
    assert lab.processed("copy")["ProcessingJobStatus"] == "Completed"
    assert lab.keys("copied") == ["copied/a", "copied/b"]


def test_a_pipe_gives_the_objects_of_every_epoch(lab: Lab) -> None:
    """One FIFO for each epoch, with the objects one behind the other."""
    lab.put(parts__a="one\n", parts__b="two\n")
    script = "for epoch in 0 1; do cat /opt/ml/input/data/train_$epoch > /opt/ml/model/$epoch; done"
    lab.train("pipe", script, InputDataConfig=[channel("train", "s3://lab/parts", InputMode="Pipe")])
    found = lab.trained("pipe")
    assert found["TrainingJobStatus"] == "Completed", found["FailureReason"]
    assert lab.unpacked("out/pipe/output/model.tar.gz") == {"0": "one\ntwo\n", "1": "one\ntwo\n"}


def test_checkpoints_are_put_while_the_job_runs_and_restored_to_the_next(lab: Lab) -> None:
    """A job that is killed in the middle goes on where the last one was."""
    config = {"CheckpointConfig": {"S3Uri": "s3://lab/checkpoints/run"}}
    lab.train("first", "echo 7 > /opt/ml/checkpoints/step; exec sleep 60", **config)
    eventually(lambda: lab.keys("checkpoints") == ["checkpoints/run/step"], "the checkpoint is in S3")
    lab.sagemaker.stop_training_job(TrainingJobName="first")
    lab.trained("first")
    script = "cp /opt/ml/checkpoints/step /opt/ml/model/seen; echo 8 > /opt/ml/checkpoints/step"
    lab.train("second", script, **config)
    assert lab.trained("second")["TrainingJobStatus"] == "Completed"
    assert lab.unpacked("out/second/output/model.tar.gz") == {"seen": "7\n"}
    assert lab.read("checkpoints/run/step") == b"8\n"


def test_a_continuous_output_is_put_while_the_job_runs(lab: Lab) -> None:
    """Before its end, and once more at its end."""
    output = {"S3Uri": "s3://lab/live", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "Continuous"}
    lab.process(
        "live",
        "echo 1 > /opt/ml/processing/out/now; exec sleep 60",
        ProcessingOutputConfig={"Outputs": [{"OutputName": "out", "S3Output": output}]},
    )
    eventually(lambda: lab.keys("live") == ["live/now"], "the output is in S3")
    assert (
        lab.sagemaker.describe_processing_job(ProcessingJobName="live")["ProcessingJobStatus"] == "InProgress"
    )
    lab.sagemaker.stop_processing_job(ProcessingJobName="live")
    lab.processed("live")


def test_more_instances_than_a_machine_is_good_for_are_refused(lab: Lab) -> None:
    """As a limit of the account."""
    with refused("ResourceLimitExceeded", "InstanceCount=21"):
        lab.train("many", "true", ResourceConfig={**TWO, "InstanceCount": 21})


def test_checkpoints_elsewhere_are_refused(lab: Lab) -> None:
    """The container has nothing but /opt/ml of its own."""
    with refused("ValidationException", "LocalPath '/etc'", "/opt/ml/"):
        lab.train("no", "true", CheckpointConfig={"S3Uri": "s3://lab/c", "LocalPath": "/etc"})
