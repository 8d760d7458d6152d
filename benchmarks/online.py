"""One-row requests to the served model against the same pipeline behind FastAPI and scikit-learn.

    python -m benchmarks.online MODEL_DIRECTORY

`MODEL_DIRECTORY` is what a training job of this project left (`model.tar.gz`, unpacked). Both servers run
at once on one machine, and are asked alternately. Compare the ratios, never single numbers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import PROJECT, ask, cpu_s, free_port, load, memory_mib, server

CLIENTS = (1, 8, 32)
ROUNDS = 3
SECONDS = 2.0
#: how far two servers' scores may be apart
TOLERANCE = 1e-5
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

Figures = tuple[float, float, float, float]


def request_for(row: dict[str, object]) -> bytes:
    """Return one whole HTTP request."""
    body = json.dumps(row).encode()
    head = (
        "POST /invocations HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def measure(port: int, pid: int, request: bytes, clients: int) -> Figures:
    """Return requests a second, p50 and p99 in ms, and the server's processor time for a request in us."""
    before, start = cpu_s(pid), time.perf_counter()
    until = start + SECONDS
    latencies = sorted(load(("127.0.0.1", port), request, clients, lambda _: time.perf_counter() >= until))
    wall = time.perf_counter() - start
    cpu = (cpu_s(pid) - before) / len(latencies) * 1e6
    p50, p99 = (latencies[int(len(latencies) * share)] * 1e3 for share in (0.5, 0.99))
    return len(latencies) / wall, p50, p99, cpu


def median(rounds: list[Figures]) -> Figures:
    """Return the median of each figure."""
    a, b, c, d = (statistics.median(values) for values in zip(*rounds, strict=True))
    return a, b, c, d


def answer_of(port: int, request: bytes) -> float:
    """Return the score that a server gives."""
    return float(json.loads(ask(("127.0.0.1", port), request))["predictions"][0]["score"])


def example(model: Path) -> dict[str, object]:
    """Return one row that the model knows how to read."""
    columns = json.loads((model / "signature.json").read_text())["columns"]
    return {
        column["name"]: 20.5 if column["type"] == "number" else column["values"][-1] for column in columns
    }


def main() -> None:
    """Start both, check that they answer alike, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="what a training job left: model.tar.gz, unpacked")
    model = parser.parse_args().model.resolve()
    request = request_for(example(model))
    ports = free_port(), free_port()
    with tempfile.TemporaryDirectory() as base:
        (Path(base) / "model").symlink_to(model)
        ours = [sys.executable, "-I", str(PROJECT / "include/image/entrypoint.py"), "serve"]
        environment = {
            "SAGEMAKER_BASE_DIR": base,
            "SAGEMAKER_BIND_TO_PORT": str(ports[0]),
            "FLYWHEEL_SERVE_HOST": "127.0.0.1",
        }
        plain = [sys.executable, "-m", "benchmarks.plain_server", str(model), str(ports[1])]
        with (
            server(ours, ports[0], environment | ONE_THREAD) as first,
            server(plain, ports[1], ONE_THREAD) as second,
        ):
            scores = [answer_of(port, request) for port in ports]
            assert abs(scores[0] - scores[1]) < TOLERANCE, scores
            compare({"flywheel": (ports[0], first), "fastapi+sklearn": (ports[1], second)}, request)
    print(f"client: peak memory {memory_mib():.0f} MiB")


def compare(servers: dict[str, tuple[int, int]], request: bytes) -> None:
    """Measure both alternately and print a table."""
    print(f"{'server':16} {'clients':>7} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8}")
    for clients in CLIENTS:
        rounds: dict[str, list[Figures]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, (port, pid) in servers.items():
                rounds[name].append(measure(port, pid, request, clients))
        medians = {name: median(figures) for name, figures in rounds.items()}
        for name, (rate, p50, p99, cpu) in medians.items():
            print(f"{name:16} {clients:7} {rate:11.0f} {p50:8.2f} {p99:8.2f} {cpu:8.0f}")
        ours, plain = medians.values()
        rate, p99, cpu = ours[0] / plain[0], plain[2] / ours[2], plain[3] / ours[3]
        print(f"{'ratio':16} {clients:7} {rate:10.1f}x {'':8} {p99:7.1f}x {cpu:7.1f}x")


if __name__ == "__main__":
    main()
