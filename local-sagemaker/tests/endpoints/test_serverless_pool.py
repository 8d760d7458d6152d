"""The containers of a serverless variant when a start takes long, or its invocation has given up."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.engine.endpoints import replica
from local_sagemaker.engine.endpoints.fleet import Fleet, Variant
from local_sagemaker.engine.endpoints.invoke import EndpointRoute, InvokeError, invoke
from local_sagemaker.engine.endpoints.replica import Replica, ServerlessPool
from local_sagemaker.engine.endpoints.streaming import StreamClient, stream
from local_sagemaker.engine.processes.container import ContainerSpec

PATIENCE_S = 60
#: listens once the file exists that its argument names
SERVER = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def pooled(
    folder: Path, scenario: Callable[[ServerlessPool, Variant, Callable[[], None]], Awaitable[None]]
) -> None:
    """Run a scenario with a pool whose containers start when the scenario calls its third argument."""
    (folder / "serve.py").write_text(SERVER)
    latch, variant = folder / "latch", Variant("main", 1.0)

    def new_replica(slot: int) -> Replica:
        spec = ContainerSpec(
            argv=(sys.executable, "-S", str(folder / "serve.py"), str(latch)),
            environment={"PATH": os.environ["PATH"]},
            workspace=folder / str(slot),
            log_path=folder / f"{slot}.log",
        )
        return Replica(spec, variant, lambda: None, health_timeout_s=PATIENCE_S)

    async def run() -> None:
        route = EndpointRoute("less", "0" * 12, "us-east-1", "InService")
        pool = ServerlessPool(route, variant, new_replica, limit=2, idle_s=PATIENCE_S)
        try:
            await scenario(pool, variant, latch.touch)
        finally:
            await pool.stop(PATIENCE_S)

    asyncio.run(run())


async def rested(variant: Variant) -> None:
    """Wait until a container has come up."""
    async with asyncio.timeout(PATIENCE_S):
        while not variant.targets:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0.01)


def test_a_start_that_takes_long_serves_a_later_invocation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first invocation gets 429; its start goes on and is not repeated."""
    monkeypatch.setattr(replica, "WAIT_TIMEOUT_S", 0.1)

    async def scenario(pool: ServerlessPool, variant: Variant, let: Callable[[], None]) -> None:
        for _ in range(2):
            with pytest.raises(InvokeError) as caught:
                await pool.take(0)
            assert (caught.value.code, caught.value.status) == ("ModelNotReadyException", 429)
        let()
        await rested(variant)
        target = await pool.take(0)
        assert variant.targets == [target]
        pool.give_back(target)

    pooled(tmp_path, scenario)
    assert not (tmp_path / "1").exists()


def test_an_invocation_that_gives_up_frees_its_slot(tmp_path: Path) -> None:
    """Its client leaves while the container starts; the container then serves the next invocation."""

    async def scenario(pool: ServerlessPool, variant: Variant, let: Callable[[], None]) -> None:
        first = [asyncio.create_task(pool.take(0)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(InvokeError, match="MaxConcurrency is 2") as caught:
            await pool.take(0)
        assert (caught.value.code, caught.value.status) == ("ThrottlingException", 429)
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)
        let()
        taken = [await pool.take(0) for _ in range(2)]
        assert set(map(id, taken)) == set(map(id, variant.targets))

    pooled(tmp_path, scenario)
    assert not (tmp_path / "2").exists()


def test_a_waiting_invocation_fails_when_the_variant_is_stopped(tmp_path: Path) -> None:
    """An endpoint may be deleted while a container starts; no container is left."""

    async def scenario(pool: ServerlessPool, variant: Variant, _: Callable[[], None]) -> None:
        waiting = asyncio.create_task(pool.take(0))
        await asyncio.sleep(0)
        await pool.stop(PATIENCE_S)
        for asked in (waiting, pool.take(0)):
            with pytest.raises(InvokeError, match="variant main") as caught:
                await asked
            assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
        assert variant.targets == []

    pooled(tmp_path, scenario)


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_a_refused_invocation_counts_once(*, is_streamed: bool) -> None:
    """It is an error of the client's in the metrics, however the answer was to come."""
    variant = Variant("main", 1.0)
    route = EndpointRoute("less", "0" * 12, "us-east-1", "InService", Fleet({"main": variant}))
    variant.pool = ServerlessPool(route, variant, unused, limit=0, idle_s=PATIENCE_S)
    client = StreamClient(unused, unused, unused)
    with pytest.raises(InvokeError, match="MaxConcurrency is 0"):
        asyncio.run(stream(route, {}, b"", client) if is_streamed else invoke(route, {}, b""))
    counters = variant.counters
    assert (counters.invocations, counters.errors_4xx, counters.errors_5xx) == (1, 1, 0)


def unused(*_: object) -> Any:  # noqa: ANN401 (it stands for functions of several kinds)
    """Stand for what a refused invocation never calls."""
    raise AssertionError
