"""Streamed answers at their limits: time, memory, and the event stream's own format."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Self

import pytest
from botocore.eventstream import EventStreamBuffer

from local_sagemaker.engine.endpoints.fleet import Fleet, Target, Variant
from local_sagemaker.engine.endpoints.invoke import TIMED_OUT, EndpointRoute, InvokeError
from local_sagemaker.engine.endpoints.streaming import StreamClient, stream
from local_sagemaker.engine.processes.wire import Client
from local_sagemaker.protocol import event_stream


def test_messages_are_what_botocore_reads() -> None:
    """Prelude, headers, payload and both checksums, of events and of exceptions."""
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream.part("PayloadPart", b"\x00\xff" * 500))
    buffer.add_data(event_stream.exception("ModelStreamError", {"Message": "é"}))
    messages: Iterator[Any] = iter(buffer)
    first, second = messages
    assert (first.headers[":event-type"], first.payload) == ("PayloadPart", b"\x00\xff" * 500)
    assert (second.headers[":exception-type"], json.loads(second.payload)) == (
        "ModelStreamError",
        {"Message": "é"},
    )


class Slow(threading.Thread):
    """A container that may begin its answer and never ends it."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__()
        self.beginning, self.port, self._over = beginning, 0, threading.Event()
        self._ready = threading.Event()

    def run(self) -> None:
        """Listen until `close`."""
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.beginning)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await asyncio.to_thread(self._over.wait)

    def __enter__(self) -> Self:
        self.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def streamed(beginning: bytes) -> list[bytes]:
    """Return what a client is sent when the container stays silent after `beginning`."""
    sent: list[bytes] = []

    async def run(port: int) -> None:
        async def begin(_: object) -> None:
            sent.append(b"head")

        async def send_part(piece: bytes) -> None:
            sent.append(piece)

        async def send_error(code: str, members: Mapping[str, str]) -> None:
            sent.append(json.dumps({"code": code, **members}).encode())

        served = Variant("main", 1.0, targets=[Target(Client(port))])
        route = EndpointRoute("flights", "0" * 12, "us-east-1", "InService", Fleet({"main": served}))
        await stream(route, {}, b"", StreamClient(begin, send_part, send_error), timeout_s=0.3)

    with Slow(beginning) as container:
        asyncio.run(run(container.port))
    return sent


def test_a_client_that_does_not_read_holds_the_container_up() -> None:
    """The service buffers nothing: the container can write no more than fits into the sockets."""
    piece, count = b"x" * 65_536, 1024
    stuck, reading = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(piece) * count))
        for _ in range(count):
            writer.write(piece)
            try:
                async with asyncio.timeout(0.5):
                    await writer.drain()
            except TimeoutError:
                stuck.set()
                await writer.drain()
        writer.close()

    async def run() -> int:
        async def begin(_: object) -> None:
            pass

        async def send_part(_: bytes) -> None:
            await reading.wait()

        async def send_error(*_: object) -> None:
            raise AssertionError

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            served = Variant("main", 1.0, targets=[Target(Client(server.sockets[0].getsockname()[1]))])
            route = EndpointRoute("flights", "0" * 12, "us-east-1", "InService", Fleet({"main": served}))
            client = StreamClient(begin, send_part, send_error)
            work = asyncio.create_task(stream(route, {}, b"", client))
            await asyncio.wait({work, asyncio.create_task(stuck.wait())}, return_when=asyncio.FIRST_COMPLETED)
            assert stuck.is_set()
            reading.set()
            await work
            return client.size

    assert asyncio.run(run()) == len(piece) * count


def test_an_answer_that_takes_too_long_ends_with_an_exception() -> None:
    """The parts so far arrive; the error says that the time is over."""
    head, first, last = streamed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
    error = json.loads(last)
    assert (head, first) == (b"head", b"one")
    assert (error["code"], error["ErrorCode"]) == ("ModelStreamError", "ModelInvocationTimeExceeded")


def test_an_answer_that_does_not_begin_in_time_is_a_model_error() -> None:
    """The stream has not begun, so the error is a normal answer."""
    with pytest.raises(InvokeError) as caught:
        streamed(b"")
    assert (caught.value.code, caught.value.members["OriginalMessage"]) == ("ModelError", TIMED_OUT)
