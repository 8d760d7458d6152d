"""A step that is added to the table alone runs as a job and is costed: no other list knows steps."""
# ruff: noqa: ANN401 - contexts and the service's test class have no types

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from flywheel.operators import StepOperator
from flywheel.ui.costs import costs
from include.core import steps
from include.core.cycle import Cycle
from include.core.exceptions import FlywheelError
from include.core.steps import JOBS, SCORE_AND_MONITOR, StepRow

SHADOW = StepRow(
    name="shadow",
    dags=(SCORE_AND_MONITOR,),
    kind="processing job",
    inputs={"prepared": "the window's prepare"},
    outputs=("shadow.json",),
    code=("steps/contract.py",),
)


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the row to the table, as a change of include/core/steps.py would."""
    monkeypatch.setattr(steps, "JOBS", MappingProxyType({**JOBS, SHADOW.name: SHADOW}))


def test_an_added_step_runs_as_a_job(probe: Any, attempt: Any, cycle: Cycle, service: Any) -> None:
    """Its operator names the row and where its inputs come from."""
    prepared = probe(do="write").execute(attempt("prepare"))
    context = attempt("shadow")
    context.results["prepare"] = prepared
    made = StepOperator(
        task_id="shadow",
        cycle=cycle,
        step="shadow",
        inputs={"prepared": "prepare"},
        parameters={"do": "write"},
    )
    result = made.execute(context)
    job = service.sagemaker.describe_processing_job(ProcessingJobName=result["job"])
    assert job["AppSpecification"]["ContainerArguments"][0] == "shadow"
    assert {given["InputName"] for given in job["ProcessingInputs"]} == {"code", "inputs", "prepared"}
    assert result["step"] == "shadow"


def test_an_input_that_the_row_does_not_name_is_refused(probe: Any, attempt: Any, cycle: Cycle) -> None:
    """The table would be false otherwise."""
    context = attempt("shadow")
    context.results["clean"] = probe(do="write").execute(attempt("clean"))
    made = StepOperator(task_id="shadow", cycle=cycle, step="shadow", inputs={"cleaned": "clean"})
    with pytest.raises(FlywheelError, match="cleaned"):
        made.execute(context)


def test_an_added_step_is_costed(cycle: Cycle) -> None:
    """By the instances that its row names."""
    assert costs(cycle)["steps"]["shadow"]["instance_type"] == cycle.processing.instance_type
