"""Lifecycle configurations: their scripts run, leave a log, and may fail."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import WaiterError

from local_sagemaker.engine.notebooks import server
from local_sagemaker.engine.notebooks.home import NotebookError, NotebookHome, Samples, read_samples
from local_sagemaker.service import Options, build
from local_sagemaker.storage.store import Resource
from sagemaker_kit.notebooks import begin, configure, create, described, wait
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

GROUP = "/aws/sagemaker/NotebookInstances"
ON_CREATE = (
    "#!/bin/bash\nset -e\necho made at $HOME in $AWS_DEFAULT_REGION\necho made >> SageMaker/seen.txt\n"
)
ON_START = "echo started >> ~/SageMaker/seen.txt; test -f ~/SageMaker/sample.ipynb"


@pytest.fixture(scope="module")
def service(start_shared_service: Callable[..., Service], samples: Path) -> Service:
    """A service for all tests of the module."""
    return start_shared_service("--notebooks", str(samples))


def test_scripts_run_at_creation_and_at_every_start(service: Service) -> None:
    """On-create once, on-start each time, in the instance's home, with their output in the logs."""
    configure(service, "both", OnCreate=ON_CREATE, OnStart=ON_START)
    create(service, "lab", LifecycleConfigName="both")
    home = Path(service.root, "notebooks/lab/home")
    assert (home / "SageMaker/seen.txt").read_text().split() == ["made", "started"]
    service.sagemaker.stop_notebook_instance(NotebookInstanceName="lab")
    wait(service, "stopped", "lab")
    service.sagemaker.start_notebook_instance(NotebookInstanceName="lab")
    wait(service, "in_service", "lab")
    assert (home / "SageMaker/seen.txt").read_text().split() == ["made", "started", "started"]
    events = service.logs.get_log_events(
        logGroupName=GROUP, logStreamName="lab/LifecycleConfigOnCreate", startFromHead=True
    )["events"]
    assert f"made at {home} in us-east-1" in [event["message"] for event in events]


def test_a_script_that_fails_fails_the_instance(service: Service) -> None:
    """FailureReason has configuration, exit code and the end of the log; after a repair it starts."""
    configure(service, "failing", OnCreate="echo no such package; exit 3")
    arn = begin(service, "failing", LifecycleConfigName="failing")
    with pytest.raises(WaiterError):
        wait(service, "in_service", "failing")
    reason = described(service, "failing")["FailureReason"]
    assert f"for Notebook Instance '{arn}' failed with exit code 3." in reason
    assert "failing/LifecycleConfigOnCreate" in reason
    assert "no such package" in reason
    mended = [{"Content": base64.b64encode(b"true").decode()}]
    service.sagemaker.update_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName="failing", OnCreate=mended
    )
    service.sagemaker.start_notebook_instance(NotebookInstanceName="failing")
    wait(service, "in_service", "failing")


def test_an_instance_whose_configuration_is_gone_does_not_start(service: Service) -> None:
    """The reason names it."""
    configure(service, "gone", OnStart="exit 1")
    begin(service, "orphan", LifecycleConfigName="gone")
    with pytest.raises(WaiterError):
        wait(service, "in_service", "orphan")
    service.sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName="gone")
    service.sagemaker.start_notebook_instance(NotebookInstanceName="orphan")
    with pytest.raises(WaiterError):
        wait(service, "in_service", "orphan")
    assert "lifecycle configuration gone does not exist" in described(service, "orphan")["FailureReason"]


def test_configurations_are_kept(service: Service) -> None:
    """Described, listed, and refused in AWS's words."""
    configure(service, "kept", OnStart="true")
    name = {"NotebookInstanceLifecycleConfigName": "kept"}
    found = service.sagemaker.describe_notebook_instance_lifecycle_config(**name)
    assert base64.b64decode(found["OnStart"][0]["Content"]) == b"true"
    listed = service.sagemaker.list_notebook_instance_lifecycle_configs(NameContains="kep")
    configs = listed["NotebookInstanceLifecycleConfigs"]
    assert [config["NotebookInstanceLifecycleConfigName"] for config in configs] == ["kept"]
    with refused("ValidationException", "/kept"):
        configure(service, "kept", OnStart="true")
    with refused("ValidationException", "OnStart"):
        service.sagemaker.update_notebook_instance_lifecycle_config(**name, OnStart=[{"Content": "echo"[:3]}])
    service.sagemaker.delete_notebook_instance_lifecycle_config(**name)
    with refused("ValidationException", "/kept"):
        service.sagemaker.describe_notebook_instance_lifecycle_config(**name)
    with refused("ValidationException", "/kept"):
        begin(service, "none", LifecycleConfigName="kept")


def test_a_script_is_ended_when_it_takes_too_long(tmp_path: Path) -> None:
    """The instance fails with AWS's message."""
    parts = build(Options(root=tmp_path))
    home = NotebookHome(parts.context, "lab", 1)
    home.home.mkdir(parents=True)
    content = base64.b64encode(b"echo waiting; exec sleep 600").decode()
    document = {"OnStart": [{"Content": content}]}
    config = Resource(kind="config", name="slow", arn="arn:slow", created=0, modified=0, document=document)
    with pytest.raises(NotebookError, match=r"'arn:slow' for .*/lab' .* 0.005 minutes"):
        asyncio.run(server.run_script(home, Samples(), config, "OnStart", timeout_s=0.3))
    parts.context.store.close()
    parts.forks.close()


def test_samples_are_declared_by_notebooks_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, interpreter and files; an unknown member is refused."""
    monkeypatch.setenv("MINE_TOO", "1")
    declared = tmp_path / "notebooks.toml"
    declared.write_text('inherit = ["MINE_*"]\npython = "{dir}/python"\n[environment]\nPLACE = "{dir}/x"\n')
    (tmp_path / "a.txt").write_text("sample")
    samples = read_samples(tmp_path)
    assert dict(samples.environment) == {"MINE_TOO": "1", "PLACE": f"{tmp_path}/x"}
    assert samples.python == f"{tmp_path}/python"
    place = tmp_path / "place"
    place.mkdir()
    samples.copy(place)
    (place / "a.txt").write_text("changed")
    samples.copy(place)
    assert {path.name: path.read_text() for path in place.iterdir()} == {"a.txt": "changed"}
    declared.write_text('pyhton = "x"\n')
    with pytest.raises(NotebookError, match="pyhton"):
        read_samples(tmp_path)
