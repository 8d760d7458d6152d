"""Notebook instances outlive the service, and are brought back when their server ends."""

from __future__ import annotations

import sys
import venv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from botocore.exceptions import WaiterError

from sagemaker_kit.notebooks import api, begin, configure, create, described, shim, signed_in, wait
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until


def test_instances_outlive_a_kill_of_the_service(sagemaker: Service) -> None:
    """The same server answers before, meanwhile and afterwards, and the session lasts."""
    create(sagemaker, "lab")
    before = shim(sagemaker, "lab")
    with signed_in(sagemaker, "lab") as (client, lab):
        sagemaker.kill()
        assert client.get(lab).status_code == 200
        sagemaker.start()
        assert (described(sagemaker, "lab")["NotebookInstanceStatus"], shim(sagemaker, "lab")) == (
            "InService",
            before,
        )
        assert client.get(lab).status_code == 200
    sagemaker.stop()
    # whoever has become its parent may take a moment to notice its end
    until(lambda: not psutil.pid_exists(before), "the server's end", 30)
    sagemaker.start()
    with signed_in(sagemaker, "lab") as (client, lab):
        until(lambda: answers(client, lab), "the server after a start of the service", 60)


def answers(client: httpx.Client, lab: str) -> bool:
    """Whether JupyterLab answers at all."""
    try:
        return client.get(api(lab, "status")).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_script_that_runs_while_the_service_is_killed_is_not_run_again(sagemaker: Service) -> None:
    """The instance comes into service when it has ended."""
    configure(sagemaker, "slow", OnStart="echo once >> ~/SageMaker/seen.txt; sleep 2")
    begin(sagemaker, "lab", LifecycleConfigName="slow")
    seen = Path(sagemaker.root, "notebooks/lab/home/SageMaker/seen.txt")
    until(seen.exists, "the script")
    sagemaker.restart()
    assert described(sagemaker, "lab")["NotebookInstanceStatus"] == "Pending"
    wait(sagemaker, "in_service", "lab")
    assert seen.read_text() == "once\n"


@pytest.mark.long
def test_a_server_that_crashes_is_started_again_but_not_for_ever(sagemaker: Service) -> None:
    """At its old address, where open pages find it; the third crash in a row fails the instance."""
    create(sagemaker, "lab")
    url = described(sagemaker, "lab")["Url"]
    for _ in range(2):
        previous = shim(sagemaker, "lab")
        end(previous)
        until(partial(is_another, sagemaker, previous), "another server", 60)
        until(lambda: running(sagemaker), "its answer", 60)
        assert described(sagemaker, "lab")["Url"] == url
    end(shim(sagemaker, "lab"))
    until(lambda: described(sagemaker, "lab")["NotebookInstanceStatus"] == "Failed", "the failure", 60)
    reason = described(sagemaker, "lab")["FailureReason"]
    assert reason.startswith("InternalServerError: JupyterLab ended with status -9.")
    assert "started again 2 times" in reason
    sagemaker.sagemaker.start_notebook_instance(NotebookInstanceName="lab")
    wait(sagemaker, "in_service", "lab")


def end(supervisor: int) -> None:
    """Kill the JupyterLab that a shim supervises."""
    for process in psutil.Process(supervisor).children():
        process.kill()


def is_another(service: Service, previous: int) -> bool:
    """Whether a new server has been started."""
    try:
        return shim(service, "lab") != previous
    except (FileNotFoundError, ValueError):
        return False


def running(service: Service) -> bool:
    """Whether the instance's server answers."""
    with signed_in(service, "lab") as (client, lab):
        return answers(client, lab)


def test_an_interpreter_without_jupyterlab_is_named(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    """The instance fails, and the reason names the interpreter."""
    bare, samples = tmp_path / "bare", tmp_path / "samples"
    venv.create(bare, symlinks=True)
    samples.mkdir()
    python = bare / "bin" / Path(sys.executable).name
    (samples / "notebooks.toml").write_text(f'python = "{python}"\n')
    service = start_service("--notebooks", str(samples))
    begin(service, "lab")
    with pytest.raises(WaiterError):
        wait(service, "in_service", "lab")
    reason = described(service, "lab")["FailureReason"]
    assert f"JupyterLab is not installed for {python}" in reason
