"""What the local SageMaker costs: a job's start, S3 beside moto's server, one invocation.

`python -m benchmarks.sagemaker_service [starts s3 invocations]` measures all of it, or what is named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from benchmarks import invocations as invoking
from benchmarks.harness import client, free_port, local_service, memory_mib, server, timed
from local_sagemaker.engine.processes import process
from local_sagemaker.engine.processes.forks import Forks
from local_sagemaker.engine.processes.image import Images
from local_sagemaker.engine.processes.process import ProcessSpec

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


def starts(folder: Path) -> None:
    """Start a process with the imports of a training step: anew, forked, and one without imports."""
    (folder / "step.py").write_text(STEP)
    (folder / "image.toml").write_text(IMAGE)
    images = Images([folder / "image.toml"])
    image, forks = images.resolve("bench:1"), Forks(images)
    python = (image.python, "-I", "-S", "-c", "pass")
    times_s: dict[str, list[float]] = {"started": [], "forked": [], "bare": []}

    def run(name: str, number: int) -> float:
        argv = python if name == "bare" else image.command("process")
        workspace = folder / f"{name}-{number}"
        workspace.mkdir()
        environment = image.variables(
            {"OMP_NUM_THREADS": "2", "TRAINING_JOB_NAME": workspace.name}, workspace
        )
        spec = ProcessSpec(argv, environment, workspace, folder / "log")
        began = time.perf_counter()
        status = process.start(spec, forks if name == "forked" else None).wait(120)
        assert status == 0, (folder / "log").read_text()[-500:]
        return time.perf_counter() - began

    run("forked", -1)  # brings the zygote
    forks.wait()
    for number in range(ROUNDS):
        for name, times in times_s.items():
            times.append(run(name, number))
    forks.close()
    medians = {name: statistics.median(times) for name, times in times_s.items()}
    for name, seconds in medians.items():
        print(f"{name:<28}{seconds:>9.3f} s")
    print(f"started / forked: {medians['started'] / medians['forked']:.1f} times")
    print(f"forked beyond a bare interpreter: {medians['forked'] - medians['bare']:.3f} s\n")


def s3(folder: Path) -> None:
    """Put and get 100 MB and 1 KB, here (durably, on the disk) and with moto's server (in memory)."""
    ours: dict[str, float] = {}
    theirs: dict[str, float] = {}
    body = folder / "body"
    with body.open("wb") as file:
        for _ in range(LARGE_BYTES // MEGABYTE):
            file.write(os.urandom(MEGABYTE))
    with local_service(folder / "root") as (url, pid):
        python = moto_environment(Path(tempfile.gettempdir()) / "flywheel-benchmark-moto")
        if python is None:
            ours = traffic(url, pid, body)
        else:
            port = free_port()
            command = [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
            with server(command, port) as other_pid:
                other = f"http://127.0.0.1:{port}"
                # alternately, so that both have the same neighbours
                rounds = [(traffic(other, other_pid, body), traffic(url, pid, body)) for _ in range(2)]
                theirs, ours = (mean([pair[side] for pair in rounds]) for side in (0, 1))
    print(f"{'S3':<28}{'here':>10}{'moto':>10}")
    for name, value in ours.items():
        beside = f"{theirs[name]:>10.1f}{value / theirs[name]:>8.1f} times" if theirs else ""
        print(f"{name:<28}{value:>10.1f}{beside}")
    print()


def moto_environment(folder: Path) -> Path | None:
    """Return the interpreter of an environment with moto, made if it is not there; None if it cannot be."""
    python = folder / "bin/python"
    if (folder / "bin/moto_server").exists():
        return python
    make, install = [sys.executable, "-m", "venv"], [str(python), "-m", "pip", "install", "-q"]
    if uv := shutil.which("uv"):
        make, install = (
            [uv, "venv", "--python", sys.executable],
            [uv, "pip", "install", "--python", str(python)],
        )
    for command in ([*make, str(folder)], [*install, "moto[server,s3]"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            print(f"moto cannot be installed, so it is left out: {done.stderr.strip()[-300:]}")
            return None
    return python


def mean(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return means by name."""
    return {name: statistics.fmean(figures[name] for figures in rounds) for name in rounds[0]}


def traffic(url: str, pid: int, body: Path) -> dict[str, float]:
    """Return rates of one server, and how its memory grew."""
    made = client("s3", url)
    bucket = f"bench-{time.monotonic_ns()}"
    made.create_bucket(Bucket=bucket)
    small, count = b"x" * 1024, 300
    whole = TransferConfig(multipart_threshold=2 * LARGE_BYTES)
    made.put_object(Bucket=bucket, Key="warm", Body=small)
    before = memory_mib(pid, "VmRSS")
    put = statistics.median(
        timed(lambda: made.upload_file(str(body), bucket, "large", Config=whole)) for _ in range(3)
    )
    sizes = []

    def get() -> None:
        with closing(made.get_object(Bucket=bucket, Key="large")["Body"]) as stream:
            sizes.append(sum(len(piece) for piece in stream.iter_chunks(MEGABYTE)))

    got = statistics.median(timed(get) for _ in range(3))
    assert set(sizes) == {LARGE_BYTES}
    grown = max(0.0, memory_mib(pid) - before)

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


def invocations(folder: Path) -> None:
    """Measure processor time of one InvokeEndpoint: the container's own, and what the service adds to it."""
    (folder / "serve.py").write_text(invoking.SERVE)
    (folder / "image.toml").write_text(invoking.IMAGE)
    with local_service(folder / "root", "--image", str(folder / "image.toml")) as (url, pid):
        invoking.measure(client("sagemaker", url), client("sagemaker-runtime", url), url, pid)


def main() -> None:
    """Measure what is asked for, and print."""
    parts = {part.__name__: part for part in (starts, s3, invocations)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    for name in parser.parse_args().parts or parts:
        with tempfile.TemporaryDirectory(prefix="flywheel-benchmark-") as folder:
            print(f"{name}: {parts[name].__doc__}")
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
