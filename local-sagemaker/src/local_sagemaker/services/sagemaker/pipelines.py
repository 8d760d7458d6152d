"""Pipelines: create, update, describe, list, delete."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.pipelines import DefinitionError
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition
from local_sagemaker.engine.workflows import pipeline_steps
from local_sagemaker.errors import ResourceNotFound, ValidationException, invalid_request, translate
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import listed, pairs
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource, TakenError

KIND = "pipeline"
GIVEN = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
SUMMARY = (
    *("PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn"),
    *("CreationTime", "LastModifiedTime", "LastExecutionTime"),
)
VERSION_KIND, PIPELINE = "pipeline-version", "pipeline"
#: digits of a number in a name, so that names sort as numbers do
VERSION_DIGITS = 8
VERSION_NAMES = ("PipelineVersionDisplayName", "PipelineVersionDescription")
VERSION_SUMMARY = (
    "PipelineArn",
    "PipelineVersionId",
    "CreationTime",
    *VERSION_NAMES,
    "LastExecutionPipelineExecutionArn",
)


@operation("sagemaker", "CreatePipeline")
def create_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a pipeline; its definition must be one that can be carried out."""
    name, now = parameters["PipelineName"], time.time()
    arn = context.arn("sagemaker", f"{KIND}/{name}")
    text = _definition(context, parameters)
    if text is None:
        raise ValidationException("Give PipelineDefinition or PipelineDefinitionS3Location.")
    document = {key: parameters[key] for key in GIVEN if key in parameters} | {
        "PipelineName": name,
        "PipelineArn": arn,
        "PipelineDefinition": text,
        "PipelineStatus": "Active",
        "CreationTime": moment(now),
        "LastModifiedTime": moment(now),
    }
    document.setdefault("PipelineDisplayName", name)
    resource = Resource(
        kind=KIND,
        name=name,
        arn=arn,
        status="Active",
        created=now,
        modified=now,
        document=document,
        state={"token": parameters["ClientRequestToken"], "version": 1},
    )
    with suppress(TakenError), context.store.together():
        context.store.insert(resource, pairs(parameters.get("Tags")))
        context.store.insert(make_version(resource, 1, text, now))
    if pipeline_named(context, name).state.get("token") != parameters["ClientRequestToken"]:
        raise ValidationException(
            "Pipeline names must be unique within an AWS account and region. Pipeline with name "
            f"({name}) already exists."
        )
    return {"PipelineArn": arn}


@operation("sagemaker", "UpdatePipeline")
def update_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change a pipeline's description, or its definition by a new version; executions keep theirs."""
    found, now = pipeline_named(context, parameters["PipelineName"]), time.time()
    changes = {key: parameters[key] for key in GIVEN if key in parameters}
    text = _definition(context, parameters)
    if text is not None:
        changes["PipelineDefinition"] = text

    def change(resource: Resource) -> Resource:
        document = {**resource.document, **changes, "LastModifiedTime": moment(now)}
        number = resource.state["version"]
        if text is not None:
            number += 1
            context.store.insert(make_version(resource, number, text, now))
        return replace(resource, document=document, state={**resource.state, "version": number}, modified=now)

    changed = context.store.change(KIND, found.name, change)
    return {"PipelineArn": found.arn, "PipelineVersionId": changed.state["version"]}


@operation("sagemaker", "DescribePipeline")
def describe_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a pipeline and its definition, or that of an earlier version."""
    pipeline = pipeline_named(context, parameters["PipelineName"])
    version = find_version(context, pipeline, parameters.get("PipelineVersionId"))
    members = ("PipelineDefinition", *VERSION_NAMES)
    described = {
        **pipeline.document,
        **{name: version.document[name] for name in members if name in version.document},
    }
    last = described.pop("LastExecutionTime", None)
    return {**described, "LastRunTime": last}


@operation("sagemaker", "ListPipelines")
def list_pipelines(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of pipelines, by the beginning of their names and the time of their creation."""
    asked = dict(parameters)
    for theirs, ours in (("CreatedAfter", "CreationTimeAfter"), ("CreatedBefore", "CreationTimeBefore")):
        asked[ours] = asked.pop(theirs, None)
    found, token = listed(context, KIND, asked, prefix=asked.pop("PipelineNamePrefix", None))
    summaries = [{key: one.document[key] for key in SUMMARY if key in one.document} for one in found]
    return {"PipelineSummaries": summaries, "NextToken": token}


@operation("sagemaker", "DeletePipeline", ignored=("ClientRequestToken",))
def delete_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget a pipeline with its versions and what its steps were cached by; its executions stay."""
    found = pipeline_named(context, parameters["PipelineName"])
    with context.store.together():
        for kind in (VERSION_KIND, pipeline_steps.CACHE_KIND):
            for one in context.store.search(kind, Query(parent=found.name)):
                context.store.delete(kind, one.name)
        context.store.delete(KIND, found.name)
    return {"PipelineArn": found.arn}


def _definition(context: Context, parameters: Mapping[str, Any]) -> str | None:
    """Return the checked definition of a request, which may lie in S3."""
    text: str | None = parameters.get("PipelineDefinition")
    place = parameters.get("PipelineDefinitionS3Location")
    if place is not None and "VersionId" in place:
        raise ValidationException(
            "VersionId is not emulated locally: objects have one version. Leave it out."
        )
    if place is not None:
        text = context.objects.path(place["Bucket"], place["ObjectKey"]).read_text(encoding="utf-8")
    if text is not None:
        with translate(DefinitionError, invalid_request):
            PipelineDefinition.parse(text)
    return text


@operation("sagemaker", "ListPipelineVersions")
def list_pipeline_versions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a pipeline's versions."""
    asked = dict(parameters)
    for theirs, ours in (("CreatedAfter", "CreationTimeAfter"), ("CreatedBefore", "CreationTimeBefore")):
        asked[ours] = asked.pop(theirs, None)
    found, token = listed(
        context, VERSION_KIND, asked, parent=pipeline_named(context, parameters["PipelineName"]).name
    )
    shown = [{name: one.document[name] for name in VERSION_SUMMARY if name in one.document} for one in found]
    return {"PipelineVersionSummaries": shown, "NextToken": token}


@operation("sagemaker", "UpdatePipelineVersion")
def update_pipeline_version(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Name a version of a pipeline, or describe it."""
    pipeline, number = pipeline_named(context, parameters["PipelineArn"]), parameters["PipelineVersionId"]
    change_version(
        context, pipeline, number, {name: parameters[name] for name in VERSION_NAMES if name in parameters}
    )
    return {"PipelineArn": pipeline.arn, "PipelineVersionId": number}


def pipeline_named(context: Context, name_or_arn: str) -> Resource:
    """Return a pipeline by its name or ARN."""
    name = name_or_arn.rpartition(f":{PIPELINE}/")[2]
    found: Resource | None = context.store.get(PIPELINE, name)
    if found is None:
        raise ResourceNotFound(f"Pipeline '{context.arn('sagemaker', f'{PIPELINE}/{name}')}' does not exist.")
    return found


def find_version(context: Context, pipeline: Resource, number: int | None) -> Resource:
    """Return a version of a pipeline; without a number, the newest."""
    number = pipeline.state["version"] if number is None else number
    found: Resource | None = context.store.get(VERSION_KIND, _version_name(pipeline, number))
    if found is None:
        raise ResourceNotFound(f"Pipeline '{pipeline.arn}' has no version {number}.")
    return found


def make_version(pipeline: Resource, number: int, definition: str, now: float) -> Resource:
    """Return a new version, to be kept together with the pipeline that it is the newest of."""
    return Resource(
        kind=VERSION_KIND,
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
        VERSION_KIND, name, lambda found: replace(found, document={**found.document, **members})
    )


def _version_name(pipeline: Resource, number: int) -> str:
    return f"{pipeline.name}/{number:0{VERSION_DIGITS}d}"
