"""The trigger wakes its task when a job has ended, and stops a job only when a person says so."""
# ruff: noqa: ANN401 - the service's test class and fixtures that make things have no types

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import TriggerEvent

from flywheel.triggers.job import JobEndedTrigger
from include.core.sagemaker.runner import OWNER_TAG

PATIENCE_S = 60


async def first_event(trigger: JobEndedTrigger) -> TriggerEvent:
    """What the trigger fires."""
    return await asyncio.wait_for(anext(aiter(trigger.run())), PATIENCE_S)


def revived(trigger: JobEndedTrigger) -> JobEndedTrigger:
    """The trigger after it went through Airflow's database."""
    path, arguments = trigger.serialize()
    assert path == "flywheel.triggers.job.JobEndedTrigger"
    return JobEndedTrigger(**json.loads(json.dumps(arguments)))


def status(service: Any, trigger: JobEndedTrigger) -> str:
    """The word of SageMaker about the trigger's job."""
    found = service.sagemaker.describe_processing_job(ProcessingJobName=trigger.serialize()[1]["job"])
    return str(found["ProcessingJobStatus"])


@pytest.fixture
def waiting(probe: Any, attempt: Any, tmp_path: Path) -> JobEndedTrigger:
    """The trigger of a job that runs until the file `go` is there."""
    operator = probe(do="wait", until=str(tmp_path / "go"), deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(attempt())
    assert isinstance(deferred.value.trigger, JobEndedTrigger)
    return deferred.value.trigger


def test_a_trigger_survives_airflows_database(waiting: JobEndedTrigger, tmp_path: Path) -> None:
    """What comes back equals what was written."""
    assert revived(waiting).serialize() == waiting.serialize()
    (tmp_path / "go").touch()


def test_it_fires_when_the_job_has_ended(waiting: JobEndedTrigger, service: Any, tmp_path: Path) -> None:
    """Not before, and with how far it read the log."""

    async def scenario() -> TriggerEvent:
        firing = asyncio.create_task(first_event(revived(waiting)))
        await asyncio.sleep(0.5)
        assert not firing.done()
        (tmp_path / "go").touch()
        return await firing

    event = asyncio.run(scenario()).payload
    assert status(service, waiting) == "Completed"
    assert len(event["tokens"]) == 1


def test_it_fires_when_the_deadline_has_passed(
    waiting: JobEndedTrigger, service: Any, tmp_path: Path
) -> None:
    """Airflow itself does not watch the time of a deferred task."""
    late = revived(waiting)
    late.deadline = time.time() - 1
    assert asyncio.run(first_event(late)).payload == {"tokens": late.tokens}
    assert status(service, waiting) == "InProgress"
    (tmp_path / "go").touch()


def test_a_person_ending_the_task_stops_the_job(waiting: JobEndedTrigger, service: Any) -> None:
    """Marking it failed or clearing it both come here."""
    asyncio.run(waiting.on_kill())
    asyncio.run(first_event(waiting))
    assert status(service, waiting) == "Stopped"


def test_the_end_of_the_triggerer_leaves_the_job_alone(
    waiting: JobEndedTrigger, service: Any, tmp_path: Path
) -> None:
    """It is taken over by another one."""
    asyncio.run(waiting.cleanup())
    assert status(service, waiting) == "InProgress"
    (tmp_path / "go").touch()


def test_an_old_attempt_cannot_stop_the_job_of_a_new_one(
    waiting: JobEndedTrigger, service: Any, tmp_path: Path
) -> None:
    """After a clear the new attempt may begin before the old trigger is told."""
    _, arguments = waiting.serialize()
    arn = service.sagemaker.describe_processing_job(ProcessingJobName=arguments["job"])["ProcessingJobArn"]
    tag = {"Key": f"{OWNER_TAG}{arguments['task']}", "Value": "another attempt"}
    service.sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    asyncio.run(waiting.on_kill())
    assert status(service, waiting) == "InProgress"
    (tmp_path / "go").touch()
