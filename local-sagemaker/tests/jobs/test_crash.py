"""The service is killed at an awkward instant and started again: every job ends once, and rightly."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.engine.processes import shim as shim_module
from sagemaker_kit.jobs import Lab
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until

#: waits for the file `go` in the bucket's folder, so that a test decides when the container ends
WAITS = 'echo ready; while [ ! -e "$GO" ]; do sleep 0.02; done; '


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """The file a waiting container waits for."""
    return tmp_path / "go"


def start(lab: Lab, go: Path, name: str, script: str, **request: Any) -> None:  # noqa: ANN401 (any member)
    """Start a training job that waits for `go`, and wait until it does."""
    lab.train(name, WAITS + script, Environment={"SCRIPT": WAITS + script, "GO": str(go)}, **request)
    lab.training(name)


def shim_of(lab: Lab, name: str) -> int:
    """The process id of what supervises a training job's container."""
    record = lab.service.root / "jobs/training-job" / name / "run/process.json"
    return int(json.loads(record.read_text())["pid"])


def runs(lab: Lab, name: str) -> int:
    """How often the container said that it is ready."""
    return lab.lines("TrainingJobs", name).count("ready")


def has_run(lab: Lab, name: str, times: int) -> bool:
    """Whether the container said so as often."""
    return runs(lab, name) == times


def test_a_running_job_is_adopted(lab: Lab, go: Path) -> None:
    """The container outlives the service; the next service sees its end and uploads its model, once."""
    start(lab, go, "adopted", "echo 1 > /opt/ml/model/a; echo done")
    lab.service.restart()
    found = lab.sagemaker.describe_training_job(TrainingJobName="adopted")
    assert found["TrainingJobStatus"] == "InProgress"
    go.touch()
    found = lab.trained("adopted")
    assert found["TrainingJobStatus"] == "Completed"
    assert lab.unpacked("out/adopted/output/model.tar.gz") == {"a": "1\n"}
    names = [item["Status"] for item in found["SecondaryStatusTransitions"]]
    assert names == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert lab.lines("TrainingJobs", "adopted") == ["ready", "done"]


@pytest.mark.parametrize(("code", "status"), [(0, "Completed"), (7, "Failed")])
def test_a_job_that_ended_while_the_service_was_down_has_its_own_exit_status(
    lab: Lab, go: Path, code: int, status: int | str
) -> None:
    """How the container ended is on the disk before anybody asks."""
    start(lab, go, "meanwhile", f"echo 1 > /opt/ml/model/a; exit {code}")
    lab.service.kill()
    go.touch()
    records = list(lab.service.root.glob("jobs/training-job/meanwhile/run"))
    deadline = time.monotonic() + 30
    while not (records[0] / "exit.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    lab.service.start()
    found = lab.trained("meanwhile")
    assert found["TrainingJobStatus"] == status
    assert bool(lab.keys("out/")) == (code == 0)
    assert runs(lab, "meanwhile") == 1


def test_a_stop_asked_for_before_the_crash_is_carried_out_after_it(lab: Lab, go: Path) -> None:
    """A request that was answered is not forgotten."""
    start(lab, go, "stopping", "true")
    lab.sagemaker.stop_training_job(TrainingJobName="stopping")
    lab.service.restart()
    assert lab.trained("stopping")["TrainingJobStatus"] == "Stopped"


def test_a_job_whose_supervising_process_was_killed_is_failed_with_a_reason(lab: Lab, go: Path) -> None:
    """Nobody saw the end of such a container: that is said, and nothing of it goes on running."""
    start(lab, go, "lost", "true")
    shim = shim_of(lab, "lost")
    [container] = map(int, Path(f"/proc/{shim}/task/{shim}/children").read_text().split())
    lab.service.kill()
    os.kill(shim, signal.SIGKILL)
    lab.service.start()
    found = lab.trained("lost")
    assert found["TrainingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith(
        "InternalServerError: the container ended and left no exit status"
    )
    deadline = time.monotonic() + 10
    while shim_module.started(container):
        assert time.monotonic() < deadline, "the container still runs"
        time.sleep(0.02)


def test_a_lost_container_is_begun_again_as_often_as_was_asked_for(lab: Lab, go: Path) -> None:
    """By RetryStrategy; the time it may run is counted from its first start."""
    start(lab, go, "again", "echo 1 > /opt/ml/model/a", RetryStrategy={"MaximumRetryAttempts": 1})
    first = shim_of(lab, "again")
    begun = lab.sagemaker.describe_training_job(TrainingJobName="again")["TrainingStartTime"]
    os.kill(first, signal.SIGKILL)
    until(partial(has_run, lab, "again", 2), "the second run")
    go.touch()
    found = lab.trained("again")
    assert (found["TrainingJobStatus"], found["TrainingStartTime"]) == ("Completed", begun)
    statuses = [one["Status"] for one in found["SecondaryStatusTransitions"]]
    assert statuses == [
        *("Starting", "Downloading", "Training", "Restarting", "Training", "Uploading", "Completed")
    ]
    go.unlink()
    start(lab, go, "twice", "true", RetryStrategy={"MaximumRetryAttempts": 1})
    for run in (1, 2):
        until(partial(has_run, lab, "twice", run), f"run {run}")
        os.kill(shim_of(lab, "twice"), signal.SIGKILL)
    found = lab.trained("twice")
    assert (found["TrainingJobStatus"], runs(lab, "twice")) == ("Failed", 2)
    assert found["FailureReason"].startswith("InternalServerError: the container ended")


def test_waiting_jobs_wait_on_in_their_order(
    start_service: Callable[..., Service], image: Path, go: Path
) -> None:
    """With room for one job the others wait; the queue survives the service."""
    lab = Lab(start_service("--image", str(image), "--jobs", "1"))
    start(lab, go, "first", "true")
    names = ["d", "b", "c", "a"]
    for name in names:
        lab.train(name, "true")
    assert lab.sagemaker.describe_training_job(TrainingJobName="d")["SecondaryStatus"] == "Starting"
    lab.service.restart()
    go.touch()
    ended = [lab.trained(name) for name in ("first", *names)]
    assert [found["TrainingJobStatus"] for found in ended] == ["Completed"] * 5
    times = [found["TrainingStartTime"] for found in ended]
    assert times == sorted(times)


def test_a_waiting_job_can_be_stopped(lab: Lab, go: Path) -> None:
    """A job whose turn has not come never runs."""
    start(lab, go, "runs", "true")
    start(lab, go, "runs-too", "true")
    lab.train("waits", "echo ran")
    lab.sagemaker.stop_training_job(TrainingJobName="waits")
    assert lab.trained("waits")["TrainingJobStatus"] == "Stopped"
    go.touch()
    assert lab.trained("runs")["TrainingJobStatus"] == "Completed"
    assert lab.lines("TrainingJobs", "waits") == []


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15])
def test_a_service_killed_at_any_instant_ends_its_job_once(lab: Lab, delay_s: float) -> None:
    """Whatever step the kill hits, the job completes, its container ran once, its model is whole."""
    lab.train("any", "echo ready; sleep 0.05; echo 1 > /opt/ml/model/a")
    time.sleep(delay_s)
    lab.service.restart()
    found = lab.trained("any")
    assert found["TrainingJobStatus"] == "Completed"
    assert runs(lab, "any") == 1
    assert lab.unpacked("out/any/output/model.tar.gz") == {"a": "1\n"}


def test_nothing_is_left_of_a_job_but_its_log_and_outputs(lab: Lab) -> None:
    """A workspace is removed once its job has ended, also after a crash."""
    lab.train("tidy", "true")
    lab.trained("tidy")
    (lab.service.root / "jobs/training-job/forgotten/ml").mkdir(parents=True)
    lab.service.restart()
    deadline = time.monotonic() + 10
    while list(lab.service.root.glob("jobs/*/*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_was_answered_is_on_the_disk(lab: Lab) -> None:
    """A created job is in the database when it is answered, in the mode that survives a power cut."""
    arn = lab.train("durable", "true")
    lab.service.kill()
    with sqlite3.connect(f"file:{lab.service.root}/sagemaker.sqlite?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        found = connection.execute("SELECT arn FROM resource WHERE name = 'durable'").fetchone()
    connection.close()
    assert found == (arn,)
    lab.service.start()
    assert lab.trained("durable")["TrainingJobStatus"] == "Completed"
