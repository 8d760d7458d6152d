"""Runs DAGs by `dag.test()` in a process of its own: `dag_runs.py <dag_id>=<interval_start> ...`.

Prints as its last line, for each run, its state and what every task ended as and returned.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.dag import DAG

from include.core.settings import PROJECT


def outcome(dag: DAG, interval_start: str) -> dict[str, Any]:
    """One run, as a manual one for the interval."""
    run = dag.test(logical_date=None, run_conf={"interval_start": interval_start})
    tasks = run.get_task_instances()
    return {
        "state": str(run.state),
        "tasks": {task.task_id: str(task.state) for task in tasks},
        "results": {task.task_id: task.xcom_pull(task_ids=task.task_id) for task in tasks},
    }


if __name__ == "__main__":
    dags = DagBag(dag_folder=str(PROJECT / "dags")).dags
    asked = [text.split("=") for text in sys.argv[1:]]
    print(json.dumps([outcome(dags[dag_id], start) for dag_id, start in asked]))  # noqa: T201 - its answer
