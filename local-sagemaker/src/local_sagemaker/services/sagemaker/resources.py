"""What SageMaker's resources have in common: how they are made, found, listed, tagged.

A module declares its type of resource once, registers the operations that need nothing more by `serve_*`,
and writes handlers for what differs.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, cast

from botocore.model import StructureShape

from local_sagemaker.errors import AwsError, ResourceLimitExceeded, ValidationException, translate
from local_sagemaker.protocol import models
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Document, MissingError, Query, Resource, TakenError

#: by SageMaker's word in SortBy
ORDERS: dict[str, Literal["name", "created", "modified", "status"]] = {
    "Name": "name",
    "CreationTime": "created",
    "LastModifiedTime": "modified",
    "Status": "status",
}
#: page size when MaxResults is not given
PAGE = 10
#: tags of one resource
TAG_LIMIT = 50
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One type of resource: what it is called, and what is said of a name that is missing or taken."""

    #: SageMaker's word: a "Model" has CreateModel, ListModels, ModelName and ModelArn
    noun: str
    #: kind in the store, and in the ARN
    kind: str
    #: texts of errors, with the fields name, arn and verb (what was to be done: describe, update, delete)
    missing: str = ""
    taken: str = ""
    missing_error: type[AwsError] = ValidationException
    taken_error: type[AwsError] = ValidationException
    #: whether the ARN has the name in lower case
    is_lower: bool = False
    #: how its lists are sorted by default, in the words of SortBy and SortOrder: the API model's
    order: tuple[str, str] = ("CreationTime", "Descending")

    def arn(self, context: Context, name: str) -> str:
        """Return the ARN of a name."""
        return context.arn("sagemaker", f"{self.kind}/{name.lower() if self.is_lower else name}")

    def find_resource(self, context: Context, name_or_arn: str, verb: str = "describe") -> Resource:
        """Return a resource; raise the error that AWS has if there is none."""
        name = name_or_arn.rpartition(f":{self.kind}/")[2]
        resource = context.store.get(self.kind, name)
        if resource is None:
            raise self.not_found(context, name, verb)
        return resource

    def not_found(self, context: Context, name: str, verb: str = "describe") -> AwsError:
        """Return the error about a name that is missing."""
        return self.missing_error(self.missing.format(name=name, arn=self.arn(context, name), verb=verb))

    def named(self, context: Context, parameters: Mapping[str, Any], verb: str = "describe") -> Resource:
        """Return the resource that a request names; raise the error that AWS has if there is none."""
        return self.find_resource(context, parameters[f"{self.noun}Name"], verb)

    def change(
        self, context: Context, name: str, change: Callable[[Resource], Resource], verb: str = "update"
    ) -> Resource:
        """Replace a resource by `change(resource)`; raise the error that AWS has if there is none."""
        with translate(MissingError, self.not_found(context, name, verb)):
            return context.store.change(self.kind, name, change)

    def new(self, context: Context, name: str, document: Mapping[str, Any], **fields: Any) -> Resource:  # noqa: ANN401
        """Return a resource that is not in the store yet.

        :param document: what Describe answers with; name and tags may be in it.
        :param fields: status, parent and state.
        """
        arn, now = self.arn(context, name), time.time()
        kept = {key: value for key, value in document.items() if key != "Tags"} | {
            f"{self.noun}Arn": arn,
            "CreationTime": moment(now),
            "LastModifiedTime": moment(now),
        }
        return Resource(
            kind=self.kind, name=name, arn=arn, created=now, modified=now, document=kept, **fields
        )

    def keep(self, context: Context, resource: Resource, parameters: Mapping[str, Any]) -> None:
        """Store a new resource with its tags; raise the error that AWS has if the name is taken."""
        text = self.taken.format(name=resource.name, arn=resource.arn)
        with translate(TakenError, self.taken_error(text)):
            context.store.insert(resource, tags_by_key(parameters.get("Tags")))

    def create(
        self,
        context: Context,
        parameters: Mapping[str, Any],
        document: Mapping[str, Any] | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Store a new resource, by default with its request as its document; return the answer, its ARN."""
        name = parameters[f"{self.noun}Name"]
        resource = self.new(context, name, parameters if document is None else document, **fields)
        self.keep(context, resource, parameters)
        return {f"{self.noun}Arn": resource.arn}

    def described(self, resource: Resource) -> Document:
        """Return all that is known of a resource, whatever operation shows it."""
        return {
            f"{self.noun}Status": resource.status,
            **resource.document,
            f"{self.noun}Name": resource.name,
            f"{self.noun}Arn": resource.arn,
            "CreationTime": moment(resource.created),
            "LastModifiedTime": moment(resource.modified),
        }

    def summarized(self, resource: Resource) -> Document:
        """Return what a List operation shows of a resource."""
        return chosen(self.described(resource), _summaries(self.noun)[1])

    def list_resources(
        self,
        context: Context,
        parameters: Mapping[str, Any],
        **filters: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Return the answer of a List operation; `filters` are more of `listed`."""
        defaults = dict(zip(("SortBy", "SortOrder"), self.order, strict=True))
        resources, token = listed(context, self.kind, {**defaults, **parameters}, **filters)
        summaries = [self.summarized(resource) for resource in resources]
        return {_summaries(self.noun)[0]: summaries, "NextToken": token}

    def serve_describe(self, summary: str) -> None:
        """Register the Describe operation of resources that are described as they are."""

        def describe(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
            return chosen(
                self.described(self.named(context, parameters)), output_members(f"Describe{self.noun}")
            )

        operation("sagemaker", f"Describe{self.noun}", summary=summary)(describe)

    def serve_list(self, summary: str) -> None:
        """Register the List operation of resources that are filtered and sorted by the usual members."""
        operation("sagemaker", f"List{self.noun}s", summary=summary)(self.list_resources)

    def serve_delete(self, summary: str) -> None:
        """Register the Delete operation of resources that may go at any time."""

        def delete(context: Context, parameters: dict[str, Any]) -> None:
            context.store.delete(self.kind, self.named(context, parameters, "delete").name)

        operation("sagemaker", f"Delete{self.noun}", summary=summary)(delete)


@cache
def output_members(name: str) -> Mapping[str, Any]:
    """Return the shapes of the members that an operation's answer has."""
    return cast("StructureShape", models.operation_model("sagemaker", name).output_shape).members


@cache
def _summaries(noun: str) -> tuple[str, Collection[str]]:
    """Return the member of a List operation's answer that holds the page, and the members of its items."""
    members = output_members(f"List{noun}s")
    return next((name, shape.member.members) for name, shape in members.items() if shape.type_name == "list")


def chosen(document: Mapping[str, Any], members: Collection[str]) -> Document:
    """Return those members of a document, or of a request, that it has."""
    return {name: value for name, value in document.items() if name in members}


def listed(
    context: Context,
    kind: str,
    parameters: Mapping[str, Any],
    *,
    parent: str | None = None,
    prefix: str | None = None,
    status: str | None = None,
    fits: Callable[[Resource], bool] | None = None,
) -> tuple[Sequence[Resource], str | None]:
    """Return one page of resources as the request filters and sorts them, and the token of the next page.

    Newest first unless the request says otherwise. `fits` chooses by what the store does not know.
    """
    size, token = parameters.get("MaxResults", PAGE), parameters.get("NextToken")
    sort_by = ORDERS[_word(parameters.get("SortBy", "CreationTime"))]
    query = Query(
        name_contains=parameters.get("NameContains"),
        name_prefix=prefix,
        status=status or parameters.get("StatusEquals"),
        parent=parent,
        created_after=_seconds(parameters, "CreationTimeAfter", "CreatedAfter"),
        created_before=_seconds(parameters, "CreationTimeBefore", "CreatedBefore"),
        modified_after=_seconds(parameters, "LastModifiedTimeAfter"),
        modified_before=_seconds(parameters, "LastModifiedTimeBefore"),
        sort_by=sort_by,
        is_descending=parameters.get("SortOrder", "Descending") == "Descending",
        limit=None if fits else size + 1,
        after=None if fits or token is None else tuple(position_of(token, float | str, str)),
    )
    resources = context.store.search(kind, query)
    if fits:
        return page_of([resource for resource in resources if fits(resource)], parameters)
    shown = resources[:size]
    return shown, token_of(getattr(shown[-1], sort_by), shown[-1].name) if len(resources) > size else None


def _word(sort_by: str) -> str:
    # ListModelPackageGroups and others know orders of their own; all of them begin with these words
    return next((word for word in ORDERS if sort_by.startswith(word)), "CreationTime")


def _seconds(parameters: Mapping[str, Any], *names: str) -> float | None:
    moments: Iterable[datetime] = (parameters[name] for name in names if name in parameters)
    return next((moment.timestamp() for moment in moments), None)


def page_of(items: Sequence[T], parameters: Mapping[str, Any]) -> tuple[Sequence[T], str | None]:
    """Return one page and the token of the next; the items must come in the same order every time."""
    token, size = parameters.get("NextToken"), parameters.get("MaxResults", PAGE)
    begin = 0 if token is None else max(0, position_of(token, int)[0])
    return items[begin : begin + size], token_of(begin + size) if begin + size < len(items) else None


def token_of(*position: object) -> str:
    """Return the token of a position in a list."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def position_of(token: str, *kinds: type | UnionType) -> list[Any]:
    """Return the position of a token, whose values are of these kinds; ValidationException for others."""
    refusal = ValidationException("Invalid NextToken: give it back as the last page had it.")
    with translate((ValueError, RecursionError), refusal):
        values = json.loads(base64.urlsafe_b64decode(token).decode())
        json.dumps(values, ensure_ascii=False).encode()  # half of a surrogate pair could not be looked for
    if not isinstance(values, list) or len(values) != len(kinds) or not all(map(isinstance, values, kinds)):
        raise refusal
    return values


def tags_by_key(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return a request's list of tags by key."""
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as an answer lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@operation("sagemaker", "AddTags")
def add_tags(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Add tags to a resource, or give those it has new values."""
    arn = _known(context, parameters["ResourceArn"])
    added = tags_by_key(parameters["Tags"])
    count = len({**context.store.tags(arn), **added})
    if count > TAG_LIMIT:
        raise ResourceLimitExceeded(f"{arn} would have {count} tags; the limit is {TAG_LIMIT}. Delete some.")
    context.store.add_tags(arn, added)
    return {"Tags": tag_list(context.store.tags(arn))}


@operation("sagemaker", "ListTags")
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
