"""What Airflow pays to read the DAG files, and what a task pays before it does anything.

A task is a fork of the scheduler that reads its DAG file, and then imports what its operator works with.
Forked here from a process that has what any scheduler has, once without and once with the early imports of
config/airflow_local_settings.py.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import PROJECT

ROUNDS = 5

#: prints seconds a forked child needs until it has its DAG and until it can work; `with`: after early imports
FORK = """
import json, os, sys, time
if sys.argv[1] == "with":
    sys.argv.append("scheduler")  # what airflow_local_settings looks for, when Airflow imports it
from airflow.executors.local_executor import LocalExecutor
from airflow.sdk.execution_time import supervisor, task_runner
from airflow.dag_processing.dagbag import DagBag
seconds = []
for _ in range(int(sys.argv[3])):
    reader, writer = os.pipe()
    began = time.perf_counter()
    if os.fork() == 0:
        DagBag(dag_folder=sys.argv[2])
        parsed = time.perf_counter() - began
        import airflow.providers.amazon.aws.hooks.base_aws, boto3
        os.write(writer, json.dumps([parsed, time.perf_counter() - began]).encode())
        os._exit(0)
    os.close(writer)
    seconds.append(json.loads(os.read(reader, 100)))
    os.wait()
print(json.dumps(seconds))
"""


def environment(home: str) -> dict[str, str]:
    """Return the environment of an Airflow that has no database and no user."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (PROJECT, PROJECT / "plugins", PROJECT / "config"))),
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONDONTWRITEBYTECODE": "",
    }


def measure(kind: str, dag_file: Path, home: str) -> tuple[float, float]:
    """Return median seconds from the fork to the read DAG, and to a task that can work."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, kind, str(dag_file), str(ROUNDS)],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    parsed, ready = zip(*json.loads(done.stdout.splitlines()[-1]), strict=True)
    return statistics.median(parsed), statistics.median(ready)


def main() -> None:
    """Measure and print."""
    print(f"{'DAG file':<24}{'parsed s':>10}{'ready s':>9}{'early: parsed s':>17}{'ready s':>9}{'ratio':>7}")
    with tempfile.TemporaryDirectory() as home:
        for dag_file in sorted((PROJECT / "dags").glob("*.py")):
            parsed, ready = measure("without", dag_file, home)
            early_parsed, early_ready = measure("with", dag_file, home)
            ratio = f"{ready / early_ready:.1f}x"
            print(
                f"{dag_file.name:<24}{parsed:>10.2f}{ready:>9.2f}"
                f"{early_parsed:>17.2f}{early_ready:>9.2f}{ratio:>7}"
            )


if __name__ == "__main__":
    main()
