"""The command `local-sagemaker`, also `python -m local_sagemaker`: run the service until it is stopped."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import socket
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import replace

import uvicorn

from local_sagemaker.command_line import options_from
from local_sagemaker.http.connection import Connection
from local_sagemaker.http.server import Application
from local_sagemaker.reset import ResetRefusedError, ask, reset
from local_sagemaker.service import Options, RootTakenError, RootUnusableError, build, lock_root, running
from local_sagemaker.storage.migrations import SchemaError

USAGE_ERROR = 2


def listen(options: Options) -> socket.socket:
    """Return the listening socket; raise OSError when the port is taken."""
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
        parts = build(options)
    except (OSError, sqlite3.Error) as error:
        raise RootUnusableError(options.root, error) from error
    config = uvicorn.Config(
        Application(parts.context),
        http=functools.partial(Connection, parts.context),  # type: ignore[arg-type]  # it makes what is asked for
        ws="none",
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    server = Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    async with running(parts):
        print(f"Local SageMaker is ready at {parts.context.url}, root {parts.context.root}", flush=True)  # noqa: T201 (its one line)
        await server._serve(sockets=[listener])  # noqa: SLF001 (serve() would install other signal handlers)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of libuv if it is installed, since it needs less processor time; else Python's own."""
    try:
        import uvloop  # noqa: PLC0415 - it is not there on every system
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the service by the process's arguments, or by these; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options = options_from(sys.argv[1:] if arguments is None else arguments)
    if options.is_reset:
        return _reset(options)
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
        with lock_root(options.root), listener, asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(chosen, listener))
    except (RootTakenError, RootUnusableError, SchemaError) as error:
        print(error, file=sys.stderr)  # noqa: T201 (its interface)
        return USAGE_ERROR
    return 0


def _reset(options: Options) -> int:
    try:
        reset(options.root, (lambda _question: True) if options.is_confirmed else ask)
    except (ResetRefusedError, RootTakenError, RootUnusableError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 (its interface)
        return USAGE_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
