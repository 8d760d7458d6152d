"""Notebook instances: create, describe, list, start, stop, update, delete."""

from __future__ import annotations

import base64
import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.notebook_states import NotebookEvent, NotebookStateError, transition
from local_sagemaker.engine.notebooks.home import notebook_arn
from local_sagemaker.engine.notebooks.notebooks import CONFIG_KIND, KIND
from local_sagemaker.errors import ValidationException, translate
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import resources
from local_sagemaker.services.sagemaker.resources import create as create_resource
from local_sagemaker.services.sagemaker.resources import listed
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import MissingError, Resource

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
LIFECYCLE_NAME = "NotebookInstanceLifecycleConfigName"
HOOKS = ("OnCreate", "OnStart")


@operation("sagemaker", "CreateNotebookInstance", ignored=(*IGNORED, *NETWORK))
async def create_notebook_instance(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Create an instance: a JupyterLab of its own, InService once it answers."""
    _refuse_repositories(parameters)
    name, now = parameters["NotebookInstanceName"], time.time()
    if "LifecycleConfigName" in parameters:
        find_lifecycle_config(context, parameters["LifecycleConfigName"], "describe")
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
    taken = ValidationException(f"Cannot create a duplicate Notebook Instance ({arn})")
    create_resource(context, resource, parameters, taken)
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
    page, token = resources.page_of([one for one in found if _fits(one, asked)], asked)
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
        find_lifecycle_config(context, parameters["LifecycleConfigName"], "describe")

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
    """Return the instance; raise ValidationException in AWS's words if there is none."""
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
        with translate(
            NotebookStateError,
            lambda error: ValidationException(f"{error} for Notebook Instance ({resource.arn})"),
        ):
            status = transition(resource.status, event)
        return replace(change(resource), status=status, modified=time.time())

    with translate(MissingError, ValidationException("RecordNotFound")):
        return context.store.change(KIND, parameters["NotebookInstanceName"], moved)


def _described(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a request that the description repeats."""
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


@operation("sagemaker", "CreateNotebookInstanceLifecycleConfig")
def create_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep scripts that instances run when they are created and when they start."""
    name, now = parameters[LIFECYCLE_NAME], time.time()
    arn = context.arn("sagemaker", f"{CONFIG_KIND}/{name.lower()}")
    resource = Resource(
        kind=CONFIG_KIND, name=name, arn=arn, created=now, modified=now, document=_scripts(parameters)
    )
    taken = ValidationException(
        f"Unable to create Notebook Instance Lifecycle Config {arn}. (Details: Notebook Instance "
        "Lifecycle Config already exists.)"
    )
    create_resource(context, resource, parameters, taken)
    return {"NotebookInstanceLifecycleConfigArn": arn}


@operation("sagemaker", "DescribeNotebookInstanceLifecycleConfig")
def describe_notebook_instance_lifecycle_config(
    context: Context, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Answer with a configuration's scripts."""
    found = find_lifecycle_config(context, parameters[LIFECYCLE_NAME], "describe")
    return {**found.document, **_lifecycle_summary(found)}


@operation("sagemaker", "ListNotebookInstanceLifecycleConfigs")
def list_notebook_instance_lifecycle_configs(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List configurations, newest first unless asked otherwise."""
    found, token = listed(context, CONFIG_KIND, parameters)
    return {
        "NotebookInstanceLifecycleConfigs": [_lifecycle_summary(config) for config in found],
        "NextToken": token,
    }


@operation("sagemaker", "UpdateNotebookInstanceLifecycleConfig")
def update_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace the scripts that are given; instances run them from their next start on."""
    find_lifecycle_config(context, parameters[LIFECYCLE_NAME], "update")
    scripts = _scripts(parameters)

    def change(resource: Resource) -> Resource:
        return replace(resource, modified=time.time(), document={**resource.document, **scripts})

    context.store.change(CONFIG_KIND, parameters[LIFECYCLE_NAME], change)
    return {}


@operation("sagemaker", "DeleteNotebookInstanceLifecycleConfig")
def delete_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a configuration; an instance that names it does not start any more."""
    find_lifecycle_config(context, parameters[LIFECYCLE_NAME], "delete")
    context.store.delete(CONFIG_KIND, parameters[LIFECYCLE_NAME])


def find_lifecycle_config(context: Context, name: str, verb: str) -> Resource:
    """Return a configuration by name; raise ValidationException in AWS's words if there is none."""
    found: Resource | None = context.store.get(CONFIG_KIND, name)
    if found is None:
        arn = context.arn("sagemaker", f"{CONFIG_KIND}/{name.lower()}")
        raise ValidationException(
            f"Unable to {verb} Notebook Instance Lifecycle Config '{arn}'. (Details: Notebook Instance "
            "Lifecycle Config does not exist.)"
        )
    return found


def _scripts(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the hooks of a request; raise ValidationException if their content is invalid."""
    for hook in HOOKS:
        for script in parameters.get(hook, []):
            with translate(ValueError, functools.partial(_not_base64, hook)):
                # as `base64` writes it, in lines or in one
                base64.b64decode("".join(script.get("Content", "").split()), validate=True)
    return {hook: parameters[hook] for hook in HOOKS if hook in parameters}


def _not_base64(hook: str, error: Exception) -> ValidationException:
    return ValidationException(
        f"The content of {hook} is not base64: {error}. Encode the script: base64 -w0 script.sh"
    )


def _lifecycle_summary(resource: Resource) -> dict[str, Any]:
    return {
        LIFECYCLE_NAME: resource.name,
        "NotebookInstanceLifecycleConfigArn": resource.arn,
        "CreationTime": moment(resource.created),
        "LastModifiedTime": moment(resource.modified),
    }
