"""The lifecycle scripts of a notebook instance: on-create once, on-start at every start."""

from __future__ import annotations

import asyncio
import base64
import time

from local_sagemaker.engine.notebooks.home import NotebookHome
from local_sagemaker.engine.notebooks.samples import Samples
from local_sagemaker.engine.notebooks.server import NotebookError
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.process import LaunchError, Process, ProcessSpec, adopt, start
from local_sagemaker.storage.store import Resource

#: AWS's limit of one script, in seconds
TIMEOUT_S = 300.0
GRACE_S = 5.0
POLL_S = 0.05


async def run(
    home: NotebookHome, samples: Samples, config: Resource, hook: str, *, timeout_s: float = TIMEOUT_S
) -> None:
    """Run the script of a lifecycle configuration for `hook` (OnCreate, OnStart), if it has one.

    One that a service before this one has begun is not begun again.

    :raises NotebookError: when it fails or takes too long
    """
    scripts = config.document.get(hook) or []
    if not scripts:
        return
    workspace = home.workspace(hook)
    process = await asyncio.to_thread(adopt, workspace)
    if process is None:
        content = base64.b64decode(scripts[0]["Content"])
        process = await asyncio.to_thread(_start, home, samples, hook, content)
    told = f"Notebook Instance Lifecycle Config '{config.arn}' for Notebook Instance '{home.arn}'"
    status = await _ended(process, workspace.stat().st_ctime + timeout_s)
    if status is None:
        raise NotebookError(f"{told} took longer than {timeout_s / 60:g} minutes. {_words(home, hook)}")
    if status:
        raise NotebookError(f"{told} failed with exit code {status}. {_words(home, hook)}")


def _start(home: NotebookHome, samples: Samples, hook: str, content: bytes) -> Process:
    workspace = home.workspace(hook)
    workspace.mkdir(parents=True, exist_ok=True)
    script = workspace / "script"
    script.write_bytes(content)
    script.chmod(0o700)
    home.describe(workspace)
    # a script without a first line that names its interpreter is one of the shell
    argv = (str(script),) if content.startswith(b"#!") else ("/bin/bash", str(script))
    spec = ProcessSpec(argv, home.environment(samples), workspace, home.log(_stream(hook)), cwd=home.home)
    try:
        return start(spec)
    except LaunchError as error:
        raise NotebookError(f"InternalServerError: {error}") from error


async def _ended(process: Process, deadline: float) -> int | None:
    """The exit status; None if it was ended since the deadline had passed."""
    while (status := process.exit_status()) is None:
        if time.time() > deadline:
            process.terminate()
            await asyncio.sleep(GRACE_S if process.is_alive() else 0)
            process.kill()
            return None
        await asyncio.sleep(POLL_S)
    return status


def _stream(hook: str) -> str:
    return f"LifecycleConfig{hook}"


def _words(home: NotebookHome, hook: str) -> str:
    return f"See its log stream {home.name}/{_stream(hook)}. {logs.last_words(home.log(_stream(hook)))}"
