"""What the service makes of requests that somebody wrote by hand: nothing that can be read in two ways."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from local_sagemaker.http import connection, shortcut
from local_sagemaker.service import Options, build
from sagemaker_kit.service import Service

HOST = b"Host: localhost\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
PUT = b"PUT /b-1/k HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
STREAMING = PUT + b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
INVOKE = b"POST /endpoints/none/invocations HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def service(start_shared_service: Callable[..., Service]) -> Service:
    """One service for all these tests, with the bucket b-1."""
    started = start_shared_service()
    started.s3.create_bucket(Bucket="b-1")
    return started


def connected(service: Service) -> socket.socket:
    """A connection to the service."""
    parts = urlsplit(service.url)
    made = socket.create_connection((parts.hostname, parts.port))
    made.settimeout(20)
    return made


def exchanged(service: Service, *pieces: bytes) -> bytes:
    """All that is answered to these bytes, and to a last request that ends the connection."""
    with connected(service) as made:
        for piece in pieces:
            made.sendall(piece)
        with suppress(OSError):  # the service may have closed it already
            made.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return received(made)


def received(made: socket.socket) -> bytes:
    """Everything that comes until the other side closes."""
    answer = b""
    try:
        while piece := made.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass  # it closed before it had read all
    return answer


@pytest.mark.parametrize(
    "beginning",
    [
        PUT + b"Content-Length: 9000\r\n\r\nabc",
        PUT + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        PUT + b"Content-Length: 3000000\r\n\r\n" + b"x" * 2_000_000,
        STREAMING + b"x-amz-decoded-content-length: 9\r\nContent-Length: 900\r\n\r\n5\r\nabc",
        INVOKE + b"Content-Length: 9000\r\n\r\nabc",
        b"POST /b-1?delete HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n<Delete>",
        POST + b"X-Amz-Target: SageMaker.ListModels\r\nContent-Length: 900\r\n\r\n{",
        POST + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\nAction",
    ],
)
def test_a_client_that_goes_away_is_no_mistake(service: Service, beginning: bytes) -> None:
    """The log has no traceback, and the service goes on."""
    begin = service.log.stat().st_size
    host, port = service.url.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(beginning)
    assert exchanged(service, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    service.stop()  # until all that was under way is written down
    logged = service.log.read_bytes()[begin:]
    service.start()
    assert (b"Traceback" in logged, b"ERROR" in logged) == (False, False), logged


@pytest.mark.parametrize(
    "request_",
    [
        PUT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH,
        INVOKE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH,
        PUT + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        INVOKE + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        PUT + b"Content-Length: 1, 1\r\n\r\na",
        PUT + b"Content-Length: +1\r\n\r\na",
        PUT + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        INVOKE + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        PUT + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        PUT + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n",
        PUT + b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
        PUT + b"X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n",
        INVOKE + b"X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        INVOKE + b"Content-Length : 0\r\n\r\n",
        INVOKE + b"X-A: b\x00c\r\nContent-Length: 0\r\n\r\n",
        INVOKE + b"X-A: b\rc\r\nContent-Length: 0\r\n\r\n",
        b"GET /health HTTP/1.1\nHost: localhost\n\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(service: Service, request_: bytes) -> None:
    """One answer, 400, and the end of the connection: what follows is not taken for a request."""
    answer = exchanged(service, request_)
    assert (answer.split(b"\r\n")[0], answer.count(b"HTTP/1.1 ")) == (b"HTTP/1.1 400 Bad Request", 1)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /health HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(9000)) + b"\r\n", b"431"),
        (b"GET /health HTTP/1.1\r\nX-A: " + b"y" * 33_000 + b"\r\n\r\n", b"431"),
        (INVOKE + b"X-A: " + b"y" * 33_000 + b"\r\nContent-Length: 0\r\n\r\n", b"431"),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 200_000 + b"\r\nx\r\n0\r\n\r\n", b"200"),
        (b"GET /b-1/k HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-" + b"9" * 5000 + b"\r\n\r\n", b"200"),
        (
            PUT.replace(b"/k ", b"/k2?partNumber=1&uploadId=none ")
            + b"x-amz-copy-source: b-1/k\r\nx-amz-copy-source-range: bytes=0-"
            + b"9" * 5000
            + b"\r\nContent-Length: 0\r\n\r\n",
            b"404",
        ),
        (
            STREAMING
            + b"x-amz-decoded-content-length: "
            + b"9" * 5000
            + b"\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            b"200",
        ),
        (
            STREAMING + b"Content-Length: 15\r\n\r\n 0_1 \r\na\r\n0\r\n\r\n",
            b"400",
        ),
        (
            HEALTH[:-2]
            + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            b"200",
        ),
    ],
)
def test_what_is_too_much_of_something_is_no_mistake_of_the_service(
    service: Service, request_: bytes, status: bytes
) -> None:
    """Long heads, numbers of thousands of digits and odd upgrades have an answer, and none of it is a 500."""
    service.s3.put_object(Bucket="b-1", Key="k", Body=b"x")
    assert exchanged(service, request_).split(b" ")[1] == status


@pytest.mark.parametrize(
    "path",
    [
        b"/b-1/../../sagemaker.sqlite",
        b"/b-1/%2e%2e/%2e%2e/sagemaker.sqlite",
        b"/b-1%2f..%2f..%2fsagemaker.sqlite",
        b"/../sagemaker.sqlite",
        b"/%2e%2e/sagemaker.sqlite",
        b"/.state/buckets/b-1",
        b"/b-1/%c0%ae%c0%ae/sagemaker.sqlite",
        b"/b-1/..%5c..%5csagemaker.sqlite",
        b"/b-1/%ef%bc%8e%ef%bc%8e/sagemaker.sqlite",
        b"/b-1/none%00/../../sagemaker.sqlite",
        b"/b-1/link/sagemaker.sqlite",
        b"/b-1/database",
        b"/b-2/sagemaker.sqlite",
        b"/b-1/none?uploadId=../../..",
        b"/b-1/none?uploadId=%2Fetc",
    ],
)
def test_no_path_leads_out_of_the_buckets(service: Service, path: bytes) -> None:
    """Not by dots however they are written, and not by links in a bucket or in its place."""
    for name, target in (("b-1/link", ".."), ("b-1/database", "../sagemaker.sqlite"), ("b-2", "..")):
        link = service.root / "s3" / name
        if not link.is_symlink():
            link.symlink_to(link.parent / target)
    for line in (b"GET ", b"HEAD ", b"DELETE "):
        answer = exchanged(service, line + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        # deleting an object that is not there succeeds, and deletes nothing
        assert answer.split(b" ")[1] in {b"404", b"400", b"204"}
        assert b"SQLite format" not in answer
    assert (service.root / "sagemaker.sqlite").exists()


@pytest.mark.parametrize(
    "source", [b"/../sagemaker.sqlite", b"/.state/x/y", b"b-1/%2e%2e/%2e%2e/sagemaker.sqlite"]
)
def test_no_copy_comes_from_outside(service: Service, source: bytes) -> None:
    """The source of a copy is a key like any other."""
    answer = exchanged(service, PUT + b"x-amz-copy-source: " + source + b"\r\nContent-Length: 0\r\n\r\n")
    assert answer.split(b" ")[1] == b"404"


def test_pipelined_invocations_are_answered_in_their_order(service: Service) -> None:
    """Requests that come in one piece, in halves, or behind each other are all answered, and once."""
    whole = INVOKE + b"Content-Length: 1\r\n\r\na"
    assert exchanged(service, whole * 3, whole[:20], whole[20:], whole, HEALTH).count(b"HTTP/1.1 ") == 7


def test_both_ways_answer_an_invocation_alike(service: Service) -> None:
    """A request that comes in two pieces takes the general way; its answer has the same members."""
    request = INVOKE + b"Content-Type: text/csv\r\nContent-Length: 3\r\n\r\nabc"
    answers = []
    for pieces in ((request,), (request[:30], request[30:])):
        with connected(service) as made:
            for piece in pieces:
                made.sendall(piece)
            head, _, body = made.recv(65536).partition(b"\r\n\r\n")
        status, *fields = head.split(b"\r\n")
        names = sorted(field.partition(b":")[0] for field in fields)
        answers.append((status, [name for name in names if name != b"date"], body))
    assert answers[0] == answers[1]
    assert answers[0][0] == b"HTTP/1.1 400 Bad Request"


@pytest.mark.parametrize(
    "changed",
    [
        INVOKE + b"Content-Length: 1\r\n\r\nab",
        INVOKE + b"Content-Length: 2\r\n\r\na",
        INVOKE + b"\r\n",
        INVOKE + b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        INVOKE + b"Content-Length: 0\r\nConnection: close\r\n\r\n",
        INVOKE.replace(b"none", b"no%6ee") + b"Content-Length: 0\r\n\r\n",
        INVOKE.replace(b"/invocations", b"/invocations-response-stream") + b"Content-Length: 0\r\n\r\n",
        INVOKE.replace(b"1.1", b"1.0") + b"Content-Length: 0\r\n\r\n",
    ],
)
def test_only_plain_requests_take_the_short_way(changed: bytes) -> None:
    """Whatever is unusual is left to the general way."""
    assert shortcut.read(INVOKE + b"Content-Length: 1\r\n\r\na") is not None
    assert shortcut.read(changed) is None


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET /health HT", b"HTTP/1.1 408 Request Timeout"),
        (PUT + b"Content-Length: 9\r\n\r\nab", b""),
        (b"", b""),
    ],
)
def test_a_client_that_keeps_silent_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes, answer: bytes
) -> None:
    """With half a head it is told why; with half a body, or nothing at all, the connection ends."""
    for name in ("HEAD_TIMEOUT_S", "BODY_TIMEOUT_S", "WATCH_INTERVAL_S"):
        monkeypatch.setattr(connection, name, 0.1)

    async def application(_scope: object, receive: Callable[[], Any], _send: object) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def end() -> bytes:
        config = Config(application, lifespan="off", log_config=None, timeout_keep_alive=0)
        context = build(Options(root=tmp_path)).context
        loop, state = asyncio.get_running_loop(), ServerState()
        server = await loop.create_server(
            lambda: connection.Connection(context, config=config, server_state=state, app_state={}),
            "127.0.0.1",
            0,
        )
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(sent)
            try:
                found = await reader.read()
            except ConnectionResetError:
                found = b""
            writer.transport.abort()
        context.store.close()
        return found.split(b"\r\n")[0]

    assert asyncio.run(asyncio.wait_for(end(), 20)) == answer
