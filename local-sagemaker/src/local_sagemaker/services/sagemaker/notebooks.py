"""Notebook instances: create, describe, list, start, stop, update, delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.notebook_states import NotebookEvent, NotebookStateError, transition
from local_sagemaker.engine.notebooks.home import notebook_arn
from local_sagemaker.engine.notebooks.notebooks import KIND
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import notebooks_lifecycle, paging
from local_sagemaker.services.sagemaker.listing import listed, pairs
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import MissingError, Resource, TakenError

#: there is one machine, one network and one user
IGNORED = (
    *("InstanceType", "RoleArn", "VolumeSizeInGB", "RootAccess", "PlatformIdentifier", "IpAddressType"),
    *("AcceleratorTypes", "InstanceMetadataServiceConfiguration"),
)
NETWORK = ("KmsKeyId", "SubnetId", "SecurityGroupIds", "DirectInternetAccess")
REFUSED = ("DefaultCodeRepository", "AdditionalCodeRepositories")
DEFAULTS = {
    "VolumeSizeInGB": 5,
    "DirectInternetAccess": "Enabled",
    "RootAccess": "Enabled",
    "PlatformIdentifier": "notebook-al2023-v1",
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
}
#: request member -> member of the description, where they differ
RENAMED = {
    "LifecycleConfigName": "NotebookInstanceLifecycleConfigName",
    "SecurityGroupIds": "SecurityGroups",
}
SUMMARY = ("Url", "InstanceType", "NotebookInstanceLifecycleConfigName")
#: the longest page that is put together in memory
EVERYTHING = 1_000_000


@operation("sagemaker", "CreateNotebookInstance", ignored=(*IGNORED, *NETWORK))
async def create_notebook_instance(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Create an instance: a JupyterLab of its own, InService once it answers."""
    _refuse_repositories(parameters)
    name, now = parameters["NotebookInstanceName"], time.time()
    if "LifecycleConfigName" in parameters:
        notebooks_lifecycle.find(context, parameters["LifecycleConfigName"], "describe")
    arn = notebook_arn(context, name)
    resource = Resource(
        kind=KIND,
        name=name,
        arn=arn,
        status="Pending",
        created=now,
        modified=now,
        document={**DEFAULTS, **_described(parameters)},
        state={"start": 1, "is_made": False, "tickets": {}},
    )
    try:
        context.store.insert(resource, pairs(parameters.get("Tags")))
    except TakenError as error:
        raise ValidationException(f"Cannot create a duplicate Notebook Instance ({arn})") from error
    context.notebooks.run(name)
    return {"NotebookInstanceArn": arn}


@operation("sagemaker", "DescribeNotebookInstance")
def describe_notebook_instance(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with an instance's state, and where its server is."""
    resource = find(context, parameters["NotebookInstanceName"])
    return {
        **resource.document,
        "NotebookInstanceArn": resource.arn,
        "NotebookInstanceName": resource.name,
        "NotebookInstanceStatus": resource.status,
        "CreationTime": moment(resource.created),
        "LastModifiedTime": moment(resource.modified),
    }


@operation("sagemaker", "ListNotebookInstances")
def list_notebook_instances(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List instances by name unless asked otherwise."""
    asked = {"SortOrder": "Ascending", **parameters}
    everything = {**asked, "MaxResults": EVERYTHING}
    everything.pop("NextToken", None)
    found, _ = listed(context, KIND, everything, order="Name")
    page, token = paging.page([one for one in found if _fits(one, asked)], asked)
    return {"NotebookInstances": [_summary(one) for one in page], "NextToken": token}


@operation("sagemaker", "StartNotebookInstance")
async def start_notebook_instance(context: Context, parameters: dict[str, Any]) -> None:
    """Start an instance that is Stopped or Failed, with the files it had."""

    def begun(resource: Resource) -> Resource:
        kept = {key: value for key, value in resource.document.items() if key != "FailureReason"}
        state = {**resource.state, "start": resource.state["start"] + 1, "tickets": {}}
        return replace(resource, document=kept, state=state)

    context.notebooks.run(_move(context, parameters, NotebookEvent.START, begun).name)


@operation("sagemaker", "StopNotebookInstance")
async def stop_notebook_instance(context: Context, parameters: dict[str, Any]) -> None:
    """Stop an instance's server and kernels; its files stay."""
    context.notebooks.halt(_move(context, parameters, NotebookEvent.STOP).name)


@operation("sagemaker", "UpdateNotebookInstance", ignored=(*IGNORED, "DisassociateAcceleratorTypes"))
def update_notebook_instance(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change an instance that is Stopped or Failed, at once; it takes effect with the next start."""
    _refuse_repositories(parameters)
    if "LifecycleConfigName" in parameters:
        notebooks_lifecycle.find(context, parameters["LifecycleConfigName"], "describe")

    def updated(resource: Resource) -> Resource:
        document = {key: value for key, value in resource.document.items() if key != "FailureReason"}
        if parameters.get("DisassociateLifecycleConfig"):
            document.pop("NotebookInstanceLifecycleConfigName", None)
        return replace(resource, document={**document, **_described(parameters)})

    _move(context, parameters, NotebookEvent.UPDATE, updated)
    return {}


@operation("sagemaker", "DeleteNotebookInstance")
async def delete_notebook_instance(context: Context, parameters: dict[str, Any]) -> None:
    """Delete an instance that is Stopped or Failed, with its files; its logs stay."""
    context.notebooks.remove(_move(context, parameters, NotebookEvent.DELETE).name)


def find(context: Context, name: str) -> Resource:
    """The instance of that name; ValidationException in AWS's word if there is none."""
    found: Resource | None = context.store.get(KIND, name)
    if found is None:
        raise ValidationException("RecordNotFound")
    return found


def _move(
    context: Context,
    parameters: dict[str, Any],
    event: NotebookEvent,
    change: Callable[[Resource], Resource] = lambda resource: resource,
) -> Resource:
    """Record an event and what it changes; ValidationException in AWS's words when it may not happen."""

    def moved(resource: Resource) -> Resource:
        try:
            status = transition(resource.status, event)
        except NotebookStateError as error:
            raise ValidationException(f"{error} for Notebook Instance ({resource.arn})") from error
        return replace(change(resource), status=status, modified=time.time())

    try:
        return context.store.change(KIND, parameters["NotebookInstanceName"], moved)
    except MissingError as error:
        raise ValidationException("RecordNotFound") from error


def _described(parameters: dict[str, Any]) -> dict[str, Any]:
    """What the description has of a request."""
    left_out = {"NotebookInstanceName", "Tags", *(key for key in parameters if key.startswith("Disass"))}
    return {RENAMED.get(key, key): value for key, value in parameters.items() if key not in left_out}


def _refuse_repositories(parameters: dict[str, Any]) -> None:
    given = [name for name in REFUSED if name in parameters]
    if given:
        raise ValidationException(
            f"{', '.join(given)}: the local SageMaker clones no repositories into notebook instances. Clone "
            "them in an on-create script."
        )


def _fits(resource: Resource, parameters: dict[str, Any]) -> bool:
    config = resource.document.get("NotebookInstanceLifecycleConfigName", "")
    asks_for_code = {"DefaultCodeRepositoryContains", "AdditionalCodeRepositoryEquals"} & parameters.keys()
    return parameters.get("NotebookInstanceLifecycleConfigNameContains", "") in config and not asks_for_code


def _summary(resource: Resource) -> dict[str, Any]:
    return {
        **{name: resource.document[name] for name in SUMMARY if name in resource.document},
        "NotebookInstanceName": resource.name,
        "NotebookInstanceArn": resource.arn,
        "NotebookInstanceStatus": resource.status,
        "CreationTime": moment(resource.created),
        "LastModifiedTime": moment(resource.modified),
    }
