"""Pipelines: create, update, describe, list, delete."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from local_sagemaker.domain.pipelines import DefinitionError
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition
from local_sagemaker.engine.workflows import caching
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import pipeline_versions
from local_sagemaker.services.sagemaker.listing import listed, pairs
from local_sagemaker.services.sagemaker.pipeline_versions import pipeline_named as find
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Query, Resource, TakenError

KIND = "pipeline"
GIVEN = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
SUMMARY = (
    *("PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn"),
    *("CreationTime", "LastModifiedTime", "LastExecutionTime"),
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
    try:
        with context.store.together():
            context.store.insert(resource, pairs(parameters.get("Tags")))
            context.store.insert(pipeline_versions.make(resource, 1, text, now))
    except TakenError as error:
        if find(context, name).state.get("token") != parameters["ClientRequestToken"]:
            raise ValidationException(
                "Pipeline names must be unique within an AWS account and region. Pipeline with name "
                f"({name}) already exists."
            ) from error
    return {"PipelineArn": arn}


@operation("sagemaker", "UpdatePipeline")
def update_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Change what is said of a pipeline, or its definition, which makes a version; executions keep theirs."""
    found, now = find(context, parameters["PipelineName"]), time.time()
    changes = {key: parameters[key] for key in GIVEN if key in parameters}
    text = _definition(context, parameters)
    if text is not None:
        changes["PipelineDefinition"] = text

    def change(resource: Resource) -> Resource:
        document = {**resource.document, **changes, "LastModifiedTime": moment(now)}
        number = resource.state["version"]
        if text is not None:
            number += 1
            context.store.insert(pipeline_versions.make(resource, number, text, now))
        return replace(resource, document=document, state={**resource.state, "version": number}, modified=now)

    changed = context.store.change(KIND, found.name, change)
    return {"PipelineArn": found.arn, "PipelineVersionId": changed.state["version"]}


@operation("sagemaker", "DescribePipeline")
def describe_pipeline(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a pipeline and its definition, or that of an earlier version."""
    pipeline = find(context, parameters["PipelineName"])
    version = pipeline_versions.find(context, pipeline, parameters.get("PipelineVersionId"))
    members = ("PipelineDefinition", *pipeline_versions.NAMES)
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
    found = find(context, parameters["PipelineName"])
    with context.store.together():
        for kind in (pipeline_versions.KIND, caching.KIND):
            for one in context.store.search(kind, Query(parent=found.name)):
                context.store.delete(kind, one.name)
        context.store.delete(KIND, found.name)
    return {"PipelineArn": found.arn}


def _definition(context: Context, parameters: Mapping[str, Any]) -> str | None:
    """The checked definition of a request, which may lie in S3."""
    text: str | None = parameters.get("PipelineDefinition")
    place = parameters.get("PipelineDefinitionS3Location")
    if place is not None and "VersionId" in place:
        raise ValidationException(
            "VersionId is not emulated locally: objects have one version. Leave it out."
        )
    if place is not None:
        text = context.objects.path(place["Bucket"], place["ObjectKey"]).read_text(encoding="utf-8")
    if text is not None:
        with definition_errors():
            PipelineDefinition.parse(text)
    return text


@contextmanager
def definition_errors() -> Iterator[None]:
    """Raise ValidationException for a definition that is not valid."""
    try:
        yield
    except DefinitionError as error:
        raise ValidationException(str(error)) from error
