"""Notebook instances: a real JupyterLab each, asked for by boto3 and used as a browser would."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from sagemaker_kit.notebooks import ROLE, api, begin, configure, create, described, send, signed_in, wait
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

CODE = """
import boto3, os
print(boto3.client("s3").list_buckets()["Buckets"], os.environ["HOME"], sorted(os.listdir()))
told = "/opt/ml/metadata/resource-metadata.json"
print(open(told).read() if os.path.exists(told) else "hidden")
"""


@pytest.fixture(scope="module")
def service(start_shared_service: Callable[..., Service], samples: Path) -> Service:
    """A service with one instance, `lab`, for all tests of the module."""
    made = start_shared_service("--notebooks", str(samples))
    create(made, "lab")
    return made


@pytest.fixture(scope="module")
def broken(service: Service) -> list[str]:
    """Instances whose lifecycle script fails."""
    configure(service, "broken", OnStart="exit 1")
    names = ["broken-a", "broken-b", "broken-c"]
    for name in names:
        begin(service, name, LifecycleConfigName="broken")
    for name in names:
        while described(service, name)["NotebookInstanceStatus"] == "Pending":
            pass
    return names


def test_an_instance_is_used_stopped_started_again_and_deleted(service: Service) -> None:
    """Its files outlast a stop, and nothing runs while it is stopped."""
    create(service, "kept")
    with signed_in(service, "kept") as (client, lab):
        assert client.get(lab).status_code == 200
        note = {"type": "file", "format": "text", "content": "kept"}
        send(client, "PUT", lab, "contents/notes.txt", note)
    service.sagemaker.stop_notebook_instance(NotebookInstanceName="kept")
    wait(service, "stopped", "kept")
    with pytest.raises(httpx.ConnectError):
        httpx.get(lab)
    service.sagemaker.start_notebook_instance(NotebookInstanceName="kept")
    wait(service, "in_service", "kept")
    with signed_in(service, "kept") as (client, lab):
        assert client.get(api(lab, "contents/notes.txt")).json()["content"] == "kept"
    service.sagemaker.stop_notebook_instance(NotebookInstanceName="kept")
    wait(service, "stopped", "kept")
    service.sagemaker.delete_notebook_instance(NotebookInstanceName="kept")
    wait(service, "deleted", "kept")
    assert not (service.root / "notebooks/kept").exists()


def test_a_kernel_reaches_the_service_and_finds_the_samples(service: Service) -> None:
    """Boto3 in it needs no configuration."""
    service.s3.create_bucket(Bucket="seen-from-inside")
    with signed_in(service, "lab") as (client, lab):
        kernel = send(client, "POST", lab, "kernels", {"name": "python3", "path": "a.ipynb"})["id"]
        printed = asyncio.run(run(client, lab, kernel, CODE))
    assert "seen-from-inside" in printed
    assert "sample.ipynb" in printed
    assert "notebooks.toml" not in printed
    assert str(service.root / "notebooks/lab/home") in printed
    assert '"ResourceName": "lab"' in printed or "hidden" in printed


async def run(client: httpx.Client, lab: str, kernel: str, code: str) -> str:
    """What a kernel prints when it runs `code`, over the web socket that the page uses."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    url = f"{api(lab, f'kernels/{kernel}/channels')}".replace("http://", "ws://")
    socket = await websocket_connect(HTTPRequest(url, headers={"Cookie": cookies}))
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3", "session": "test"}
    content = {"code": code, "silent": False, "store_history": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    await socket.write_message(json.dumps(message))
    printed = ""
    while True:
        read: Any = socket.read_message()
        answer = json.loads(await asyncio.wait_for(read, 60) or "{}")
        if answer["msg_type"] == "stream":
            printed += answer["content"]["text"]
        if answer["msg_type"] == "execute_reply":
            socket.close()
            return printed if answer["content"]["status"] == "ok" else str(answer["content"])


def test_an_instance_is_described(service: Service) -> None:
    """DescribeNotebookInstance has the request's members and the server's URL."""
    found = described(service, "lab")
    assert found["NotebookInstanceArn"].endswith(":notebook-instance/lab")
    assert (found["InstanceType"], found["RoleArn"]) == ("ml.t3.medium", ROLE)
    assert found["Url"].startswith("127.0.0.1:")
    assert "FailureReason" not in found


@pytest.mark.parametrize(
    ("verb", "state"), [("delete", "Deleting"), ("start", "Pending"), ("update", "Updating")]
)
def test_what_a_state_does_not_allow_is_refused(service: Service, verb: str, state: str) -> None:
    """The message names the state, those that would do, and the one that was wanted."""
    with refused("ValidationException", "(InService)", "([Stopped, Failed])", f"({state})"):
        getattr(service.sagemaker, f"{verb}_notebook_instance")(NotebookInstanceName="lab")


@pytest.mark.parametrize("verb", ["describe", "start", "stop", "update", "delete"])
def test_an_instance_that_is_not_there_is_refused(service: Service, verb: str) -> None:
    """The message has the word that clients look for."""
    with refused("ValidationException", "RecordNotFound"):
        getattr(service.sagemaker, f"{verb}_notebook_instance")(NotebookInstanceName="nobody")


def test_a_name_is_taken_once(service: Service) -> None:
    """A second instance of the name is refused."""
    with refused("ValidationException", "notebook-instance/lab"):
        begin(service, "lab")


def test_repositories_are_refused_by_name(service: Service) -> None:
    """No member is accepted and ignored."""
    with refused("ValidationException", "DefaultCodeRepository"):
        begin(service, "cloned", DefaultCodeRepository="https://example.org/code")


def test_instances_are_listed_by_filters_and_pages(service: Service, broken: list[str]) -> None:
    """By name, status and lifecycle configuration."""
    pages = service.sagemaker.get_paginator("list_notebook_instances")

    def names(**given: Any) -> list[str]:
        found = [one for page in pages.paginate(**given) for one in page["NotebookInstances"]]
        return [one["NotebookInstanceName"] for one in found]

    assert names(NotebookInstanceLifecycleConfigNameContains="rok", MaxResults=1) == broken
    assert names(StatusEquals="Failed", SortOrder="Descending") == broken[::-1]
    assert names(NameContains="lab") == ["lab"]
    assert names(DefaultCodeRepositoryContains="code") == []


def test_a_stopped_instance_can_be_updated(service: Service, broken: list[str]) -> None:
    """Without its failing script it starts, and FailureReason is gone."""
    name = broken[0]
    assert "failed with exit code 1" in described(service, name)["FailureReason"]
    service.sagemaker.update_notebook_instance(
        NotebookInstanceName=name, InstanceType="ml.t3.large", DisassociateLifecycleConfig=True
    )
    found = described(service, name)
    assert (found["NotebookInstanceStatus"], found["InstanceType"]) == ("Stopped", "ml.t3.large")
    assert not {"FailureReason", "NotebookInstanceLifecycleConfigName"} & found.keys()
    service.sagemaker.start_notebook_instance(NotebookInstanceName=name)
    wait(service, "in_service", name)
