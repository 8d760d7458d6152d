"""`python -m include.local_sagemaker --root DIR --port N`: run the local SageMaker until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvicorn

from include.local_sagemaker.auth import credentials
from include.local_sagemaker.connection import Connection
from include.local_sagemaker.migrations import SchemaError
from include.local_sagemaker.server import Application
from include.local_sagemaker.service import (
    Options,
    RootTakenError,
    RootUnusableError,
    build,
    lock_root,
    running,
)

USAGE_ERROR = 2
#: the project's own job image, which is there when no other is named
IMAGE = Path(__file__).resolve().parent.parent / "image" / "image.toml"
#: what a new notebook instance is given when nothing else is named
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
#: images that are always there, behind those that are named
ALWAYS = tuple(sorted((Path(__file__).resolve().parent / "images").glob("*/image.toml")))


def options_from(arguments: Sequence[str]) -> Options:
    """The options on the command line."""
    parser = argparse.ArgumentParser(prog="python -m include.local_sagemaker", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="directory of everything the service keeps")
    parser.add_argument("--port", type=int, default=4566, help="0 takes any free port (default: 4566)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--image",
        type=Path,
        action="append",
        default=[],
        help="image.toml, may be repeated (default: the project's)",
    )
    parser.add_argument(
        "--notebooks",
        type=Path,
        default=NOTEBOOKS,
        help="samples of notebook instances (default: the project's)",
    )
    parser.add_argument("--jobs", type=int, default=2, help="jobs that run at the same time (default: 2)")
    parser.add_argument(
        "--credentials",
        type=Path,
        help="access keys, as in ~/.aws/credentials: requests must then be signed by one of them",
    )
    given = parser.parse_args(arguments)
    for image in given.image:
        if not image.is_file():
            parser.error(f"--image {image}: there is no such file.")
    if not given.notebooks.is_dir():
        parser.error(f"--notebooks {given.notebooks}: there is no such folder.")
    if given.jobs < 1:
        parser.error(f"--jobs {given.jobs}: at least 1 job must be allowed to run.")
    try:
        keys = credentials.from_environment(os.environ)
        keys |= credentials.read(given.credentials) if given.credentials else {}
    except credentials.CredentialsError as error:
        parser.error(str(error))
    if not keys and not _is_loopback(given.host):
        parser.error(
            f"--host {given.host} can be reached from other machines, and this service runs whatever code "
            "it is given. Say whose requests it answers with --credentials, or use 127.0.0.1."
        )
    images = (*(image.resolve() for image in given.image or [IMAGE]), *ALWAYS)
    return Options(
        root=given.root.resolve(),
        host=given.host,
        port=given.port,
        images=images,
        notebooks=given.notebooks.resolve(),
        jobs=given.jobs,
        keys=keys,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(options: Options) -> socket.socket:
    """The listening socket; OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, every answer of two
    # pieces waits 40 ms for the client's delayed acknowledgement
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """Uvicorn without its own signal handlers, which would raise the signal again after a clean end."""

    def stop(self) -> None:
        """Finish the requests under way, then end."""
        self.should_exit = True


async def serve(options: Options, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; RootUnusableError if there is nothing to serve from."""
    try:
        context = build(options)
    except (OSError, sqlite3.Error) as error:
        raise RootUnusableError(options.root, error) from error
    config = uvicorn.Config(
        Application(context),
        http=Connection,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    server = Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    async with running(context):
        print(f"Local SageMaker is ready at {context.url}, root {context.root}", flush=True)  # noqa: T201 (its one line)
        await server._serve(sockets=[listener])  # noqa: SLF001 (serve() would install other signal handlers)


def main(arguments: Sequence[str]) -> int:
    """Run the service; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options = options_from(arguments)
    try:
        listener = listen(options)
    except OSError as error:
        print(  # noqa: T201 (its interface)
            f"Cannot listen on {options.host}:{options.port}: {error.strerror}. "
            "Stop what uses the port, or give another one with --port.",
            file=sys.stderr,
        )
        return USAGE_ERROR
    chosen = replace(options, port=listener.getsockname()[1])
    try:
        with lock_root(options.root), listener:
            asyncio.run(serve(chosen, listener))
    except (RootTakenError, RootUnusableError, SchemaError) as error:
        print(error, file=sys.stderr)  # noqa: T201 (its interface)
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
