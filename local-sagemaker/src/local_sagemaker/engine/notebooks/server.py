"""The processes of a notebook instance: its JupyterLab server, and its lifecycle scripts.

Both outlive a kill of the service, and the next service adopts them. On-create runs once, on-start at every
start.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from contextlib import suppress

from local_sagemaker.engine.notebooks.home import NotebookError, NotebookHome, Samples
from local_sagemaker.engine.processes import container as containers
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.container import Container, ContainerError, ContainerSpec
from local_sagemaker.engine.processes.process import LaunchError, Process, ProcessSpec, adopt, start
from local_sagemaker.engine.processes.wire import free_port
from local_sagemaker.storage.store import Resource

WORKSPACE, STREAM = "jupyter", "jupyter.log"
#: time of JupyterLab until its first answer, in seconds
START_TIMEOUT_S = 240.0
#: AWS's limit of one lifecycle script, in seconds
SCRIPT_TIMEOUT_S = 300.0
#: time between SIGTERM and SIGKILL of a script, in seconds
SCRIPT_GRACE_S = 5.0
SCRIPT_POLL_S = 0.05
NOT_INSTALLED = "No module named jupyterlab"


def server_spec(home: NotebookHome, samples: Samples) -> ContainerSpec:
    """Return what to run; its arguments, which anybody may read, hold no secret."""
    return ContainerSpec(
        argv=(samples.python, "-m", "jupyterlab", f"--config={home.config}"),
        environment=home.environment(samples),
        workspace=home.workspace(WORKSPACE),
        log_path=home.log(STREAM),
    )


async def launch_server(home: NotebookHome, samples: Samples, port: int | None) -> Container:
    """Return the running server of an instance, or a new one on `port` if that port is free.

    :raises NotebookError: when it does not answer; the text says why.
    """
    spec = server_spec(home, samples)
    container = await Container.adopt(spec)
    if container is not None and not await asyncio.to_thread(_calls_this_service, home):
        await container.stop()
        container = None
    try:
        container = container or await Container.start(spec, _port_or_free(port))
    except ContainerError as error:
        raise NotebookError(f"InternalServerError: {error}") from error
    process, path = container.process, f"{home.base_url}api"
    if await containers.wait_until_healthy(container.client, process.is_alive, START_TIMEOUT_S, path):
        if not process.is_alive():
            raise NotebookError(server_failure(container, samples.python))
        raise NotebookError(
            f"InternalServerError: JupyterLab did not answer within {START_TIMEOUT_S:g} s. "
            f"{logs.last_words(container.spec.log_path)}"
        )
    return container


def server_failure(container: Container, python: str) -> str:
    """Return why a server has ended."""
    log_end = logs.last_words(container.spec.log_path)
    if NOT_INSTALLED in log_end:
        return (
            f"ClientError: JupyterLab is not installed for {python}. Install it there (pip install "
            "jupyterlab), or name another interpreter in notebooks.toml; then start the instance again."
        )
    return f"InternalServerError: JupyterLab ended with status {container.process.exit_status()}. {log_end}"


async def run_script(
    home: NotebookHome, samples: Samples, config: Resource, hook: str, *, timeout_s: float = SCRIPT_TIMEOUT_S
) -> None:
    """Run the script of a lifecycle configuration for `hook` (OnCreate, OnStart), if it has one.

    A script that an earlier service has started is adopted, not started again.

    :raises NotebookError: when it fails or takes too long.
    """
    scripts = config.document.get(hook) or []
    if not scripts:
        return
    workspace = home.workspace(hook)
    process = await asyncio.to_thread(adopt, workspace)
    if process is None:
        content = base64.b64decode(scripts[0]["Content"])
        process = await asyncio.to_thread(_start_script, home, samples, hook, content)
    stream = f"LifecycleConfig{hook}"
    subject = f"Notebook Instance Lifecycle Config '{config.arn}' for Notebook Instance '{home.arn}'"
    status = await _script_status(process, workspace.stat().st_ctime + timeout_s)
    if status != 0:
        ending = f"failed with exit code {status}"
        if status is None:
            ending = f"took longer than {timeout_s / 60:g} minutes"
        log_end = logs.last_words(home.log(stream))
        raise NotebookError(f"{subject} {ending}. See its log stream {home.name}/{stream}. {log_end}")


def _calls_this_service(home: NotebookHome) -> bool:
    """Return whether a running server's kernels call this service, and not a port it had earlier."""
    path = home.workspace(WORKSPACE) / "run/spec.json"
    environment = json.loads(path.read_text(encoding="utf-8"))["environment"]
    return bool(environment.get("AWS_ENDPOINT_URL") == home.service.url)


def _port_or_free(wanted: int | None) -> int:
    """Return the earlier port if it is free, so that open pages find their server again."""
    with socket.socket() as probe, suppress(OSError):
        if wanted is not None:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return wanted
    return free_port()


def _start_script(home: NotebookHome, samples: Samples, hook: str, content: bytes) -> Process:
    workspace = home.workspace(hook)
    workspace.mkdir(parents=True, exist_ok=True)
    script = workspace / "script"
    script.write_bytes(content)
    script.chmod(0o700)
    home.write_metadata(workspace)
    # a script that does not name its interpreter is a shell script
    argv = (str(script),) if content.startswith(b"#!") else ("/bin/bash", str(script))
    log = home.log(f"LifecycleConfig{hook}")
    try:
        return start(ProcessSpec(argv, home.environment(samples), workspace, log, cwd=home.home))
    except LaunchError as error:
        raise NotebookError(f"InternalServerError: {error}") from error


async def _script_status(process: Process, deadline: float) -> int | None:
    """Return the exit status; end the process at the deadline and return None."""
    while (status := process.exit_status()) is None:
        if time.time() > deadline:
            process.terminate()
            await asyncio.sleep(SCRIPT_GRACE_S if process.is_alive() else 0)
            process.kill()
            return None
        await asyncio.sleep(SCRIPT_POLL_S)
    return status
