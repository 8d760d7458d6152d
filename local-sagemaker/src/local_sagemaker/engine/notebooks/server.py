"""The JupyterLab of a notebook instance: started, found again after a restart, judged, stopped."""

from __future__ import annotations

import asyncio
import json
import socket

from local_sagemaker.engine.notebooks.home import NotebookHome
from local_sagemaker.engine.notebooks.samples import Samples
from local_sagemaker.engine.processes import container as containers
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.container import Container, ContainerError, ContainerSpec
from local_sagemaker.engine.processes.ports import free_port

WORKSPACE, STREAM = "jupyter", "jupyter.log"
#: what JupyterLab may need to answer for the first time, in seconds
START_TIMEOUT_S = 240.0
POLL_S = 0.1
MISSING = "No module named jupyterlab"


class NotebookError(Exception):
    """An instance cannot go on; the message is its FailureReason."""


def spec_of(home: NotebookHome, samples: Samples) -> ContainerSpec:
    """What to run. Its arguments tell nobody a secret."""
    return ContainerSpec(
        argv=(samples.python, "-m", "jupyterlab", f"--config={home.config}"),
        environment=home.environment(samples),
        workspace=home.workspace(WORKSPACE),
        log_path=home.log(STREAM),
    )


async def launch(home: NotebookHome, samples: Samples, port: int | None) -> Container:
    """The running server of an instance: the one that is there, or a new one, on `port` if that is free.

    :raises NotebookError: with the reason, when it does not answer.
    """
    spec = spec_of(home, samples)
    container = await Container.adopt(spec)
    if container is not None and not await asyncio.to_thread(_knows_us, home):
        await container.stop()
        container = None
    try:
        container = container or await Container.start(spec, _port(port))
        await _answering(container, home)
    except ContainerError as error:
        raise NotebookError(f"InternalServerError: {error}") from error
    return container


async def stop(home: NotebookHome, samples: Samples, timeout_s: float) -> None:
    """Stop the server, if one runs; it ends its kernels first."""
    container = await Container.adopt(spec_of(home, samples))
    if container is not None:
        await container.stop(timeout_s)


def failure(container: Container, python: str) -> str:
    """Why a server has ended."""
    words = logs.last_words(container.spec.log_path)
    if MISSING in words:
        return (
            f"ClientError: JupyterLab is not installed for {python}. Install it there (pip install "
            "jupyterlab), or name another interpreter in notebooks.toml; then start the instance again."
        )
    return f"InternalServerError: JupyterLab ended with status {container.process.exit_status()}. {words}"


async def _answering(container: Container, home: NotebookHome) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                answer = await containers.get(container.client, f"{home.base_url}api")
                if not container.process.is_alive():
                    raise NotebookError(failure(container, container.spec.argv[0]))
                if answer is not None and answer.status == 200:  # noqa: PLR2004 - HTTP's OK
                    return
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        words = logs.last_words(container.spec.log_path)
        raise NotebookError(
            f"InternalServerError: JupyterLab did not answer within {START_TIMEOUT_S:g} s. {words}"
        ) from None


def _knows_us(home: NotebookHome) -> bool:
    """Whether the kernels of a server that still runs talk to this service, not to a port it had before."""
    path = home.workspace(WORKSPACE) / "run/spec.json"
    environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
    return bool(environment.get("AWS_ENDPOINT_URL") == home.context.url)


def _port(wanted: int | None) -> int:
    """The port of before, if nobody has taken it: pages that are open find their server again."""
    if wanted is not None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return free_port()
        return wanted
    return free_port()
