"""One-row requests to the served model against the same pipeline behind FastAPI and scikit-learn.

    python benchmarks/online.py MODEL_DIRECTORY

`MODEL_DIRECTORY` is what a training job of this project left (`model.tar.gz`, unpacked). Both servers run
at once on one machine, and take turns. Compare the ratios, never single numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = (1, 8, 32)
ROUNDS = 3
SECONDS = 2.0
#: how far two servers' scores may be apart
TOLERANCE = 1e-5
TICKS = os.sysconf("SC_CLK_TCK")

Figures = tuple[float, float, float, float]


@contextmanager
def running(arguments: list[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    """A server from its first listening on; gives its process id."""
    process = subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, f"{arguments} ended before it listened"
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def request_for(row: dict[str, object]) -> bytes:
    """One whole HTTP request."""
    body = json.dumps(row).encode()
    head = (
        "POST /invocations HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """Send one request; the answer's body."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def client(port: int, request: bytes, until: float, seconds: list[float]) -> None:
    """One keep-alive client that asks as fast as it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (start := time.perf_counter()) < until:
        await ask(reader, writer, request)
        seconds.append(time.perf_counter() - start)
    writer.close()
    await writer.wait_closed()


async def load(port: int, request: bytes, clients: int) -> list[float]:
    """Latencies of all requests of one round, in seconds."""
    seconds: list[float] = []
    until = time.perf_counter() + SECONDS
    await asyncio.gather(*(client(port, request, until, seconds) for _ in range(clients)))
    return seconds


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(port: int, pid: int, request: bytes, clients: int) -> Figures:
    """Requests a second, p50 and p99 in milliseconds, processor time of the server for one request in us."""
    before, start = cpu_seconds(pid), time.perf_counter()
    latencies = sorted(asyncio.run(load(port, request, clients)))
    wall = time.perf_counter() - start
    cpu = (cpu_seconds(pid) - before) / len(latencies) * 1e6
    p50, p99 = (latencies[int(len(latencies) * share)] * 1e3 for share in (0.5, 0.99))
    return len(latencies) / wall, p50, p99, cpu


def median(rounds: list[Figures]) -> Figures:
    """The median of each figure."""
    a, b, c, d = (statistics.median(values) for values in zip(*rounds, strict=True))
    return a, b, c, d


async def answer_of(port: int, request: bytes) -> float:
    """The score that a server gives."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    score = float(json.loads(await ask(reader, writer, request))["predictions"][0]["score"])
    writer.close()
    await writer.wait_closed()
    return score


def example(model: Path) -> dict[str, object]:
    """One row that the model knows how to read."""
    columns = json.loads((model / "signature.json").read_text())["columns"]
    return {each["name"]: 20.5 if each["type"] == "number" else each["values"][-1] for each in columns}


def main() -> None:
    """Start both, check that they answer alike, take turns, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="what a training job left: model.tar.gz, unpacked")
    model = parser.parse_args().model.resolve()
    request = request_for(example(model))
    ports = free_port(), free_port()
    with tempfile.TemporaryDirectory() as base:
        (Path(base) / "model").symlink_to(model)
        ours = [sys.executable, "-I", str(ROOT / "include/image/entrypoint.py"), "serve"]
        told = {
            "SAGEMAKER_BASE_DIR": base,
            "SAGEMAKER_BIND_TO_PORT": str(ports[0]),
            "FLYWHEEL_SERVE_HOST": "127.0.0.1",
        }
        plain = [sys.executable, str(ROOT / "benchmarks/plain_server.py"), str(model), str(ports[1])]
        with (
            running(ours, ports[0], told) as first,
            running(plain, ports[1], {"PYTHONPATH": str(ROOT)}) as second,
        ):
            scores = [asyncio.run(answer_of(port, request)) for port in ports]
            assert abs(scores[0] - scores[1]) < TOLERANCE, scores
            compare({"flywheel": (ports[0], first), "fastapi+sklearn": (ports[1], second)}, request)
    print(f"client: peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def compare(servers: dict[str, tuple[int, int]], request: bytes) -> None:
    """Measure both in turns and print a table."""
    print(f"{'server':16} {'clients':>7} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8}")
    for clients in CLIENTS:
        rounds: dict[str, list[Figures]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, (port, pid) in servers.items():
                rounds[name].append(measure(port, pid, request, clients))
        found = {name: median(each) for name, each in rounds.items()}
        for name, (rate, p50, p99, cpu) in found.items():
            print(f"{name:16} {clients:7} {rate:11.0f} {p50:8.2f} {p99:8.2f} {cpu:8.0f}")
        ours, plain = found.values()
        rate, p99, cpu = ours[0] / plain[0], plain[2] / ours[2], plain[3] / ours[3]
        print(f"{'ratio':16} {clients:7} {rate:10.1f}x {'':8} {p99:7.1f}x {cpu:7.1f}x")


if __name__ == "__main__":
    main()
