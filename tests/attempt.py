"""What Airflow gives an operator: the context of one attempt of one task, and leave to run outside of one."""
# ruff: noqa: ANN401 - XComs have no types

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest


def run_outside_airflow(patch: pytest.MonkeyPatch) -> None:
    """Let operators run outside of a task, and log where a test can look."""
    from airflow.sdk.bases.operator import (  # noqa: PLC0415 - after the environment
        BaseOperator,
        ExecutorSafeguard,
    )

    patch.setattr(ExecutorSafeguard, "test_mode", True)
    # Airflow's own logger writes to the task's log.
    patch.setattr(BaseOperator, "log", logging.getLogger("flywheel.task"))


class Attempt(dict[str, Any]):
    """The context of one attempt of one task, with what Airflow would provide."""

    def __init__(self, run_id: str = "manual", *, task_id: str = "fetch", **params: Any) -> None:
        self.results: dict[str, Any] = {}
        self.pushed: dict[str, Any] = {}
        ti = SimpleNamespace(
            id=uuid.uuid4(),
            dag_id="flights_train_and_deploy",
            run_id=run_id,
            task_id=task_id,
            map_index=-1,
            try_number=1,
            max_tries=2,
            xcom_pull=lambda task_ids: self.results.get(task_ids),  # noqa: PLW0108 - keeps the argument's name
            xcom_push=lambda key, value: self.pushed.update({key: value}),
        )
        run = SimpleNamespace(
            data_interval_start=None,
            data_interval_end=None,
            run_after=datetime(2013, 2, 1, tzinfo=UTC),
            run_type="manual",
        )
        given = {"interval_start": None, "force": False, **params}
        super().__init__(ti=ti, dag_run=run, params=given)

    def retried(self) -> Attempt:
        """The next attempt of the same task."""
        other = Attempt(self["ti"].run_id, task_id=self["ti"].task_id)
        other.results = self.results
        other["ti"].try_number = self["ti"].try_number + 1
        other.update(params=self["params"])
        return other

    def cleared(self) -> Attempt:
        """The same task after somebody cleared it."""
        other = self.retried()
        other["ti"].max_tries = self["ti"].max_tries + 1
        return other
