"""The tasks of `explore` against the real service: a JupyterLab answers, and the right run stops it."""
# ruff: noqa: ANN401 - contexts, clients and results have no types

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from flywheel.operators import KeepNotebookOperator, OpenNotebookOperator, StopNotebookOperator
from include.core.sagemaker.notebooks import STARTER_TAG
from include.core.settings import Settings


@pytest.fixture
def make(installed: Settings) -> Callable[..., Any]:
    """Makes the operators, about an instance of the test's own."""

    def make(kind: type[Any], *, deferrable: bool = False) -> Any:
        name = f"explore-{installed.bucket}"
        return kind(task_id=kind.step, instance=name, deferrable=deferrable)

    return make


def status(operator: Any) -> str:
    """What SageMaker says of the instance."""
    return str(operator.notebook.status())


def test_a_run_opens_keeps_and_stops_an_instance(make: Any, attempt: Any) -> None:
    """The address logs in; the second run hands out another and leaves the instance to the first."""
    first, second = attempt("first", hours=1, stop=False), attempt("second", hours=1, stop=False)
    opened = make(OpenNotebookOperator).execute(first)
    assert opened["started"] is True
    assert first.pushed[OpenNotebookOperator.operator_extra_links[0].xcom_key] == opened["url"]
    with httpx.Client(timeout=60, follow_redirects=True) as browser:
        assert browser.get(opened["url"]).status_code == 200

    again = make(OpenNotebookOperator).execute(second)
    assert (again["started"], again["url"] == opened["url"]) == (False, False)
    for kind in (KeepNotebookOperator, StopNotebookOperator):
        refused = make(kind)
        with pytest.raises(AirflowSkipException, match=refused.instance):
            refused.execute(second)
    killed = make(KeepNotebookOperator)
    killed.run_of(second)
    killed.on_kill()
    assert status(killed) == "InService"

    keep = make(KeepNotebookOperator)
    with pytest.raises(TaskDeferred) as deferred:
        keep.execute(first)
    trigger = deferred.value.trigger
    trigger.deadline = 0.0
    events = asyncio.run(collected(trigger))
    keep.resume(first, events[0].payload)

    stop = make(StopNotebookOperator)
    stop.execute(first)
    assert status(stop) == "Stopped"


def test_ending_a_task_stops_what_its_run_started(make: Any, attempt: Any) -> None:
    """While it is deferred, the trigger does; a run that was told to stop does it whoever started it."""
    run, other = attempt("first", hours=1, stop=False), attempt("other", hours=1, stop=True)
    opened = make(OpenNotebookOperator, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        opened.execute(run)
    assert deferred.value.kwargs == {"is_begun": True}
    asyncio.run(collected(deferred.value.trigger))
    assert opened.resume(run, {}, is_begun=True)["started"] is True

    with pytest.raises(AirflowSkipException, match=opened.instance):
        make(OpenNotebookOperator).execute(other)
    asyncio.run(deferred.value.trigger.on_kill())
    assert status(opened) in {"Stopping", "Stopped"}
    make(StopNotebookOperator).execute(other)
    assert status(opened) == "Stopped"


def test_an_instance_that_fails_tells_why(make: Any, attempt: Any, service: Any) -> None:
    """The failure's reason is in the task's error, which is not tried again."""
    from include.core.exceptions import NotebookFailed  # noqa: PLC0415 - the tree is told apart from retries

    opened = make(OpenNotebookOperator)
    config = {"NotebookInstanceLifecycleConfigName": opened.instance}
    script = [{"Content": "ZXhpdCA3Cg=="}]
    service.sagemaker.create_notebook_instance_lifecycle_config(**config, OnStart=script)
    service.sagemaker.create_notebook_instance(
        NotebookInstanceName=opened.instance,
        InstanceType="ml.t3.medium",
        RoleArn="arn:aws:iam::000000000000:role/test",
        LifecycleConfigName=opened.instance,
        Tags=[{"Key": STARTER_TAG, "Value": "nobody"}],
    )
    with pytest.raises(NotebookFailed, match="exit code 7"):
        opened.execute(attempt("first", hours=1, stop=False))


async def collected(trigger: Any) -> list[Any]:
    """The events of a trigger, to its end."""
    return [event async for event in trigger.run()]
