"""Jobs are started, attached to, reused and stopped without Airflow, in as few calls as it takes."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.core.cycle import Cycle
from include.core.exceptions import JobFailed, JobTimedOut, OutputMissing
from include.core.keys import key_record
from include.core.layout import Interval
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import PROCESSING
from include.core.sagemaker.requests import ApiRequest, JobSpec, processing
from include.core.sagemaker.runner import JobOwner, JobRunner, prepare_job
from include.core.settings import Settings

MONTH = Interval.parse("2013-01-01_2013-02-01")


class Caller:
    """A SageMaker whose calls are counted, and the runners that use it."""

    def __init__(self, service: Any, settings: Settings, cycle: Cycle) -> None:
        self.calls: Counter[str] = Counter()
        self.settings, self.cycle, self.service, self.nonce = settings, cycle, service, uuid.uuid4().hex
        self.sagemaker = SageMaker(self._client)

    def _client(self, name: str) -> Any:
        client = self.service.client(name, max_pool_connections=4)
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1

    def prepared(self, **told: str) -> tuple[JobSpec, Callable[[JobSpec], ApiRequest]]:
        """Put what a job needs into S3; return what it is made from. What follows is counted from zero."""
        given = {"nonce": self.nonce, **told}
        record = key_record(
            step="fetch",
            cycle=self.cycle,
            interval=MONTH,
            inputs={},
            parameters=given,
            settings=self.settings,
        )
        spec = prepare_job(self.sagemaker, self.cycle, record, self.settings, {})
        self.calls.clear()
        return spec, lambda named: processing(named, {}, given)

    def runner(self, attempt: str = "one", **given: Any) -> JobRunner:
        """Return a runner on behalf of an attempt."""
        owner = JobOwner(task=attempt, attempt=f"{attempt}-1")
        return JobRunner(self.sagemaker, PROCESSING, poll_interval_s=0.2, owner=owner, **given)


@pytest.fixture
def caller(service: Any, installed: Settings, cycle: Cycle) -> Caller:
    """Make a counting SageMaker with a bucket of the test's own."""
    return Caller(service, installed, cycle)


def test_a_job_is_started_by_one_call_and_its_lines_are_handed_on(caller: Caller) -> None:
    """The description of the completed job comes back."""
    lines: list[str] = []
    runner = caller.runner(on_line=lines.append)
    attached = runner.start(*caller.prepared(do="write"))
    assert caller.calls == {"CreateProcessingJob": 1}
    assert runner.finish(attached)["ProcessingJobStatus"] == "Completed"
    assert "the first line" in lines


def test_a_completed_job_is_reused_by_two_calls(caller: Caller) -> None:
    """No log is read, and nothing is tagged."""
    first = caller.runner().start(*caller.prepared(do="write"))
    caller.runner().finish(first)
    again = caller.runner("two").start(*caller.prepared(do="write"))
    assert (again.reused, again.job) == (True, first.job)
    assert caller.calls == {"CreateProcessingJob": 1, "DescribeProcessingJob": 1}


def test_a_job_without_its_output_is_run_again(caller: Caller) -> None:
    """As the next generation of the same key."""

    def check(*_: Any) -> None:
        raise OutputMissing("It is gone.")

    first = caller.runner().start(*caller.prepared(do="write"))
    caller.runner().finish(first)
    again = caller.runner().start(*caller.prepared(do="write"), check=check)
    assert again.job == f"{first.job}-g2"
    caller.runner().finish(again)


def test_a_failed_job_is_judged_by_sagemakers_word(caller: Caller) -> None:
    """Its reason is in the error."""
    runner = caller.runner()
    with pytest.raises(JobFailed):
        runner.finish(runner.start(*caller.prepared(do="fail")))


def test_a_job_is_stopped_when_nobody_waits_for_it(caller: Caller, tmp_path: Path) -> None:
    """The owner that joined keeps it running until it goes away, too."""
    told = {"do": "wait", "until": str(tmp_path / "go")}
    one, two = caller.runner("one"), caller.runner("two")
    attached = one.start(*caller.prepared(**told))
    two.start(*caller.prepared(**told))
    assert (one.stop(), two.stop()) == (False, True)
    assert two.wait(attached)["ProcessingJobStatus"] == "Stopped"


def test_a_job_that_takes_too_long_is_stopped(caller: Caller, tmp_path: Path) -> None:
    """The error says which limit it was."""
    runner = caller.runner()
    attached = runner.start(*caller.prepared(do="wait", until=str(tmp_path / "go")), timeout_s=0.5)
    with pytest.raises(JobTimedOut):
        runner.wait(attached)
    assert attached.timeout_s == 0.5
