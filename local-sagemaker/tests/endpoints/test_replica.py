"""A container that dies or hangs is replaced, and the invocations it failed are counted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local_sagemaker.engine.endpoints import replica
from local_sagemaker.engine.endpoints.fleet import Fleet, Variant
from local_sagemaker.engine.endpoints.invoke import EndpointRoute, InvokeError, invoke
from local_sagemaker.engine.endpoints.replica import Replica
from local_sagemaker.engine.processes import container
from local_sagemaker.engine.processes.container import ContainerSpec

PATIENCE_S = 60
#: answers with its process id; hangs once the file beside it is newer than the process
SERVER = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
STOP, BORN = sys.argv[1], time.time()
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass
    def do_GET(self):
        if os.path.exists(STOP) and os.path.getmtime(STOP) > BORN:
            time.sleep(3600)
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times between a fault and the reaction to it."""
    monkeypatch.setattr(replica, "PING_INTERVAL_S", 0.2)
    monkeypatch.setattr(replica, "PING_FAILURES", 2)
    monkeypatch.setattr(container, "PING_TIMEOUT_S", 0.5)


def kill(pid: int, _: Path) -> None:
    """End the container as the kernel does when memory is short."""
    os.kill(pid, signal.SIGKILL)


def hang(_: int, stop: Path) -> None:
    """Let the container answer nothing any more, pings included."""
    stop.touch()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [kill, hang])
def test_a_container_that_fails_is_replaced(tmp_path: Path, fault: Callable[[int, Path], None]) -> None:
    """Another process answers then, and the variant's counters show the restart."""
    (tmp_path / "serve.py").write_text(SERVER)
    stop = tmp_path / "stop"
    spec = ContainerSpec(
        argv=(sys.executable, "-S", str(tmp_path / "serve.py"), str(stop)),
        environment={"PATH": os.environ["PATH"]},
        workspace=tmp_path / "workspace",
        log_path=tmp_path / "log",
    )
    variant = Variant("champion", 1.0)

    async def scenario() -> tuple[int, int]:
        made = Replica(spec, variant, lambda: None, health_timeout_s=PATIENCE_S)
        await made.launch()
        made.join_traffic()
        try:
            route = EndpointRoute("flights", "0", "us-east-1", "InService", Fleet({"champion": variant}))
            first = int((await invoke(route, {}, b"")).body)
            fault(first, stop)
            async with asyncio.timeout(PATIENCE_S):
                return first, await another(route)
        finally:
            await made.stop()

    async def another(route: EndpointRoute) -> int:
        while True:
            await asyncio.sleep(0.05)
            if variant.counters.restarts and variant.choose_target() is not None:
                try:
                    return int((await invoke(route, {}, b"")).body)
                except InvokeError:
                    assert variant.counters.errors_5xx

    first, second = asyncio.run(scenario())
    assert second != first
    assert variant.counters.restarts == 1
    assert not Path(f"/proc/{second}").exists()


def test_an_invocation_without_a_container_is_an_error_of_the_variant() -> None:
    """A canary whose container has died must raise its alarm."""
    variant = Variant("canary", 1.0)
    route = EndpointRoute("flights", "0", "us-east-1", "InService", Fleet({"canary": variant}))
    with pytest.raises(InvokeError, match="variant canary") as caught:
        asyncio.run(invoke(route, {}, b""))
    assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
    ((_, tally),) = variant.counters.meter.tallies(0, float("inf"))
    assert (tally.invocations, tally.errors_5xx, tally.model_us.count) == (1, 1, 0)
