"""The link to the profile of a step's tables."""

from __future__ import annotations

import pytest

from flywheel.operators import CleanOperator, FetchOperator, PrepareOperator, TransformOperator
from flywheel.operators.job import TableOperator
from include.core.cycle import Cycle
from include.core.sagemaker.runner import AttachedJob
from include.core.settings import Settings


@pytest.mark.parametrize("kind", [FetchOperator, CleanOperator, TransformOperator, PrepareOperator])
def test_steps_that_write_tables_link_to_their_profile(
    kind: type[TableOperator], cycle: Cycle, installed: Settings
) -> None:
    """It lies beside the step's outputs, and Airflow knows the link."""
    operator = kind(task_id=kind.step, cycle=cycle)
    uri = f"s3://{installed.bucket}/flights/{kind.step}/w/k/"
    attached = AttachedJob(job="j", key="k", uri=uri, interval=[], attempt="a", task="t")
    links = operator.extra_links(attached)
    assert links["Profile"].endswith(f"/flywheel/cycles/flights/files/{kind.step}/w/k/profile.html")
    assert set(links) <= {link.name for link in operator.operator_extra_links}
