"""One job per key: started, attached to, reused, judged and stopped, against the real service."""
# ruff: noqa: ANN401 - boto3 clients, contexts and fixtures that make things have no types

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.documents.manifest import KeyRecord, ModelFile, files_digest
from include.core.exceptions import JobFailed, JobStopped, JobTimedOut
from include.core.settings import Settings
from tests.examples import not_none

PATIENCE_S = 60
#: digest of an output whose only file is the probe's
DATA = files_digest([ModelFile(name="data.txt", bytes=2, sha256=hashlib.sha256(b"42").hexdigest())])


def until(is_true: Callable[[], Any]) -> Any:
    """Wait for something that has to come."""
    end = time.monotonic() + PATIENCE_S
    while not (found := is_true()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return found


@dataclass
class Bench:
    """A service, and operators with keys of the test's own."""

    service: Any
    bucket: str
    make: Any
    attempt: Any
    #: other tests use the service too
    nonce: str
    #: a job told to wait waits until this is there
    go: Path

    def probe(self, **told: Any) -> Any:
        """An operator whose job does what it is told."""
        return self.make(nonce=self.nonce, **told)

    def jobs(self) -> list[str]:
        """Names of the test's jobs, in the order they were made."""
        pages = self.service.sagemaker.get_paginator("list_processing_jobs").paginate(
            SortBy="CreationTime", SortOrder="Ascending"
        )
        names = [job["ProcessingJobName"] for page in pages for job in page["ProcessingJobSummaries"]]
        return [name for name in names if self._place(name).startswith(f"s3://{self.bucket}/")]

    def status(self, job: str) -> str:
        """The word of SageMaker."""
        return str(self._describe(job)["ProcessingJobStatus"])

    def owners(self, job: str) -> list[str]:
        """The attempts that wait for a job."""
        tags = self.service.sagemaker.list_tags(ResourceArn=self._describe(job)["ProcessingJobArn"])["Tags"]
        return [tag["Value"] for tag in tags]

    def record(self, key: str) -> KeyRecord:
        """What went into a key."""
        uri = f"s3://{self.bucket}/flights/keys/{key}.json"
        return not_none(SageMakerHook("aws_default").read_document(uri, KeyRecord))

    def _describe(self, job: str) -> Any:
        return self.service.sagemaker.describe_processing_job(ProcessingJobName=job)

    def _place(self, job: str) -> str:
        return str(self._describe(job)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])


class Running:
    """A task in a thread of its own, as a worker would run it."""

    def __init__(self, operator: Any, context: Any) -> None:
        self.operator, self.context = operator, context
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self.operator.execute(self.context)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def join(self) -> Any:
        """Its result, or its error."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


@pytest.fixture
def bench(probe: Any, attempt: Any, tmp_path: Path, service: Any, installed: Settings) -> Bench:
    """Everything a test needs."""
    return Bench(service, installed.bucket, probe, attempt, str(tmp_path), tmp_path / "go")


def test_a_job_is_started_and_its_manifest_handed_on(bench: Bench) -> None:
    """The result names everything that later steps need."""
    result = bench.probe(do="write").execute(bench.attempt())
    assert bench.jobs() == [result["job"]]
    assert result["digest"] == DATA
    assert result["counts"]["rows_in"] == 1
    assert result["interval"] == ["2013-01-01T00:00:00+00:00", "2013-02-01T00:00:00+00:00"]
    assert result["uri"].endswith(f"/flights/fetch/2013-01-01_2013-02-01/{result['key']}/")
    assert (result["reused"], result["seconds"] > 0) == (False, True)


def test_the_jobs_log_is_in_the_tasks_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Every line once, in order."""
    caplog.set_level(logging.INFO)
    bench.probe(do="write").execute(bench.attempt())
    said = [record.getMessage() for record in caplog.records]
    expected = ["the first line", "rows_in=1 rows_out=1"]
    assert [line for line in said if line in expected] == expected


def test_lines_come_while_the_job_runs(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has to wait for the end to see what happens."""
    caplog.set_level(logging.INFO)
    task = Running(bench.probe(do="wait", until=str(bench.go)), bench.attempt())
    until(lambda: "the first line" in caplog.text)
    assert "rows_in=1" not in caplog.text
    bench.go.touch()
    task.join()
    assert "rows_in=1" in caplog.text


def test_a_completed_job_is_reused(bench: Bench) -> None:
    """Another run with the same key starts nothing."""
    first = bench.probe(do="write").execute(bench.attempt("one"))
    second = bench.probe(do="write").execute(bench.attempt("two"))
    assert second == {**first, "reused": True}
    assert len(bench.jobs()) == 1


def test_another_input_is_another_job(bench: Bench) -> None:
    """The key tells them apart."""
    first = bench.probe(do="write").execute(bench.attempt())
    second = bench.probe(do="write", other="1").execute(bench.attempt())
    assert first["key"] != second["key"]
    assert first["uri"] != second["uri"]


def test_a_completed_job_whose_output_is_gone_is_run_again(bench: Bench) -> None:
    """Reusing it would hand on nothing."""
    first = bench.probe(do="write").execute(bench.attempt())
    key = first["uri"].removeprefix(f"s3://{bench.bucket}/") + "data.txt"
    bench.service.s3.delete_object(Bucket=bench.bucket, Key=key)
    second = bench.probe(do="write").execute(bench.attempt())
    assert second["job"] == f"{first['job']}-g2"
    assert second["reused"] is False


def test_a_failed_job_fails_the_task_with_its_own_words(bench: Bench) -> None:
    """The user reads the reason in the first line of the error."""
    with pytest.raises(JobFailed, match="Failed: There is no data in table flights"):
        bench.probe(do="fail").execute(bench.attempt())


def test_after_a_failed_job_the_next_generation_is_started(bench: Bench) -> None:
    """Each clearing of the task gives one."""
    for _ in range(2):
        with pytest.raises(JobFailed):
            bench.probe(do="fail").execute(bench.attempt())
    first, second = bench.jobs()
    assert second == f"{first}-g2"


def test_a_second_run_attaches_to_a_running_job(bench: Bench) -> None:
    """Both get the one job's result."""
    told = {"do": "wait", "until": str(bench.go)}
    one = Running(bench.probe(**told), bench.attempt("one"))
    (job,) = until(bench.jobs)
    two = Running(bench.probe(**told), bench.attempt("two"))
    until(lambda: len(bench.owners(job)) == 2)
    bench.go.touch()
    assert one.join()["job"] == two.join()["job"]
    assert len(bench.jobs()) == 1


def test_ending_the_task_stops_its_job(bench: Bench) -> None:
    """And a stopped job is no success."""
    task = Running(bench.probe(do="wait", until=str(bench.go)), bench.attempt())
    (job,) = until(bench.jobs)
    task.operator.on_kill()
    with pytest.raises(JobStopped):
        task.join()
    assert bench.status(job) == "Stopped"


def test_ending_a_task_leaves_a_job_that_another_run_waits_for(bench: Bench) -> None:
    """The last one to leave stops it."""
    told = {"do": "wait", "until": str(bench.go)}
    one = Running(bench.probe(**told), bench.attempt("one"))
    (job,) = until(bench.jobs)
    two = Running(bench.probe(**told), bench.attempt("two"))
    until(lambda: len(bench.owners(job)) == 2)
    one.operator.on_kill()
    assert bench.status(job) == "InProgress"
    two.operator.on_kill()
    for task in (one, two):
        with pytest.raises(JobStopped):
            task.join()


def test_an_older_attempt_cannot_stop_the_job_of_a_newer_one(bench: Bench) -> None:
    """An orphaned worker is told late that its task was given to another."""
    told = {"do": "wait", "until": str(bench.go)}
    context = bench.attempt()
    old = Running(bench.probe(**told), context)
    (job,) = until(bench.jobs)
    newer = context.retried()
    new = Running(bench.probe(**told), newer)
    until(lambda: str(newer["ti"].id) in bench.owners(job))
    old.operator.on_kill()
    assert bench.status(job) == "InProgress"
    bench.go.touch()
    assert new.join()["job"] == old.join()["job"] == job


def test_after_a_stop_the_next_generation_is_started(bench: Bench) -> None:
    """A cleared task comes while its old job is still being stopped."""
    told = {"do": "wait", "until": str(bench.go)}
    context = bench.attempt()
    old = Running(bench.probe(**told), context)
    (job,) = until(bench.jobs)
    old.operator.on_kill()
    new = Running(bench.probe(**told), context.cleared())
    until(lambda: len(bench.jobs()) == 2)
    bench.go.touch()
    assert new.join()["job"] == f"{job}-g2"
    with pytest.raises(JobStopped):
        old.join()


def test_force_runs_again_what_has_completed(bench: Bench) -> None:
    """Once for each clearing of the task: a retry takes what the attempt before it made."""
    first = bench.probe(do="write").execute(bench.attempt())
    forced = bench.attempt("again", force=True)
    second = bench.probe(do="write").execute(forced)
    retried = bench.probe(do="write").execute(forced.retried())
    cleared = bench.probe(do="write").execute(forced.cleared())
    assert retried == {**second, "reused": True}
    assert len({result["job"] for result in (first, second, cleared)}) == 3
    assert len(bench.jobs()) == 3


def test_what_force_makes_overwrites_nothing(bench: Bench) -> None:
    """It has a place of its own, and its key's record tells who forced it."""
    first = bench.probe(do="write").execute(bench.attempt())
    place = {"Bucket": bench.bucket, "Prefix": first["uri"].removeprefix(f"s3://{bench.bucket}/")}
    before = bench.service.s3.list_objects_v2(**place)["Contents"]
    forced = bench.probe(do="write").execute(bench.attempt("again", force=True))
    assert forced["uri"] != first["uri"]
    assert bench.service.s3.list_objects_v2(**place)["Contents"] == before
    record = bench.record(forced["key"])
    assert record.forced_by == "flights_train_and_deploy/again/2"


def test_who_does_not_force_takes_nothing_that_was_forced(bench: Bench) -> None:
    """Else one run's repetition would change what all the others read."""
    forced = bench.probe(do="write").execute(bench.attempt("again", force=True))
    plain = bench.probe(do="write").execute(bench.attempt())
    assert (plain["reused"], plain["key"] == forced["key"]) == (False, False)


def test_a_task_that_takes_too_long_stops_its_job(bench: Bench) -> None:
    """The error says which limit it was."""
    operator = bench.probe(do="wait", until=str(bench.go), timeout=timedelta(seconds=1))
    with pytest.raises(JobTimedOut, match="0:00:01"):
        operator.execute(bench.attempt())
    (job,) = bench.jobs()
    assert until(lambda: bench.status(job) == "Stopped")


def test_a_deferred_task_is_woken_and_judges_for_itself(bench: Bench) -> None:
    """Whatever the event says, SageMaker's word counts; all it remembers went through JSON."""
    operator = bench.probe(do="wait", until=str(bench.go), deferrable=True)
    context = bench.attempt()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    bench.go.touch()
    woken = bench.probe(do="wait", until=str(bench.go), deferrable=True)
    event: dict[str, Any] = {"tokens": {}}
    result = getattr(woken, deferred.value.method_name)(context, event, **(deferred.value.kwargs or {}))
    assert result["counts"]["rows_out"] == 1


def test_links_are_there_while_the_job_runs(bench: Bench) -> None:
    """The page shows them from the submission on."""
    context = bench.attempt()
    task = Running(bench.probe(do="wait", until=str(bench.go)), context)
    link = until(lambda: context.pushed.get("_link_OutputsLink"))
    bench.go.touch()
    task.join()
    assert link.startswith(bench.service.url)


def test_the_record_of_a_key_can_be_looked_up(bench: Bench) -> None:
    """Two keys that differ can be compared by what went into them."""
    result = bench.probe(do="write").execute(bench.attempt())
    record = bench.record(result["key"])
    assert record.parameters == {"do": "write", "nonce": bench.nonce}
    assert record.step == "fetch"
