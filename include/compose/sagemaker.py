"""The local SageMaker in a container: the service on its loopback, its bucket, and a relay.

The service refuses to listen on anything but the loopback, since it runs the code it is given without asking
who gives it. Here the network is that of docker-compose.yml, which only Airflow's containers are in, and they
may run code in it anyway. The service keeps the loopback; the relay has the same port on the other addresses.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
import httpx
from botocore.exceptions import ClientError

LOOPBACK = "127.0.0.1"
PIECE_BYTES = 256 * 1024
#: between two looks at a service that is starting, in seconds
LOOK_INTERVAL_S = 0.2
#: one question to the service, in seconds
QUESTION_TIMEOUT_S = 5.0


async def relay(hosts: Sequence[str], port: int) -> asyncio.Server:
    """Pass on what comes to `port` of `hosts` to the same port of the loopback, and the answers back."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner, outer = await asyncio.open_connection(LOOPBACK, port)
        except OSError:
            writer.close()  # the client sees what it would see without a relay: nobody is there
            return
        try:
            await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
        finally:
            for each in (outer, writer):
                each.close()

    return await asyncio.start_server(connection, hosts, port)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy until one side has ended, and tell the other; answers may still come the other way."""
    with contextlib.suppress(OSError):  # a side that went away: the other hears of it below
        while piece := await source.read(PIECE_BYTES):
            target.write(piece)
            await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


async def ready(url: str, service: asyncio.subprocess.Process) -> bool:
    """Wait until the service answers; False if it has ended instead."""
    async with httpx.AsyncClient(timeout=QUESTION_TIMEOUT_S) as client:
        while service.returncode is None:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{url}/health")).is_success:
                    return True
            await asyncio.sleep(LOOK_INTERVAL_S)
    return False


def make_bucket(url: str, bucket: str) -> None:
    """Make the cycles' bucket, if it is not there."""
    s3 = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="any-key-will-do",  # noqa: S106 - the local service takes any
    )
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise


def network_addresses() -> list[str]:
    """The addresses other containers reach this one by."""
    found = socket.getaddrinfo(socket.gethostname(), None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found if not str(address[0]).startswith("127.")})


async def serve(options: argparse.Namespace) -> int:
    """Run the service and the relay until the service ends; its exit code."""
    command = ["--root", str(options.root), "--port", str(options.port), "--jobs", str(options.jobs)]
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "include.local_sagemaker", "--host", LOOPBACK, *command
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _pass_on, service, number)
    url = f"http://{LOOPBACK}:{options.port}"
    if await ready(url, service):
        await asyncio.to_thread(make_bucket, url, options.bucket)
        server = await relay(options.host or network_addresses(), options.port)
        await service.wait()
        server.close()
    return await service.wait()


def _pass_on(service: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        service.send_signal(number)


def main(arguments: Sequence[str]) -> int:
    """What the container runs."""
    parser = argparse.ArgumentParser(prog="python -m include.compose.sagemaker", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="directory of everything the service keeps")
    parser.add_argument("--port", type=int, default=4566, help="port, on the loopback and on the network")
    parser.add_argument("--jobs", type=int, default=2, help="jobs that run at the same time")
    parser.add_argument(
        "--bucket", default=os.environ.get("FLYWHEEL_BUCKET", "flywheel"), help="bucket to make"
    )
    parser.add_argument(
        "--host", action="append", default=[], help="address of the relay (default: all but the loopback)"
    )
    return asyncio.run(serve(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
