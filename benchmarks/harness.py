"""What the benchmarks share: servers of their own, requests over connections that are kept, and readings."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
import psutil
from botocore.config import Config

PROJECT = Path(__file__).resolve().parent.parent
#: how long a server may take to listen, in seconds
START_S = 60.0
NOTHING: Mapping[str, str] = MappingProxyType({})


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(command: Sequence[str], port: int, environment: Mapping[str, str] = NOTHING) -> Iterator[int]:
    """Yield the process id of a server from its first listening on; it ends with the block."""
    deadline = time.monotonic() + START_S
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not _is_listening(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{' '.join(command)} does not listen on port {port}.")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def local_service(root: Path, *options: str) -> Iterator[tuple[str, int]]:
    """Yield URL and process id of a local SageMaker."""
    port = free_port()
    command = [sys.executable, "-m", "local_sagemaker", "--root", str(root), "--port", str(port), *options]
    with server(command, port) as pid:
        yield f"http://127.0.0.1:{port}", pid


def client(name: str, url: str) -> Any:  # noqa: ANN401 (boto3 makes its clients at run time)
    """Return a boto3 client that asks once."""
    return boto3.client(
        name,  # type: ignore[call-overload]  # any service
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 (any is accepted)
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )


def load(
    address: tuple[str, int], request: bytes, connections: int, is_over: Callable[[int], bool]
) -> list[float]:
    """Send the same HTTP request over several connections at once, each as fast as it is answered.

    :param is_over: tells by the number of requests sent whether to end
    :return: seconds of every answer
    """
    seconds: list[float] = []
    sent = 0

    async def ask_on() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection(*address)
        while not is_over(sent):
            sent += 1
            began = time.perf_counter()
            await _ask(reader, writer, request)
            seconds.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    async def ask_all() -> None:
        await asyncio.gather(*(ask_on() for _ in range(connections)))

    asyncio.run(ask_all())
    return seconds


def ask(address: tuple[str, int], request: bytes) -> bytes:
    """Send one HTTP request, and return the body of the answer."""

    async def ask_once() -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        body = await _ask(reader, writer, request)
        writer.close()
        await writer.wait_closed()
        return body

    return asyncio.run(ask_once())


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


def timed(work: Callable[[], object]) -> float:
    """Return seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_s(pid: int) -> float:
    """Return seconds of processor time of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def memory_mib(pid: int | str = "self", line: str = "VmHWM") -> float:
    """Return a size of a process's memory in MiB, its peak unless another line of its status is named."""
    [size_kib] = re.findall(rf"{line}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(size_kib) / 1024
