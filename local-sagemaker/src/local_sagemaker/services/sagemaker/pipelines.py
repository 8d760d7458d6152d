"""Pipelines: create, update, describe, list, delete."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.pipelines import DefinitionError
from local_sagemaker.engine.workflows import pipeline_steps
from local_sagemaker.errors import ResourceNotFound, ValidationException, invalid_request, translate
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.pipeline_checks import check_definition
from local_sagemaker.services.sagemaker.resources import ResourceType, chosen, tags_by_key
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource, TakenError

PIPELINES = ResourceType(
    noun="Pipeline",
    kind="pipeline",
    missing="Pipeline '{arn}' does not exist.",
    missing_error=ResourceNotFound,
)
VERSIONS = ResourceType(noun="PipelineVersion", kind="pipeline-version")
GIVEN = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
#: digits of a number in a name, so that names sort as numbers do
VERSION_DIGITS = 8
VERSION_NAMES = ("PipelineVersionDisplayName", "PipelineVersionDescription")


@operation("sagemaker", "CreatePipeline")
def create_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a pipeline; its definition must be one that can be carried out."""
    name, token = parameters["PipelineName"], parameters["ClientRequestToken"]
    text = _definition(context, parameters)
    if text is None:
        raise ValidationException("Give PipelineDefinition or PipelineDefinitionS3Location.")
    document = {"PipelineDisplayName": name, **chosen(parameters, GIVEN)} | {
        "PipelineName": name,
        "PipelineDefinition": text,
        "PipelineStatus": "Active",
    }
    state = {"token": token, "version": 1}
    pipeline = PIPELINES.new(context, name, document, status="Active", state=state)
    with suppress(TakenError), context.store.together():
        context.store.insert(pipeline, tags_by_key(parameters.get("Tags")))
        context.store.insert(make_version(pipeline, 1, text))
    if PIPELINES.find_resource(context, name).state.get("token") != token:
        raise ValidationException(
            "Pipeline names must be unique within an AWS account and region. Pipeline with name "
            f"({name}) already exists."
        )
    return {"PipelineArn": pipeline.arn}


@operation("sagemaker", "UpdatePipeline")
def update_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change a pipeline's description, or its definition by a new version; executions keep theirs."""
    pipeline, text = PIPELINES.named(context, parameters), _definition(context, parameters)
    definition = {} if text is None else {"PipelineDefinition": text}

    def change(current: Resource) -> Resource:
        number = current.state["version"]
        if text is not None:
            number += 1
            context.store.insert(make_version(current, number, text))
        members = chosen(parameters, GIVEN) | definition
        return current.changed(members, state={**current.state, "version": number})

    changed = context.store.change(pipeline.kind, pipeline.name, change)
    return {"PipelineArn": pipeline.arn, "PipelineVersionId": changed.state["version"]}


@operation("sagemaker", "DescribePipeline")
def describe_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a pipeline and its definition, or that of an earlier version."""
    pipeline = PIPELINES.named(context, parameters)
    version = find_version(context, pipeline, parameters.get("PipelineVersionId"))
    described = pipeline.document | chosen(version.document, ("PipelineDefinition", *VERSION_NAMES))
    last = described.pop("LastExecutionTime", None)
    return {**described, "LastRunTime": last}


@operation("sagemaker", "ListPipelines")
def list_pipelines(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of pipelines, by the beginning of their names and the time of their creation."""
    return PIPELINES.list_resources(context, parameters, prefix=parameters.get("PipelineNamePrefix"))


@operation("sagemaker", "DeletePipeline")
def delete_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget a pipeline with its versions and what its steps were cached by; its executions stay."""
    pipeline = PIPELINES.named(context, parameters)
    with context.store.together():
        for kind in (VERSIONS.kind, pipeline_steps.CACHE_KIND):
            for one in context.store.search(kind, Query(parent=pipeline.name)):
                context.store.delete(kind, one.name)
        context.store.delete(pipeline.kind, pipeline.name)
    return {"PipelineArn": pipeline.arn}


def _definition(context: Context, parameters: Mapping[str, Any]) -> str | None:
    """Return the checked definition of a request, which may lie in S3."""
    text: str | None = parameters.get("PipelineDefinition")
    location = parameters.get("PipelineDefinitionS3Location")
    if location is not None:
        text = context.objects.path(location["Bucket"], location["ObjectKey"]).read_text(encoding="utf-8")
    if text is not None:
        with translate(DefinitionError, invalid_request):
            check_definition(text)
    return text


@operation("sagemaker", "ListPipelineVersions")
def list_pipeline_versions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a pipeline's versions."""
    return VERSIONS.list_resources(context, parameters, parent=PIPELINES.named(context, parameters).name)


@operation("sagemaker", "UpdatePipelineVersion")
def update_pipeline_version(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Name a version of a pipeline, or describe it."""
    pipeline = PIPELINES.find_resource(context, parameters["PipelineArn"])
    number = parameters["PipelineVersionId"]
    change_version(context, pipeline, number, chosen(parameters, VERSION_NAMES))
    return {"PipelineArn": pipeline.arn, "PipelineVersionId": number}


def find_version(context: Context, pipeline: Resource, number: int | None) -> Resource:
    """Return a version of a pipeline; without a number, the newest."""
    number = pipeline.state["version"] if number is None else number
    version: Resource | None = context.store.get(VERSIONS.kind, _version_name(pipeline, number))
    if version is None:
        raise ResourceNotFound(f"Pipeline '{pipeline.arn}' has no version {number}.")
    return version


def make_version(pipeline: Resource, number: int, definition: str) -> Resource:
    """Return a new version, to be kept together with the pipeline that it is the newest of."""
    now = time.time()
    return Resource(
        kind=VERSIONS.kind,
        name=_version_name(pipeline, number),
        parent=pipeline.name,
        arn=f"{pipeline.arn}/version/{number}",
        created=now,
        modified=now,
        document={
            "PipelineArn": pipeline.arn,
            "PipelineVersionId": number,
            "PipelineDefinition": definition,
            "CreationTime": moment(now),
        },
    )


def change_version(context: Context, pipeline: Resource, number: int, members: Mapping[str, Any]) -> None:
    """Change the description of a version."""
    name = find_version(context, pipeline, number).name
    context.store.change(
        VERSIONS.kind, name, lambda version: replace(version, document={**version.document, **members})
    )


def _version_name(pipeline: Resource, number: int) -> str:
    return f"{pipeline.name}/{number:0{VERSION_DIGITS}d}"
