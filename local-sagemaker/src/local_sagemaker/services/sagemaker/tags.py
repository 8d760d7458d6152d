"""Tags of whatever has an ARN: AddTags, ListTags, DeleteTags."""

from __future__ import annotations

from typing import Any

from local_sagemaker.errors import ResourceLimitExceeded, ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import tag_list, tags_by_key

LIMIT = 50


@operation("sagemaker", "AddTags")
def add_tags(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Add tags to a resource, or give those it has new values."""
    arn = _known(context, parameters["ResourceArn"])
    added = tags_by_key(parameters["Tags"])
    count = len({**context.store.tags(arn), **added})
    if count > LIMIT:
        raise ResourceLimitExceeded(f"{arn} would have {count} tags; the limit is {LIMIT}. Delete some.")
    context.store.add_tags(arn, added)
    return {"Tags": tag_list(context.store.tags(arn))}


@operation("sagemaker", "ListTags", ignored=("MaxResults",))
def list_tags(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with all tags of a resource; there are never more than one page holds."""
    return {"Tags": tag_list(context.store.tags(_known(context, parameters["ResourceArn"])))}


@operation("sagemaker", "DeleteTags")
def delete_tags(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take tags away from a resource."""
    context.store.delete_tags(_known(context, parameters["ResourceArn"]), parameters["TagKeys"])
    return {}


def _known(context: Context, arn: str) -> str:
    if context.store.by_arn(arn) is None:
        raise ValidationException(f"Requested resource not found: there is nothing with the ARN {arn}.")
    return arn
