"""The filters of Search: whether a record, as Search shows it, fits an expression. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from operator import eq, ge, gt, le, lt
from typing import Any

from local_sagemaker.errors import ValidationException

Record = Mapping[str, Any]
#: what separates the values of the operator In
SEPARATOR = ","
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Equals": eq,
    "GreaterThan": gt,
    "GreaterThanOrEqualTo": ge,
    "LessThan": lt,
    "LessThanOrEqualTo": le,
}


def fits(record: Record, expression: Mapping[str, Any]) -> bool:
    """Whether `record` fits a SearchExpression; an empty one fits all."""
    verdicts = [
        *(_passes(record, given) for given in expression.get("Filters", [])),
        *(_passes_nested(record, given) for given in expression.get("NestedFilters", [])),
        *(fits(record, given) for given in expression.get("SubExpressions", [])),
    ]
    if expression.get("Operator", "And") == "And":
        return all(verdicts)
    return any(verdicts) or not verdicts


def heads(expression: Mapping[str, Any]) -> set[str]:
    """The members of a record that decide whether it fits."""
    found = {head(given["Name"]) for given in expression.get("Filters", [])}
    found |= {head(given["NestedPropertyName"]) for given in expression.get("NestedFilters", [])}
    return found.union(*(heads(given) for given in expression.get("SubExpressions", [])))


def head(path: str) -> str:
    """The member of a record in which a property lies."""
    return _alias(path).partition(".")[0]


def values(record: object, path: str) -> list[Any]:
    """What a path such as `Tags.owner` or `Metrics.accuracy` means in a record: none, one or many."""
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
    """A tag or a metric as a record of its name alone, so that `Tags.owner` finds its value."""
    if isinstance(item, Mapping):
        for name in ("Key", "MetricName"):
            if name in item and "Value" in item:
                return {item[name]: item["Value"], **item}
    return item


def _passes_nested(record: Record, nested: Mapping[str, Any]) -> bool:
    """Whether one and the same item of a list passes all filters."""
    name = nested["NestedPropertyName"]
    items = [
        item for found in values(record, name) for item in (found if isinstance(found, list) else [found])
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
    found = values(record, _alias(name))
    if operator in {"Exists", "NotExists"}:
        return (operator == "Exists") is bool(found)
    if wanted is None:
        raise ValidationException(f"The filter of {name} by {operator} needs a Value.")
    if operator == "NotEquals":
        return not any(_compares(value, "Equals", wanted) for value in found)
    return any(_compares(value, operator, wanted) for value in found)


def _alias(name: str) -> str:
    head, dot, rest = name.partition(".")
    return f"FinalMetricDataList{dot}{rest}" if head == "Metrics" else name


def _compares(value: object, operator: str, wanted: str) -> bool:
    if operator == "In":
        return any(_compares(value, "Equals", one.strip()) for one in wanted.split(SEPARATOR))
    if operator == "Contains":
        return wanted in str(value)
    left, right = _comparable(value, wanted)
    return bool(OPERATORS[operator](left, right))


def _comparable(value: object, wanted: str) -> tuple[Any, Any]:
    """Both as times or numbers where they are such, else as text."""
    try:
        if isinstance(value, datetime):
            moment = datetime.fromisoformat(wanted)
            return value, moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, bool):
            return str(value).lower(), wanted.lower()
        return float(str(value)), float(wanted)
    except ValueError:
        return str(value), wanted
