"""Costs are seconds times a price of a table; where the table has none, none is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flywheel.ui.costs import costs, prices
from include.core.cycle import Compute, Cycle, find_cycles


@pytest.mark.parametrize("name", list(find_cycles()))
def test_every_job_of_the_examples_has_a_price(name: str) -> None:
    """The instances that the examples ask for are in the table."""
    found = costs(find_cycles()[name])
    assert [step for step, each in found["steps"].items() if each["per_hour"] is None] == []
    assert found["note"]["currency"] == "USD"


def test_several_instances_cost_several_times(cycle: Cycle) -> None:
    """The price is of all the instances of the step together."""
    twice = replace(cycle, training=Compute(instance_type="ml.m5.large", instance_count=2))
    assert costs(twice)["steps"]["train"]["per_hour"] == pytest.approx(
        2 * prices()["per_hour"]["ml.m5.large"]
    )


def test_an_unknown_instance_has_no_price(cycle: Cycle) -> None:
    """None is guessed."""
    odd = replace(cycle, training=Compute(instance_type="ml.new.large"))
    assert costs(odd)["steps"]["train"]["per_hour"] is None
