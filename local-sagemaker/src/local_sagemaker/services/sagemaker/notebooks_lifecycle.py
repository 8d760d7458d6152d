"""Lifecycle configurations of notebook instances: create, describe, list, update, delete."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from typing import Any

from local_sagemaker.engine.notebooks.notebooks import CONFIG_KIND
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.listing import listed, pairs
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource, TakenError

NAME = "NotebookInstanceLifecycleConfigName"
HOOKS = ("OnCreate", "OnStart")


@operation("sagemaker", "CreateNotebookInstanceLifecycleConfig")
def create_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep scripts that instances run when they are created and when they start."""
    name, now = parameters[NAME], time.time()
    arn = context.arn("sagemaker", f"{CONFIG_KIND}/{name.lower()}")
    resource = Resource(
        kind=CONFIG_KIND, name=name, arn=arn, created=now, modified=now, document=_scripts(parameters)
    )
    try:
        context.store.insert(resource, pairs(parameters.get("Tags")))
    except TakenError as error:
        raise ValidationException(
            f"Unable to create Notebook Instance Lifecycle Config {arn}. (Details: Notebook Instance "
            "Lifecycle Config already exists.)"
        ) from error
    return {"NotebookInstanceLifecycleConfigArn": arn}


@operation("sagemaker", "DescribeNotebookInstanceLifecycleConfig")
def describe_notebook_instance_lifecycle_config(
    context: Context, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Answer with a configuration's scripts."""
    found = find(context, parameters[NAME], "describe")
    return {**found.document, **_summary(found)}


@operation("sagemaker", "ListNotebookInstanceLifecycleConfigs")
def list_notebook_instance_lifecycle_configs(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """List configurations, newest first unless asked otherwise."""
    found, token = listed(context, CONFIG_KIND, parameters)
    return {
        "NotebookInstanceLifecycleConfigs": [_summary(config) for config in found],
        "NextToken": token,
    }


@operation("sagemaker", "UpdateNotebookInstanceLifecycleConfig")
def update_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace the scripts that are given; instances run them from their next start on."""
    find(context, parameters[NAME], "update")
    scripts = _scripts(parameters)

    def change(resource: Resource) -> Resource:
        return replace(resource, modified=time.time(), document={**resource.document, **scripts})

    context.store.change(CONFIG_KIND, parameters[NAME], change)
    return {}


@operation("sagemaker", "DeleteNotebookInstanceLifecycleConfig")
def delete_notebook_instance_lifecycle_config(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a configuration; an instance that names it does not start any more."""
    find(context, parameters[NAME], "delete")
    context.store.delete(CONFIG_KIND, parameters[NAME])


def find(context: Context, name: str, verb: str) -> Resource:
    """A configuration by name; ValidationException in AWS's words if there is none."""
    found: Resource | None = context.store.get(CONFIG_KIND, name)
    if found is None:
        arn = context.arn("sagemaker", f"{CONFIG_KIND}/{name.lower()}")
        raise ValidationException(
            f"Unable to {verb} Notebook Instance Lifecycle Config '{arn}'. (Details: Notebook Instance "
            "Lifecycle Config does not exist.)"
        )
    return found


def _scripts(parameters: dict[str, Any]) -> dict[str, Any]:
    """The hooks that a request gives, if their content is what AWS takes."""
    for hook in HOOKS:
        for script in parameters.get(hook, []):
            try:
                # as `base64` writes it, in lines or in one
                base64.b64decode("".join(script.get("Content", "").split()), validate=True)
            except ValueError as error:
                raise ValidationException(
                    f"The content of {hook} is not base64: {error}. Encode the script: base64 -w0 script.sh"
                ) from error
    return {hook: parameters[hook] for hook in HOOKS if hook in parameters}


def _summary(resource: Resource) -> dict[str, Any]:
    return {
        NAME: resource.name,
        "NotebookInstanceLifecycleConfigArn": resource.arn,
        "CreationTime": moment(resource.created),
        "LastModifiedTime": moment(resource.modified),
    }
