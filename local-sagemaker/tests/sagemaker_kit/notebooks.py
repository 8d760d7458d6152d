"""How the tests ask for notebook instances, and use them as a browser would."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from sagemaker_kit.service import Service

ROLE = "arn:aws:iam::000000000000:role/test"
WAIT = {"Delay": 1, "MaxAttempts": 240}


def create(service: Service, name: str, **more: Any) -> None:
    """Create an instance and wait until it is in service."""
    begin(service, name, **more)
    wait(service, "in_service", name)


def begin(service: Service, name: str, **more: Any) -> str:
    """Create an instance; its ARN."""
    made = service.sagemaker.create_notebook_instance(
        NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=ROLE, **more
    )
    return str(made["NotebookInstanceArn"])


def configure(service: Service, name: str, **scripts: str) -> None:
    """Create a lifecycle configuration of scripts by hook."""
    encoded = {
        hook: [{"Content": base64.encodebytes(text.encode()).decode()}] for hook, text in scripts.items()
    }
    service.sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=name, **encoded
    )


def wait(service: Service, state: str, name: str) -> None:
    """Wait by botocore's own waiter."""
    waiter = service.sagemaker.get_waiter(f"notebook_instance_{state}")
    waiter.wait(NotebookInstanceName=name, WaiterConfig=WAIT)


def described(service: Service, name: str) -> Any:
    """What DescribeNotebookInstance answers."""
    return service.sagemaker.describe_notebook_instance(NotebookInstanceName=name)


def address(service: Service, name: str, **more: Any) -> str:
    """A presigned URL."""
    made = service.sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=name, **more)
    return str(made["AuthorizedUrl"])


@contextmanager
def signed_in(service: Service, name: str) -> Iterator[tuple[httpx.Client, str]]:
    """A browser's stand-in with a session, and the address of its JupyterLab."""
    with httpx.Client(timeout=60) as client:
        answer = client.get(address(service, name))
        assert answer.status_code == 302
        yield client, answer.headers["location"]


def api(lab: str, what: str) -> str:
    """An address of JupyterLab's own API."""
    return f"{lab.removesuffix('lab')}api/{what}"


def send(client: httpx.Client, method: str, lab: str, what: str, document: dict[str, Any]) -> Any:
    """Ask JupyterLab as its page does, with what guards against other sites' pages."""
    client.get(lab)
    headers = {"X-XSRFToken": client.cookies.get("_xsrf") or ""}
    answer = client.request(method, api(lab, what), json=document, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()


def shim(service: Service, name: str) -> int:
    """The process id of what supervises the instance's JupyterLab."""
    (record,) = Path(service.root, "notebooks", name, "starts").glob("*/jupyter/run/process.json")
    return int(json.loads(record.read_text())["pid"])
