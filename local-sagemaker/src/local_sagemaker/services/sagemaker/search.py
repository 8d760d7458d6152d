"""Search: records of one kind by filters on any of their properties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.domain.pipelines.expressions import COMPARISONS
from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import endpoints, training, tuning
from local_sagemaker.services.sagemaker.endpoints import ENDPOINTS
from local_sagemaker.services.sagemaker.experiments import COMPONENTS, EXPERIMENTS, TRIALS
from local_sagemaker.services.sagemaker.models import GROUPS, PACKAGES
from local_sagemaker.services.sagemaker.pipeline_executions import EXECUTIONS
from local_sagemaker.services.sagemaker.pipelines import PIPELINES
from local_sagemaker.services.sagemaker.resources import (
    PAGE,
    ResourceType,
    output_members,
    position_of,
    tag_list,
    token_of,
)
from local_sagemaker.storage.documents import Picked
from local_sagemaker.storage.store import Resource

MODIFIED = "LastModifiedTime"
Key = tuple[int, float, str, str]
Record = Mapping[str, Any]
#: members that name an item of a list
NAMED = ("Key", "MetricName")
#: what separates the values of the operator In
SEPARATOR = ","
_TYPES = (training.JOBS, tuning.JOBS, ENDPOINTS, PACKAGES, GROUPS, PIPELINES, EXECUTIONS, EXPERIMENTS)
#: by value of Resource; a result has the member that is called as its type
RESOURCES = {searched.noun: searched for searched in _TYPES} | {
    "ExperimentTrial": TRIALS,
    "ExperimentTrialComponent": COMPONENTS,
}


@operation("sagemaker", "Search")
def search(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of the records of a kind that fit an expression, last modified first."""
    searched = RESOURCES.get(parameters["Resource"])
    if searched is None:
        raise ValidationException(
            f"There is no {parameters['Resource']} to search here. Give one of {', '.join(RESOURCES)}."
        )
    expression = parameters.get("SearchExpression", {})
    # when it was modified last is known without a look into it, and of every type
    paths = paths_of(expression) | {parameters.get("SortBy", MODIFIED)} - {MODIFIED}
    check_paths(searched, paths)
    wanted = {head_of(one) for path in paths for one in (path, _alias(path))}
    keyed = [
        (_key(picked, parameters), picked.name)
        for picked in _candidates(context, searched, wanted)
        if fits_filters(picked.members, expression)
    ]
    total = {"Value": len(keyed), "Relation": "EqualTo"}
    keyed.sort(key=lambda item: item[0], reverse=parameters.get("SortOrder", "Descending") == "Descending")
    names, token = _page(keyed, parameters)
    shown = [context.store.get(searched.kind, name) for name in names]
    return {
        "Results": [{searched.noun: _record(context, searched, one)} for one in shown if one is not None],
        "NextToken": token,
        "TotalHits": total,
    }


def _candidates(context: Context, searched: ResourceType, wanted: set[str]) -> Iterator[Picked]:
    """All resources of a type, of each what the request asks about: of thousands, most are not shown."""
    if searched is ENDPOINTS:
        for resource in context.store.search(searched.kind):
            record = _record(context, searched, resource)
            yield Picked(resource.name, resource.arn, resource.modified, record)
        return
    members = _members(searched.noun)
    tags = context.store.tags_of_kind(searched.kind) if "Tags" in wanted & members.keys() else {}
    for picked in context.store.pick(searched.kind, sorted(wanted & members.keys() - {"Tags"})):
        record = {name: value for name, value in picked.members.items() if value is not None}
        if picked.arn in tags:
            record["Tags"] = tag_list(tags[picked.arn])
        yield picked._replace(members=record)


def _record(context: Context, searched: ResourceType, resource: Resource) -> dict[str, Any]:
    """Return a resource as Search shows it: the described members that a result has, and its tags."""
    described = resource.document
    if searched is ENDPOINTS:
        described = endpoints.description(context, resource)
    members = _members(searched.noun)
    record = {name: value for name, value in described.items() if name in members and value is not None}
    tags = tag_list(context.store.tags(resource.arn))
    return {**record, "Tags": tags} if tags and "Tags" in members else record


def _members(member: str) -> Mapping[str, Any]:
    members: Mapping[str, Any] = output_members("Search")["Results"].member.members[member].members
    return members


def _key(picked: Picked, parameters: Mapping[str, Any]) -> Key:
    """Return a record's sort key: records without the property first, then numbers, then texts."""
    name = parameters.get("SortBy", MODIFIED)
    seen = [picked.modified] if name == MODIFIED else values_of(picked.members, name)
    seen = seen or values_of(picked.members, _alias(name))
    value = seen[0] if seen else None
    if isinstance(value, datetime):
        value = value.timestamp()
    if isinstance(value, (int, float)):
        return (1, float(value), "", picked.arn)
    return (0 if value is None else 2, 0.0, "" if value is None else str(value), picked.arn)


def _page(keyed: list[tuple[Key, str]], parameters: Mapping[str, Any]) -> tuple[list[str], str | None]:
    size, token = parameters.get("MaxResults", PAGE), parameters.get("NextToken")
    if token is not None:
        last = tuple(position_of(token, int, float, str, str))
        is_descending = parameters.get("SortOrder", "Descending") == "Descending"
        keyed = [item for item in keyed if (item[0] < last if is_descending else item[0] > last)]
    names = [name for _, name in keyed[:size]]
    if len(keyed) <= size:
        return names, None
    return names, token_of(*keyed[size - 1][0])


def fits_filters(record: Record, expression: Mapping[str, Any]) -> bool:
    """Whether `record` fits a SearchExpression; an empty one fits all."""
    verdicts = [
        *(_passes(record, given) for given in expression.get("Filters", [])),
        *(_passes_nested(record, given) for given in expression.get("NestedFilters", [])),
        *(fits_filters(record, given) for given in expression.get("SubExpressions", [])),
    ]
    if expression.get("Operator", "And") == "And":
        return all(verdicts)
    return any(verdicts) or not verdicts


def paths_of(expression: Mapping[str, Any]) -> set[str]:
    """Return the properties by which an expression chooses records, as paths from the record on."""
    paths = {given["Name"] for given in expression.get("Filters", [])}
    for nested in expression.get("NestedFilters", []):
        name = nested["NestedPropertyName"]
        paths |= {f"{name}.{given['Name'].removeprefix(f'{name}.')}" for given in nested["Filters"]}
    return paths.union(*(paths_of(given) for given in expression.get("SubExpressions", [])))


def head_of(path: str) -> str:
    """Return the member of a record in which a property lies."""
    return path.partition(".")[0]


def check_paths(searched: ResourceType, paths: Iterable[str]) -> None:
    """Raise ValidationException for properties that no record of a type can have."""
    shape = output_members("Search")["Results"].member.members[searched.noun]
    known = [path for path in paths if any(_is_known(shape, one.split(".")) for one in (path, _alias(path)))]
    unknown = sorted(set(paths) - set(known))
    if unknown:
        raise ValidationException(
            f"Unknown property of {searched.noun}: {', '.join(unknown)}. A path begins with one of "
            f"{', '.join(shape.members)}."
        )


def _is_known(shape: Any, words: list[str]) -> bool:  # noqa: ANN401 (shapes, whose kinds share no type)
    if not words or shape.type_name == "map":
        return True
    if shape.type_name == "list":
        item = shape.member
        # items that have a name may be asked for by it: Tags.owner
        has_names = item.type_name == "structure" and not {*NAMED}.isdisjoint(item.members)
        return has_names or _is_known(item, words)
    if shape.type_name != "structure" or words[0] not in shape.members:
        return False
    return _is_known(shape.members[words[0]], words[1:])


def values_of(record: object, path: str) -> list[Any]:
    """Return the values of a path such as `Tags.owner` or `Metrics.accuracy`: none, one or many."""
    return list(_found(record, path))


def _found(record: object, path: str) -> Iterator[Any]:
    if not path:
        yield record
    elif isinstance(record, Mapping):
        # a hyperparameter's or a tag's name may hold dots: the longest name first
        words = path.split(".")
        for count in range(len(words), 0, -1):
            name = ".".join(words[:count])
            if name in record:
                yield from _found(record[name], ".".join(words[count:]))
                return
    elif isinstance(record, list):
        for item in record:
            yield from _found(_named(item), path)


def _named(item: object) -> object:
    """Return a tag or a metric with its value under its name, so that `Tags.owner` finds it."""
    if isinstance(item, Mapping):
        for name in NAMED:
            if name in item:
                return {item[name]: item.get("Value", item), **item}
    return item


def _passes_nested(record: Record, nested: Mapping[str, Any]) -> bool:
    """Whether one and the same item of a list passes all filters."""
    name = nested["NestedPropertyName"]
    items = [
        item for value in values_of(record, name) for item in (value if isinstance(value, list) else [value])
    ]
    return any(
        all(
            _passes(item, {**given, "Name": given["Name"].removeprefix(f"{name}.")})
            for given in nested["Filters"]
        )
        for item in items
    )


def _passes(record: Record, given: Mapping[str, Any]) -> bool:
    name, operator, wanted = given["Name"], given.get("Operator", "Equals"), given.get("Value")
    values = values_of(record, name) or values_of(record, _alias(name))
    if operator in {"Exists", "NotExists"}:
        return (operator == "Exists") is bool(values)
    if wanted is None:
        raise ValidationException(f"The filter of {name} by {operator} needs a Value.")
    if operator == "NotEquals":
        return not any(_compares(value, "Equals", wanted) for value in values)
    return any(_compares(value, operator, wanted) for value in values)


def _alias(name: str) -> str:
    """Return where a training job has its metrics; a trial component has them as `Metrics`."""
    head, dot, rest = name.partition(".")
    return f"FinalMetricDataList{dot}{rest}" if head == "Metrics" else name


def _compares(value: object, operator: str, wanted: str) -> bool:
    if operator == "In":
        return any(_compares(value, "Equals", one.strip()) for one in wanted.split(SEPARATOR))
    if operator == "Contains":
        return wanted in str(value)
    left, right = _comparable(value, wanted)
    return bool(COMPARISONS[operator](left, right))


def _comparable(value: object, wanted: str) -> tuple[Any, Any]:
    """Both as times or numbers where they are such, else as text."""
    with suppress(ValueError):
        if isinstance(value, datetime):
            moment = datetime.fromisoformat(wanted)
            return value, moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, bool):
            return str(value).lower(), wanted.lower()
        return float(str(value)), float(wanted)
    return str(value), wanted
