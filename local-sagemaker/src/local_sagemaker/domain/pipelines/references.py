"""The expressions of a pipeline's definition: references, functions and conditions. Pure.

`{"Get": "Parameters.Name"}`, `{"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}`,
`{"Get": "Execution.PipelineExecutionId"}`, `{"Std:Join": {"On": "/", "Values": [...]}}` and
`{"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Eval.PropertyFiles.Report"}, "Path": "metrics.auc"}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import eq, ge, gt, le, lt
from typing import Any

#: `.name`, `[0]`, `['name']`
PART = re.compile(r"""\.?(?:([^.\[\]]+)|\[\s*(?:(\d+)|'([^']*)'|"([^"]*)")\s*\])""")
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Equals": eq,
    "GreaterThan": gt,
    "GreaterThanOrEqualTo": ge,
    "LessThan": lt,
    "LessThanOrEqualTo": le,
}
MISSING: Any = object()


class ExpressionError(ValueError):
    """An expression that has no value."""


@dataclass(frozen=True)
class Scope:
    """What an expression may refer to."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: by step: what its Describe operation answers
    steps: Mapping[str, Any] = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)
    #: reads a property file: (step, name of the property file) -> its text
    read: Callable[[str, str], str] = lambda _step, _name: ""


def steps_of(value: object) -> Iterator[str]:
    """The names of the steps that an expression refers to."""
    if isinstance(value, Mapping):
        target = value.get("Get")
        if isinstance(target, str) and target.startswith("Steps."):
            yield target.split(".")[1].partition("[")[0]
        for item in value.values():
            yield from steps_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from steps_of(item)


def resolved(value: Any, scope: Scope) -> Any:  # noqa: ANN401 (any JSON)
    """A value with all expressions in it replaced by what they mean."""
    if isinstance(value, list):
        return [resolved(item, scope) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"Get"}:
        return _get(value["Get"], scope)
    if value.keys() == {"Std:Join"}:
        given = value["Std:Join"]
        return str(given["On"]).join(_text(resolved(item, scope)) for item in given["Values"])
    if value.keys() == {"Std:JsonGet"}:
        return _json_get(value["Std:JsonGet"], scope)
    return {key: resolved(item, scope) for key, item in value.items()}


def holds(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Whether a condition is true."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"], scope)
    if kind == "Or":
        return any(holds(one, scope) for one in condition["Conditions"])
    if kind == "In":
        return bool(resolved(condition["QueryValue"], scope) in resolved(condition["Values"], scope))
    if kind not in COMPARISONS:
        raise ExpressionError(
            f"The condition {kind} is not known. There are Not, Or, In, {', '.join(COMPARISONS)}."
        )
    left, right = (resolved(condition[side], scope) for side in ("LeftValue", "RightValue"))
    try:
        return bool(COMPARISONS[kind](*_alike(left, right)))
    except TypeError as error:
        raise ExpressionError(f"Cannot compare {left!r} and {right!r} by {kind}.") from error


def _get(path: str, scope: Scope) -> Any:  # noqa: ANN401
    head, _, rest = path.partition(".")
    roots = {"Parameters": scope.parameters, "Steps": scope.steps, "Execution": scope.execution}
    if head not in roots:
        raise ExpressionError(f"{path!r} refers to none of {', '.join(roots)}.")
    found = _walk(roots[head], rest)
    if found is MISSING:
        raise ExpressionError(f"{path!r} has no value.")
    return found.isoformat() if isinstance(found, datetime) else found


def _walk(value: Any, path: str) -> Any:  # noqa: ANN401
    for part in PART.finditer(path):
        name, number, *quoted = part.groups()
        if number is not None:
            value = value[int(number)] if isinstance(value, list) and int(number) < len(value) else MISSING
        else:
            value = _member(
                value, name if name is not None else next(word for word in quoted if word is not None)
            )
        if value is MISSING:
            return MISSING
    return value


def _member(value: Any, name: str) -> Any:  # noqa: ANN401
    """A member of a structure, or the item of a list that has this name (`Outputs['train']`)."""
    if isinstance(value, Mapping):
        return value.get(name, MISSING)
    if isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping) and any(
                key.endswith("Name") and found == name for key, found in item.items()
            ):
                return item
    return MISSING


def _json_get(given: Mapping[str, Any], scope: Scope) -> Any:  # noqa: ANN401
    file = given.get("PropertyFile")
    words = file.get("Get", "").split(".") if isinstance(file, Mapping) else []
    if len(words) != 4 or words[0] != "Steps" or words[2] != "PropertyFiles":  # noqa: PLR2004 (its form)
        raise ExpressionError("Std:JsonGet needs a PropertyFile of a processing step.")
    try:
        document = json.loads(scope.read(words[1], words[3]))
    except ValueError as error:
        raise ExpressionError(f"The property file {words[3]} of {words[1]} is no JSON: {error}.") from error
    found = _walk(document, str(resolved(given["Path"], scope)).removeprefix("$."))
    if found is MISSING:
        raise ExpressionError(f"The property file {words[3]} of {words[1]} has nothing at {given['Path']!r}.")
    return found


def _alike(left: Any, right: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Both as numbers when one is a number and the other the text of one."""
    numbers = (int, float)
    if isinstance(left, numbers) != isinstance(right, numbers):
        try:
            return float(left), float(right)
        except (TypeError, ValueError):
            return left, right
    return left, right


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, default=str)
