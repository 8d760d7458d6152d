"""What Airflow pays to read the DAG files, and what a task pays before it does anything.

A task is a fork of the scheduler that reads its DAG file first. Forked here from a process that has what any
scheduler has, once without and once with the early imports of config/airflow_local_settings.py.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ROUNDS = 5

#: prints seconds a forked child needs until it has its DAG, `with`: after the early imports
FORK = """
import json, os, sys, time
from airflow.executors.local_executor import LocalExecutor
from airflow.sdk.execution_time import supervisor, task_runner
from airflow.dag_processing.dagbag import DagBag
if sys.argv[1] == "with":
    sys.argv.append("scheduler")
    import airflow_local_settings
seconds = []
for _ in range(int(sys.argv[3])):
    reader, writer = os.pipe()
    began = time.perf_counter()
    if os.fork() == 0:
        DagBag(dag_folder=sys.argv[2])
        os.write(writer, str(time.perf_counter() - began).encode())
        os._exit(0)
    os.close(writer)
    seconds.append(float(os.read(reader, 100)))
    os.wait()
print(json.dumps(seconds))
"""


def environment(home: str) -> dict[str, str]:
    """An Airflow that has no database and no user."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (PROJECT, PROJECT / "plugins", PROJECT / "config"))),
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONDONTWRITEBYTECODE": "",
    }


def measure(kind: str, dag_file: Path, home: str) -> float:
    """Median seconds from the fork to the read DAG."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, kind, str(dag_file), str(ROUNDS)],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return statistics.median(seconds)


def main() -> None:
    """Measure and print."""
    print(f"{'DAG file':<24}{'without s':>11}{'with s':>9}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as home:
        for dag_file in sorted((PROJECT / "dags").glob("*.py")):
            without, with_early = (measure(kind, dag_file, home) for kind in ("without", "with"))
            ratio = f"{without / with_early:.1f}x"
            print(f"{dag_file.name:<24}{without:>11.2f}{with_early:>9.2f}{ratio:>8}")


if __name__ == "__main__":
    main()
