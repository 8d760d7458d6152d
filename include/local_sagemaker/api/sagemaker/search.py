"""Search: records of one kind by filters on any of their properties."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from botocore.model import ListShape, StructureShape

from include.local_sagemaker.api.registry import operation
from include.local_sagemaker.api.sagemaker import endpoints
from include.local_sagemaker.api.sagemaker.search_filters import fits, values
from include.local_sagemaker.context import Context
from include.local_sagemaker.errors import ValidationException
from include.local_sagemaker.protocol import models
from include.local_sagemaker.runner import endpoint_records
from include.local_sagemaker.store import Resource

#: page size when MaxResults is not given
PAGE = 10


class Searched(NamedTuple):
    """How one value of Resource is searched: the store's kind, and the member of a result that holds it."""

    kind: str
    member: str


RESOURCES = {
    "TrainingJob": Searched("training-job", "TrainingJob"),
    "HyperParameterTuningJob": Searched("hyper-parameter-tuning-job", "HyperParameterTuningJob"),
    "Endpoint": Searched("endpoint", "Endpoint"),
    "ModelPackage": Searched("model-package", "ModelPackage"),
    "ModelPackageGroup": Searched("model-package-group", "ModelPackageGroup"),
    "Pipeline": Searched("pipeline", "Pipeline"),
    "PipelineExecution": Searched("pipeline-execution", "PipelineExecution"),
    "Experiment": Searched("experiment", "Experiment"),
    "ExperimentTrial": Searched("experiment-trial", "Trial"),
    "ExperimentTrialComponent": Searched("experiment-trial-component", "TrialComponent"),
}


@operation("sagemaker", "Search", ignored=("CrossAccountFilterOption", "VisibilityConditions"))
def search(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the records of a kind that fit an expression, last modified first."""
    searched = RESOURCES.get(parameters["Resource"])
    if searched is None:
        raise ValidationException(
            f"There is no {parameters['Resource']} to search here. Give one of {', '.join(RESOURCES)}."
        )
    expression = parameters.get("SearchExpression", {})
    found = [
        (resource, record)
        for resource in context.store.search(searched.kind)
        if fits(record := _record(context, searched, resource), expression)
    ]
    keyed = [(_key(record, resource, parameters), record) for resource, record in found]
    keyed.sort(key=lambda item: item[0], reverse=parameters.get("SortOrder", "Descending") == "Descending")
    page, token = _page(keyed, parameters)
    total = {"Value": len(found), "Relation": "EqualTo"}
    return {
        "Results": [{searched.member: record} for record in page],
        "NextToken": token,
        "TotalHits": total,
    }


def _record(context: Context, searched: Searched, resource: Resource) -> dict[str, Any]:
    """A resource as Search shows it: of its description what a result has members for, and its tags."""
    described = resource.document
    if searched.kind == endpoint_records.KIND:
        described = endpoints.describe_endpoint(context, {"EndpointName": resource.name})
    members = _members(searched.member)
    record = {name: value for name, value in described.items() if name in members and value is not None}
    tags = [{"Key": key, "Value": value} for key, value in context.store.tags(resource.arn).items()]
    return {**record, "Tags": tags} if tags and "Tags" in members else record


def _members(member: str) -> Mapping[str, Any]:
    output = cast("StructureShape", models.operation_model("sagemaker", "Search").output_shape)
    result = cast("StructureShape", cast("ListShape", output.members["Results"]).member)
    return cast("StructureShape", result.members[member]).members


Key = tuple[int, float, str, str]


def _key(record: Mapping[str, Any], resource: Resource, parameters: Mapping[str, Any]) -> Key:
    """What a record is sorted by; numbers before texts, what has no such property first."""
    name = parameters.get("SortBy", "LastModifiedTime")
    found = [resource.modified] if name == "LastModifiedTime" else values(record, name)
    value = found[0] if found else None
    if isinstance(value, datetime):
        value = value.timestamp()
    if isinstance(value, (int, float)):
        return (1, float(value), "", resource.arn)
    return (0 if value is None else 2, 0.0, "" if value is None else str(value), resource.arn)


def _page(
    keyed: list[tuple[Key, dict[str, Any]]], parameters: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], str | None]:
    size, token = parameters.get("MaxResults", PAGE), parameters.get("NextToken")
    if token is not None:
        last = _position(token)
        is_descending = parameters.get("SortOrder", "Descending") == "Descending"
        keyed = [item for item in keyed if (item[0] < last if is_descending else item[0] > last)]
    page = [record for _, record in keyed[:size]]
    if len(keyed) <= size:
        return page, None
    return page, base64.urlsafe_b64encode(json.dumps(keyed[size - 1][0]).encode()).decode()


def _position(token: str) -> Key:
    try:
        rank, number, text, arn = json.loads(base64.urlsafe_b64decode(token))
        return int(rank), float(number), str(text), str(arn)
    except (ValueError, TypeError) as error:
        raise ValidationException("Invalid NextToken: give it back as the last page had it.") from error
