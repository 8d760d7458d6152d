"""Notebook instances: a real JupyterLab each, asked for by boto3 and used as a browser would."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

ROLE = "arn:aws:iam::000000000000:role/test"
WAIT = {"Delay": 1, "MaxAttempts": 240}


def create(service: Any, name: str, **more: Any) -> None:
    """Create an instance and wait until it is in service."""
    service.sagemaker.create_notebook_instance(
        NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=ROLE, **more
    )
    wait(service, "in_service", name)


def wait(service: Any, state: str, name: str) -> None:
    """Wait by botocore's own waiter."""
    waiter = service.sagemaker.get_waiter(f"notebook_instance_{state}")
    waiter.wait(NotebookInstanceName=name, WaiterConfig=WAIT)


@contextmanager
def signed_in(service: Any, name: str, **more: Any) -> Iterator[tuple[httpx.Client, str]]:
    """A browser's stand-in with a session, and the address of its JupyterLab."""
    made = service.sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=name, **more)
    with httpx.Client(timeout=60) as client:
        answer = client.get(made["AuthorizedUrl"])
        assert answer.status_code == 302
        yield client, answer.headers["location"]


def put(client: httpx.Client, lab: str, name: str, text: str) -> httpx.Response:
    """Write a file as JupyterLab's page does."""
    client.get(lab)
    return client.put(
        f"{lab.removesuffix('lab')}api/contents/{name}",
        json={"type": "file", "format": "text", "content": text},
        headers={"X-XSRFToken": client.cookies.get("_xsrf", "")},
    )


def test_an_instance_is_used_stopped_and_started_again(sagemaker: Any):
    """Its page answers, its files are there again, and nothing of it runs while it is stopped."""
    create(sagemaker, "lab")
    with signed_in(sagemaker, "lab") as (client, lab):
        assert client.get(lab).status_code == 200
        assert put(client, lab, "notes.txt", "kept").status_code == 201
    sagemaker.sagemaker.stop_notebook_instance(NotebookInstanceName="lab")
    wait(sagemaker, "stopped", "lab")
    with pytest.raises(httpx.ConnectError):
        httpx.get(lab)
    sagemaker.sagemaker.start_notebook_instance(NotebookInstanceName="lab")
    wait(sagemaker, "in_service", "lab")
    with signed_in(sagemaker, "lab") as (client, again):
        found = client.get(f"{again.removesuffix('lab')}api/contents/notes.txt").json()
        assert found["content"] == "kept"
    sagemaker.sagemaker.stop_notebook_instance(NotebookInstanceName="lab")
    wait(sagemaker, "stopped", "lab")
    sagemaker.sagemaker.delete_notebook_instance(NotebookInstanceName="lab")
    wait(sagemaker, "deleted", "lab")
    assert not (sagemaker.root / "notebooks/lab").exists()
