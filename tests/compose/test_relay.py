"""The relay before the local SageMaker passes everything on, in both directions."""

from __future__ import annotations

import asyncio
import hashlib

from include.compose import sagemaker

BODY = b"0123456789abcdef" * 65536  # 1 MB


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the digest of what came until the client was done."""
    writer.write(hashlib.sha256(await reader.read()).hexdigest().encode())
    await writer.drain()
    writer.close()


def test_what_goes_through_the_relay_arrives():
    """A client that ends its request still gets the answer."""

    async def exchange() -> bytes:
        inner = await asyncio.start_server(_echo, "127.0.0.1", 0)
        port = inner.sockets[0].getsockname()[1]
        outer = await sagemaker.relay(["127.0.0.2"], port)
        reader, writer = await asyncio.open_connection("127.0.0.2", port)
        writer.write(BODY)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        for server in (outer, inner):
            server.close()
            await server.wait_closed()
        return answer

    assert asyncio.run(exchange()) == hashlib.sha256(BODY).hexdigest().encode()


def test_nobody_behind_the_relay_is_a_closed_connection():
    """While the service is away, a client sees its connection end."""

    async def exchange() -> bytes:
        probe = await asyncio.start_server(_echo, "127.0.0.1", 0)
        port = probe.sockets[0].getsockname()[1]
        probe.close()
        await probe.wait_closed()
        outer = await sagemaker.relay(["127.0.0.2"], port)
        reader, writer = await asyncio.open_connection("127.0.0.2", port)
        answer = await reader.read()
        writer.close()
        outer.close()
        await outer.wait_closed()
        return answer

    assert asyncio.run(exchange()) == b""
