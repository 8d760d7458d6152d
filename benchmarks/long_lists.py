"""What a list costs when it is long: each List operation and Search over 100 and over 10,000 records.

`python -m benchmarks.long_lists` prints, for 10,000 records, the milliseconds of processor time that the
service spends on one request, and how many times that of 100 records.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness import client, local_service
from local_sagemaker.domain import lifecycle
from local_sagemaker.storage import documents, queries, store

COUNTS = (100, 10_000)
ROUNDS = 9
#: every so many-th record has what a narrow filter asks for; of each kind the same number, whatever the count
RARE = 5
ARN = "arn:aws:sagemaker:us-east-1:000000000000:"
STATE = asdict(lifecycle.State(phase=lifecycle.Phase.ENDED, outcome=lifecycle.JobOutcome.COMPLETED))
Ask = Callable[[], dict[str, Any]]


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield records of all kinds; documents are about as long as those of real jobs."""
    for number in range(count):
        status = "Failed" if number % (count // RARE) == 0 else "Completed"
        for kind in ("training-job", "processing-job"):
            yield row(kind, f"job-{number:06d}", number, status, STATE)
        yield row("pipeline", f"pipe-{number:06d}", number, "Active", {"version": 1})
        # half of all executions are one pipeline's
        parent = "pipe-000000" if number % 2 else f"pipe-{number:06d}"
        execution = row("pipeline-execution", f"{parent}/{number:012d}", number, status, {})
        yield {**execution, "parent": parent, "arn": f"{ARN}pipeline/{parent}/execution/{number:012d}"}


def row(kind: str, name: str, number: int, status: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return one record."""
    noun = kind.title().replace("-", "")
    arn = f"{ARN}{kind}/{name}"
    document = {
        f"{noun}Name": name,
        f"{noun}Arn": arn,
        f"{noun}Status": status,
        "CreationTime": {"$time": 1.0 + number},
        "LastModifiedTime": {"$time": 1.0 + number},
        "HyperParameters": {"depth": str(number)},
        "Padding": "x" * 2000,
    }
    return {
        "kind": kind,
        "name": name,
        "parent": "",
        "arn": arn,
        "status": status,
        "created": 1.0 + number,
        "modified": 1.0 + number,
        "document": documents.dumps(document),
        "state": documents.dumps(state),
    }


def fill(root: Path, count: int) -> None:
    """Make a database with so many records of each kind, a tag on the rare ones."""
    root.mkdir()
    made = store.Store(root / "sagemaker.sqlite")
    with made._transaction() as connection:  # noqa: SLF001 (ten thousand commits would be measured instead)
        connection.executemany(queries.INSERT, rows(count))
        tagged = [
            {"arn": f"{ARN}training-job/job-{number:06d}", "key": "rare", "value": "yes"}
            for number in range(0, count, count // RARE)
        ]
        connection.executemany(queries.PUT_TAG, tagged)
    made.close()


def asked(sagemaker: Any, count: int) -> dict[str, Ask]:  # noqa: ANN401 (boto3 makes its clients at run time)
    """Return what is measured."""
    asks: dict[str, Ask] = {}
    middle = f"{count // 2:06d}"

    def add(name: str, operation: str, **given: Any) -> None:  # noqa: ANN401 (any member of a request)
        asks[f"{operation}: {name}"] = lambda: getattr(sagemaker, operation)(**given)

    for kind in ("training", "processing"):
        operation = f"list_{kind}_jobs"
        add("first page", operation)
        add("100 of them", operation, MaxResults=100)
        add("by name, ascending", operation, SortBy="Name", SortOrder="Ascending")
        add("by status", operation, StatusEquals="Failed")
        add("by status, sorted by name", operation, StatusEquals="Failed", SortBy="Name")
        add("sorted by status", operation, SortBy="Status")
        add("part of a name", operation, NameContains=middle)
        add("after a time", operation, CreationTimeAfter=count - 1)
        add("before a time", operation, CreationTimeBefore=3)
        add("a page in the middle", operation, NextToken=halfway(sagemaker, operation, count))
    add("first page", "list_pipelines")
    add("by prefix", "list_pipelines", PipelineNamePrefix=f"pipe-{middle}")
    add("first page", "list_pipeline_executions", PipelineName="pipe-000000")
    add("before a time", "list_pipeline_executions", PipelineName="pipe-000000", CreatedBefore=6)
    add("of a pipeline with one", "list_pipeline_executions", PipelineName="pipe-000002")
    for resource in ("TrainingJob", "Pipeline", "PipelineExecution"):
        add(f"{resource}, newest", "search", Resource=resource)
    for name, filters in searches(middle).items():
        given = {"Resource": "TrainingJob", "SearchExpression": {"Filters": filters}}
        add(name, "search", **given)
    return asks


def searches(middle: str) -> dict[str, list[dict[str, str]]]:
    """Return filters of Search by what they are about."""
    return {
        "by name": [{"Name": "TrainingJobName", "Operator": "Equals", "Value": f"job-{middle}"}],
        "by status": [{"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Failed"}],
        "by tag": [{"Name": "Tags.rare", "Operator": "Equals", "Value": "yes"}],
        "by hyperparameter": [{"Name": "HyperParameters.depth", "Operator": "Equals", "Value": "7"}],
    }


def spent_s(pid: int, ask: Ask) -> float:
    """Return seconds of processor time that the process spends while it answers."""
    before = cpu_s(pid)
    ask()
    return cpu_s(pid) - before


def cpu_s(pid: int) -> float:
    """Return seconds of processor time of a process so far, to the nanosecond; its threads stay."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def halfway(sagemaker: Any, operation: str, count: int) -> str:  # noqa: ANN401
    """Return the token of a page in the middle."""
    token: dict[str, str] = {}
    for _ in range(max(1, count // 200)):
        answer = getattr(sagemaker, operation)(MaxResults=min(100, count // 2), **token)
        token = {"NextToken": answer["NextToken"]}
    return token["NextToken"]


def main() -> None:
    """Measure, and print."""
    seconds: dict[int, dict[str, float]] = {}
    for count in COUNTS:
        with tempfile.TemporaryDirectory(prefix="flywheel-benchmark-") as folder:
            root = Path(folder) / "root"
            fill(root, count)
            with local_service(root) as (url, pid):
                sagemaker = client("sagemaker", url)
                seconds[count] = {
                    name: statistics.median(spent_s(pid, ask) for _ in range(ROUNDS))
                    for name, ask in asked(sagemaker, count).items()
                }
    few, many = (seconds[count] for count in COUNTS)
    for name, spent in many.items():
        print(f"{name:<52}{spent * 1000:>9.1f} ms {spent / few[name]:>7.1f} times")


if __name__ == "__main__":
    main()
