"""Notebook instances: create, describe, list, start, stop, update, delete."""

from __future__ import annotations

import base64
import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.notebook_states import NotebookEvent, NotebookStateError, transition
from local_sagemaker.engine.notebooks.notebooks import CONFIG_KIND, KIND
from local_sagemaker.errors import ValidationException, translate
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import ResourceType, chosen
from local_sagemaker.storage.store import Resource

INSTANCES = ResourceType(
    noun="NotebookInstance",
    kind=KIND,
    missing="RecordNotFound",
    taken="Cannot create a duplicate Notebook Instance ({arn})",
    is_lower=True,
    order=("Name", "Ascending"),
)
CONFIGS = ResourceType(
    noun="NotebookInstanceLifecycleConfig",
    kind=CONFIG_KIND,
    missing="Unable to {verb} Notebook Instance Lifecycle Config '{arn}'. (Details: Notebook Instance "
    "Lifecycle Config does not exist.)",
    taken="Unable to create Notebook Instance Lifecycle Config {arn}. (Details: Notebook Instance Lifecycle "
    "Config already exists.)",
    is_lower=True,
)
DEFAULTS = {
    "VolumeSizeInGB": 5,
    "DirectInternetAccess": "Enabled",
    "RootAccess": "Enabled",
    "PlatformIdentifier": "notebook-al2023-v1",
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
}
CONFIG_NAME = "NotebookInstanceLifecycleConfigName"
#: request member -> member of the description, where they differ
RENAMED = {"LifecycleConfigName": CONFIG_NAME, "SecurityGroupIds": "SecurityGroups"}
HOOKS = ("OnCreate", "OnStart")

INSTANCES.serve_describe("Answer with an instance's state, and where its server is.")
CONFIGS.serve_describe("Answer with a configuration's scripts.")
CONFIGS.serve_list("List configurations, newest first unless asked otherwise.")
CONFIGS.serve_delete("Forget a configuration; an instance that names it does not start any more.")


@operation("sagemaker", "CreateNotebookInstance")
async def create_notebook_instance(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Create an instance: a JupyterLab of its own, InService once it answers."""
    _check(context, parameters)
    document, state = DEFAULTS | _described(parameters), {"start": 1, "is_made": False, "tickets": {}}
    answer = INSTANCES.create(context, parameters, document, status="Pending", state=state)
    context.notebooks.run(parameters["NotebookInstanceName"])
    return answer


@operation("sagemaker", "ListNotebookInstances")
def list_notebook_instances(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List instances by name unless asked otherwise."""
    part = parameters.get("NotebookInstanceLifecycleConfigNameContains", "")
    asks_for_code = {"DefaultCodeRepositoryContains", "AdditionalCodeRepositoryEquals"} & parameters.keys()

    def fits(instance: Resource) -> bool:
        return part in instance.document.get(CONFIG_NAME, "") and not asks_for_code

    return INSTANCES.list_resources(context, parameters, fits=fits)


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


@operation("sagemaker", "UpdateNotebookInstance")
def update_notebook_instance(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change an instance that is Stopped or Failed, at once; it takes effect with the next start."""
    _check(context, parameters)

    def updated(resource: Resource) -> Resource:
        document = {key: value for key, value in resource.document.items() if key != "FailureReason"}
        if parameters.get("DisassociateLifecycleConfig"):
            document.pop(CONFIG_NAME, None)
        return replace(resource, document={**document, **_described(parameters)})

    _move(context, parameters, NotebookEvent.UPDATE, updated)
    return {}


@operation("sagemaker", "DeleteNotebookInstance")
async def delete_notebook_instance(context: Context, parameters: dict[str, Any]) -> None:
    """Delete an instance that is Stopped or Failed, with its files; its logs stay."""
    context.notebooks.remove(_move(context, parameters, NotebookEvent.DELETE).name)


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

    return INSTANCES.change(context, parameters["NotebookInstanceName"], moved)


def _described(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a request that the description repeats."""
    left_out = {"NotebookInstanceName", "Tags", *(key for key in parameters if key.startswith("Disass"))}
    return {RENAMED.get(key, key): value for key, value in parameters.items() if key not in left_out}


def _check(context: Context, parameters: dict[str, Any]) -> None:
    if "LifecycleConfigName" in parameters:
        CONFIGS.find_resource(context, parameters["LifecycleConfigName"])


@operation("sagemaker", "CreateNotebookInstanceLifecycleConfig")
def create_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep scripts that instances run when they are created and when they start."""
    return CONFIGS.create(context, parameters, _scripts(parameters))


@operation("sagemaker", "UpdateNotebookInstanceLifecycleConfig")
def update_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace the scripts that are given; instances run them from their next start on."""
    scripts = _scripts(parameters)
    CONFIGS.change(context, parameters[CONFIG_NAME], lambda config: config.changed(scripts))
    return {}


def _scripts(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the hooks of a request; raise ValidationException if their content is invalid."""
    for hook in HOOKS:
        for script in parameters.get(hook, []):
            with translate(ValueError, functools.partial(_not_base64, hook)):
                # as `base64` writes it, in lines or in one
                base64.b64decode("".join(script.get("Content", "").split()), validate=True)
    return chosen(parameters, HOOKS)


def _not_base64(hook: str, error: Exception) -> ValidationException:
    return ValidationException(
        f"The content of {hook} is not base64: {error}. Encode the script: base64 -w0 script.sh"
    )
