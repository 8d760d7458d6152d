"""The model servers of a batch transform: `serve` processes below the job's own, and the way to ask them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from local_sagemaker.engine.processes import container, wire

HEALTH_TIMEOUT_S = 240.0
#: SageMaker's defaults of ModelClientConfig
TIMEOUT_S = 600
RETRIES = 3
#: pause before a request is tried again, in seconds, doubled each time
PAUSE_S = 0.2
#: request member -> variable that tells the container of it
SETTING_VARIABLES = {
    "MaxPayloadInMB": "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    "BatchStrategy": "SAGEMAKER_BATCH_STRATEGY",
    "MaxConcurrentTransforms": "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
}
WORDS = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
#: how much of a model's error message a FailureReason quotes, in characters
MESSAGE_LIMIT = 300


class ModelRefusedError(Exception):
    """The model answered a request with an error, or not at all, as often as it was tried."""


class ServerError(Exception):
    """The model cannot be served: there is no sense in going on."""


class Server:
    """One `serve` process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.client = wire.Client(port)
        self.slots = asyncio.Semaphore(1)

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.returncode is None


class ServerPool:
    """All servers of a job."""

    def __init__(self, servers: list[Server], request: Mapping[str, Any]) -> None:
        self._servers = servers
        client = request.get("ModelClientConfig", {})
        self._timeout_s = client.get("InvocationsTimeoutInSeconds", TIMEOUT_S)
        self._tries = client.get("InvocationsMaxRetries", RETRIES) + 1
        self._next = 0
        self.slots = len(servers)

    @classmethod
    @asynccontextmanager
    async def started(cls, job: Mapping[str, Any]) -> AsyncIterator[ServerPool]:
        """Start the job's servers and stop them at the end; ServerError when one does not become healthy."""
        servers = [await _serve(job) for _ in range(job["instances"])]
        try:
            for server in servers:
                problem = await container.wait_until_healthy(server.client, server.is_alive, HEALTH_TIMEOUT_S)
                if problem:
                    raise ServerError(
                        f"The container did not pass the ping health check: {problem}. It must listen on the "
                        f"port in {wire.PORT_VARIABLE} and answer GET /ping with 200; its log is this job's."
                    )
            yield cls(servers, job["request"])
        finally:
            for server in servers:
                server.client.close()
                if server.is_alive():
                    server.process.kill()
                await server.process.wait()

    def allow(self, max_concurrent: int) -> None:
        """Let each server have so many requests at a time."""
        for server in self._servers:
            server.slots = asyncio.Semaphore(max_concurrent)
        self.slots = max_concurrent * len(self._servers)

    async def parameters(self) -> dict[str, Any]:
        """Return the container's execution parameters; an empty object if it has none."""
        answer, _ = await container.ask(self._servers[0].client, "/execution-parameters")
        parameters: object = None
        if answer is not None and answer.status == HTTPStatus.OK:
            with suppress(ValueError):
                parameters = json.loads(answer.body)
        return parameters if isinstance(parameters, dict) else {}

    async def ask(self, request: bytes, body: bytes) -> wire.Answer:
        """Return the model's answer; raise ModelRefusedError, or ServerError if the server is gone."""
        self._next += 1
        server = self._servers[self._next % len(self._servers)]
        async with server.slots:
            complaint = ""
            for attempt in range(self._tries):
                if attempt:
                    await asyncio.sleep(PAUSE_S * 2**attempt)
                answer, complaint = await self._try(server, request, body)
                if answer is not None:
                    return answer
        raise ModelRefusedError(f"{complaint} It was asked {self._tries} times.")

    async def _try(self, server: Server, request: bytes, body: bytes) -> tuple[wire.Answer | None, str]:
        """Return an answer, or None and the reason to try again."""
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await server.client.exchange(request, body)
        except TimeoutError:
            return None, f"The model did not answer within {self._timeout_s} s (InvocationsTimeoutInSeconds)."
        except wire.ContainerUnreachableError as error:
            await asyncio.sleep(PAUSE_S)  # let the end of the process be noticed
            if not server.is_alive():
                raise ServerError(
                    f"The container ended with exit status {server.process.returncode}."
                ) from error
            return None, str(error)
        if answer.status in range(200, 300):
            return answer, ""
        message = answer.body[:MESSAGE_LIMIT].decode("utf-8", "replace")
        complaint = f"The model answered with status {answer.status}: {message}"
        if answer.status in range(400, 500):
            raise ModelRefusedError(complaint)
        return None, complaint


async def _serve(job: Mapping[str, Any]) -> Server:
    port = wire.free_port()
    given = {member: str(job["request"][member]) for member in SETTING_VARIABLES if member in job["request"]}
    settings = {SETTING_VARIABLES[member]: WORDS.get(value, value) for member, value in given.items()}
    environment = {**job["environment"], **settings, "SAGEMAKER_BATCH": "true", wire.PORT_VARIABLE: str(port)}
    try:
        process = await asyncio.create_subprocess_exec(*job["argv"], env=environment)
    except OSError as error:
        raise ServerError(f"The container could not be started: {error}.") from error
    return Server(process, port)
