"""Whether a container is healthy: GET /ping, as SageMaker asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from local_sagemaker.engine.processes.wire import Answer, Client, ContainerUnreachableError, head

#: SageMaker's limit of one ping, in seconds
PING_TIMEOUT_S = 2.0
#: how often a starting container is pinged, in seconds
POLL_S = 0.05
PING = head("GET", "/ping", [], 0)


class UnhealthyError(Exception):
    """A container did not become healthy; the text says what it did instead."""


async def ping(client: Client) -> str:
    """Empty when the container is healthy, else what is wrong with it."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            answer = await client.exchange(PING)
    except TimeoutError:
        return f"/ping did not answer within {PING_TIMEOUT_S:g} s"
    except ContainerUnreachableError as error:
        return str(error)
    return "" if answer.status == 200 else f"/ping answered {answer.status}"  # noqa: PLR2004 - HTTP's OK


async def healthy(client: Client, is_alive: Callable[[], bool], timeout_s: float) -> None:
    """Wait until the container is healthy; UnhealthyError after `timeout_s`, or when it is not alive."""
    said = ""
    try:
        async with asyncio.timeout(timeout_s):
            while said := await ping(client):
                if not is_alive():
                    raise UnhealthyError("it ended")
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise UnhealthyError(f"within {timeout_s:g} s it did not: {said or 'it does not answer'}") from None


async def get(client: Client, path: str) -> Answer | None:
    """What the container answers to GET `path`; None when it does not."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            return await client.exchange(head("GET", path, [], 0))
    except (TimeoutError, ContainerUnreachableError):
        return None
