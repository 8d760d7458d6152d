"""Versions of pipelines: every definition that a pipeline has had, numbered from 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_sagemaker.errors import ResourceNotFound
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.listing import listed
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource

KIND, PIPELINE = "pipeline-version", "pipeline"
#: digits of a number in a name, so that names sort as numbers do
DIGITS = 8
NAMES = ("PipelineVersionDisplayName", "PipelineVersionDescription")
SUMMARY = ("PipelineArn", "PipelineVersionId", "CreationTime", *NAMES, "LastExecutionPipelineExecutionArn")


@operation("sagemaker", "ListPipelineVersions")
def list_pipeline_versions(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of a pipeline's versions."""
    asked = dict(parameters)
    for theirs, ours in (("CreatedAfter", "CreationTimeAfter"), ("CreatedBefore", "CreationTimeBefore")):
        asked[ours] = asked.pop(theirs, None)
    found, token = listed(
        context, KIND, asked, parent=pipeline_named(context, parameters["PipelineName"]).name
    )
    shown = [{name: one.document[name] for name in SUMMARY if name in one.document} for one in found]
    return {"PipelineVersionSummaries": shown, "NextToken": token}


@operation("sagemaker", "UpdatePipelineVersion")
def update_pipeline_version(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Name a version of a pipeline, or describe it."""
    pipeline, number = pipeline_named(context, parameters["PipelineArn"]), parameters["PipelineVersionId"]
    change(context, pipeline, number, {name: parameters[name] for name in NAMES if name in parameters})
    return {"PipelineArn": pipeline.arn, "PipelineVersionId": number}


def pipeline_named(context: Context, name_or_arn: str) -> Resource:
    """A pipeline by its name or ARN."""
    name = name_or_arn.rpartition(f":{PIPELINE}/")[2]
    found: Resource | None = context.store.get(PIPELINE, name)
    if found is None:
        raise ResourceNotFound(f"Pipeline '{context.arn('sagemaker', f'{PIPELINE}/{name}')}' does not exist.")
    return found


def find(context: Context, pipeline: Resource, number: int | None) -> Resource:
    """A version of a pipeline; of no number, its newest."""
    number = pipeline.state["version"] if number is None else number
    found: Resource | None = context.store.get(KIND, _name(pipeline, number))
    if found is None:
        raise ResourceNotFound(f"Pipeline '{pipeline.arn}' has no version {number}.")
    return found


def make(pipeline: Resource, number: int, definition: str, now: float) -> Resource:
    """A new version, to be kept together with the pipeline that it is the newest of."""
    return Resource(
        kind=KIND,
        name=_name(pipeline, number),
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


def change(context: Context, pipeline: Resource, number: int, members: Mapping[str, Any]) -> None:
    """Change what is said of a version."""
    name = find(context, pipeline, number).name
    context.store.change(KIND, name, lambda found: replace(found, document={**found.document, **members}))


def _name(pipeline: Resource, number: int) -> str:
    return f"{pipeline.name}/{number:0{DIGITS}d}"
