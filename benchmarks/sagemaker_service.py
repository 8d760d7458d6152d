"""What the local SageMaker costs: a job's start, S3 beside moto's server, long lists, one invocation.

`python benchmarks/sagemaker_service.py [starts lists s3 invocations]` measures all of it, or what is named.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks import invocations as invoking  # noqa: E402 - the project is on the path only now
from benchmarks import moto_server  # noqa: E402
from local_sagemaker.domain import lifecycle  # noqa: E402
from local_sagemaker.engine.processes import process  # noqa: E402
from local_sagemaker.engine.processes.forks import Forks  # noqa: E402
from local_sagemaker.engine.processes.image import Images  # noqa: E402
from local_sagemaker.engine.processes.process import ProcessSpec  # noqa: E402
from local_sagemaker.storage import documents, queries, store  # noqa: E402

MEGABYTE = 1024 * 1024
LARGE_BYTES = 100 * MEGABYTE
ROUNDS = 5
#: what a step of training imports first of all
STEP = "import pandas, pyarrow.parquet, scipy.stats, sklearn.ensemble, sklearn.linear_model\n"
IMAGE = """
uri = ["bench:*"]
[entry_points]
process = ["{python}", "-I", "-u", "{dir}/step.py"]
[preload]
modules = ["pandas", "pyarrow.parquet", "scipy.stats", "sklearn.ensemble", "sklearn.linear_model"]
"""


@contextmanager
def service(root: Path, *options: str) -> Iterator[tuple[str, int]]:
    """URL and process id of a local SageMaker."""
    command = [sys.executable, "-m", "local_sagemaker", "--root", str(root), "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        found = re.match(r"Local SageMaker is ready at (\S+),", child.stdout.readline())
        assert found, "the service did not start"
        try:
            yield found.group(1), child.pid
        finally:
            child.terminate()


def client(name: str, url: str) -> Any:  # noqa: ANN401 (boto3 makes its clients at run time)
    """A client that asks once."""
    return boto3.client(
        name,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 (any is accepted)
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def memory_mb(pid: int, line: str = "VmHWM") -> float:
    """A size of a process's memory, its peak if not told otherwise."""
    [found] = re.findall(rf"{line}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found) / 1024


def starts(place: Path) -> None:
    """A process with the imports of a training step: started anew, forked, and what any process costs."""
    (place / "step.py").write_text(STEP)
    (place / "image.toml").write_text(IMAGE)
    images = Images([place / "image.toml"])
    image, forks = images.resolve("bench:1"), Forks(images)
    python = (image.python, "-I", "-S", "-c", "pass")
    found: dict[str, list[float]] = {"started": [], "forked": [], "bare": []}

    def run(name: str, number: int) -> float:
        argv = python if name == "bare" else image.command("process")
        workspace = place / f"{name}-{number}"
        workspace.mkdir()
        environment = image.variables({"OMP_NUM_THREADS": "2", "TRAINING_JOB_NAME": workspace.name})
        spec = ProcessSpec(argv, environment, workspace, place / "log")
        began = time.perf_counter()
        status = process.start(spec, forks if name == "forked" else None).wait(120)
        assert status == 0, (place / "log").read_text()[-500:]
        return time.perf_counter() - began

    run("forked", -1)  # brings the zygote
    forks.wait()
    for number in range(ROUNDS):
        for name, times in found.items():
            times.append(run(name, number))
    forks.close()
    medians = {name: statistics.median(times) for name, times in found.items()}
    for name, seconds in medians.items():
        print(f"{name:<28}{seconds:>9.3f} s")
    print(f"started / forked: {medians['started'] / medians['forked']:.1f} times")
    print(f"forked beyond a bare interpreter: {medians['forked'] - medians['bare']:.3f} s\n")


def lists(place: Path) -> None:
    """The first page, a page in the middle, and filters, of 100 and of 10,000 jobs."""
    found: dict[int, dict[str, float]] = {}
    for count in (100, 10_000):
        root = place / str(count)
        root.mkdir()
        fill(root, count)
        with service(root) as (url, _):
            found[count] = pages(client("sagemaker", url), count)
    for name, seconds in found[10_000].items():
        print(f"{name:<28}{seconds * 1000:>9.1f} ms, {seconds / found[100][name]:.1f} times that of 100 jobs")
    print()


def pages(sagemaker: Any, count: int) -> dict[str, float]:  # noqa: ANN401 (boto3 makes its clients at run time)
    """Seconds of one request, by what it asks for."""
    middle: dict[str, str] = {}
    for _ in range(count // 200):
        page = sagemaker.list_training_jobs(MaxResults=100, **middle)
        middle = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    asked: dict[str, dict[str, str]] = {
        "first page": {},
        "page in the middle": middle,
        "sorted by name": {"SortBy": "Name", "SortOrder": "Ascending"},
        "by status (one has it)": {"StatusEquals": "Failed"},
        "by name (one has it)": {"NameContains": f"-{count // 2:06d}"},
    }

    def seconds(given: dict[str, str]) -> float:
        return statistics.median(timed(lambda: sagemaker.list_training_jobs(**given)) for _ in range(9))

    return {name: seconds(given) for name, given in asked.items()}


def fill(root: Path, count: int) -> None:
    """A database of jobs that have ended, made at once."""
    made = store.Store(root / "sagemaker.sqlite")
    state = asdict(lifecycle.State(phase=lifecycle.Phase.ENDED, outcome=lifecycle.JobOutcome.COMPLETED))
    rows = [
        {
            "kind": "training-job",
            "name": f"job-{number:06d}",
            "parent": "",
            "arn": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/job-{number:06d}",
            "status": "Failed" if number == count // 2 else "Completed",
            "created": 1.0 + number,
            "modified": 1.0 + number,
            "document": documents.dumps({"TrainingJobStatus": "Completed", "Padding": "x" * 2000}),
            "state": documents.dumps(state),
        }
        for number in range(count)
    ]
    with made._transaction() as connection:  # noqa: SLF001 (ten thousand commits would be measured instead)
        connection.executemany(queries.INSERT, rows)
    made.close()


def s3(place: Path) -> None:
    """100 MB and 1 KB, put and got, here (durably, on the disk) and with moto's server (in memory)."""
    ours: dict[str, float] = {}
    theirs: dict[str, float] = {}
    body = place / "body"
    with body.open("wb") as file:
        for _ in range(LARGE_BYTES // MEGABYTE):
            file.write(os.urandom(MEGABYTE))
    with service(place / "root") as (url, pid):
        try:
            python = moto_server.environment(Path(tempfile.gettempdir()) / "flywheel-benchmark-moto")
        except moto_server.UnavailableError as error:
            print(f"moto cannot be installed, so it is left out: {error}")
            ours = traffic(url, pid, body)
        else:
            with moto_server.running(python, free_port()) as (other, other_pid):
                # in turn, so that both have the same neighbours
                rounds = [(traffic(other, other_pid, body), traffic(url, pid, body)) for _ in range(2)]
                theirs, ours = (mean([pair[side] for pair in rounds]) for side in (0, 1))
    print(f"{'S3':<28}{'here':>10}{'moto':>10}")
    for name, value in ours.items():
        beside = f"{theirs[name]:>10.1f}{value / theirs[name]:>8.1f} times" if theirs else ""
        print(f"{name:<28}{value:>10.1f}{beside}")
    print()


def mean(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Means by name."""
    return {name: statistics.fmean(each[name] for each in rounds) for name in rounds[0]}


def traffic(url: str, pid: int, body: Path) -> dict[str, float]:
    """Rates of one server, and how its memory grew."""
    made = client("s3", url)
    bucket = f"bench-{time.monotonic_ns()}"
    made.create_bucket(Bucket=bucket)
    small, count = b"x" * 1024, 300
    whole = TransferConfig(multipart_threshold=2 * LARGE_BYTES)
    made.put_object(Bucket=bucket, Key="warm", Body=small)
    before = memory_mb(pid, "VmRSS")
    put = statistics.median(
        timed(lambda: made.upload_file(str(body), bucket, "large", Config=whole)) for _ in range(3)
    )
    sizes = []

    def get() -> None:
        with closing(made.get_object(Bucket=bucket, Key="large")["Body"]) as stream:
            sizes.append(sum(len(piece) for piece in stream.iter_chunks(MEGABYTE)))

    got = statistics.median(timed(get) for _ in range(3))
    assert set(sizes) == {LARGE_BYTES}
    grown = max(0.0, memory_mb(pid) - before)

    def put_small() -> None:
        for number in range(count):
            made.put_object(Bucket=bucket, Key=f"{number % 100}", Body=small)

    def get_small() -> None:
        for number in range(count):
            with closing(made.get_object(Bucket=bucket, Key=f"{number % 100}")["Body"]) as stream:
                assert stream.read() == small

    return {
        "put 100 MB, MB/s": 100 / put,
        "get 100 MB, MB/s": 100 / got,
        "put 1 KB, a second": count / timed(put_small),
        "get 1 KB, a second": count / timed(get_small),
        "memory grew at most by, MB": grown,
    }


def invocations(place: Path) -> None:
    """Processor time of one InvokeEndpoint: the container's own, and what the service adds to it."""
    (place / "serve.py").write_text(invoking.SERVE)
    (place / "image.toml").write_text(invoking.IMAGE)
    with service(place / "root", "--image", str(place / "image.toml")) as (url, pid):
        invoking.measure(client("sagemaker", url), client("sagemaker-runtime", url), url, pid)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Measure what is asked for, and print."""
    parts = {part.__name__: part for part in (starts, lists, s3, invocations)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    for name in parser.parse_args().parts or parts:
        with tempfile.TemporaryDirectory(prefix="flywheel-benchmark-") as place:
            print(f"{name}: {parts[name].__doc__}")
            parts[name](Path(place))


if __name__ == "__main__":
    main()
