"""The expressions of a pipeline's definition: references, functions and conditions.

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
    """An expression has no value."""


@dataclass(frozen=True)
class ExpressionScope:
    """The values that an expression may refer to."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: step name -> the answer of its Describe operation
    steps: Mapping[str, Any] = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)
    #: (step, name of a property file) -> the file's text
    read: Callable[[str, str], str] = lambda _step, _name: ""


def referenced_steps(value: object) -> Iterator[str]:
    """Yield the names of the steps that a value's expressions refer to."""
    if isinstance(value, Mapping):
        target = value.get("Get")
        if isinstance(target, str) and target.startswith("Steps."):
            yield target.split(".")[1].partition("[")[0]
        for item in value.values():
            yield from referenced_steps(item)
    elif isinstance(value, list):
        for item in value:
            yield from referenced_steps(item)


def resolve(value: Any, scope: ExpressionScope) -> Any:  # noqa: ANN401 (any JSON)
    """Return a value with all expressions in it replaced by their values."""
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"Get"}:
        return _get(value["Get"], scope)
    if value.keys() == {"Std:Join"}:
        join = value["Std:Join"]
        return str(join["On"]).join(_text(resolve(item, scope)) for item in join["Values"])
    if value.keys() == {"Std:JsonGet"}:
        return _json_get(value["Std:JsonGet"], scope)
    return {key: resolve(item, scope) for key, item in value.items()}


def holds(condition: Mapping[str, Any], scope: ExpressionScope) -> bool:
    """Return whether a condition is true."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"], scope)
    if kind == "Or":
        return any(holds(inner, scope) for inner in condition["Conditions"])
    if kind == "In":
        return bool(resolve(condition["QueryValue"], scope) in resolve(condition["Values"], scope))
    if kind not in COMPARISONS:
        raise ExpressionError(
            f"The condition {kind} is unknown. Use one of Not, Or, In, {', '.join(COMPARISONS)}."
        )
    left, right = (resolve(condition[side], scope) for side in ("LeftValue", "RightValue"))
    try:
        return bool(COMPARISONS[kind](*_as_numbers(left, right)))
    except TypeError as error:
        raise ExpressionError(f"Cannot compare {left!r} and {right!r} by {kind}.") from error


def _get(path: str, scope: ExpressionScope) -> Any:  # noqa: ANN401
    head, _, rest = path.partition(".")
    roots = {"Parameters": scope.parameters, "Steps": scope.steps, "Execution": scope.execution}
    if head not in roots:
        raise ExpressionError(f"{path!r} refers to none of {', '.join(roots)}.")
    value = _walk(roots[head], rest)
    if value is MISSING:
        raise ExpressionError(f"{path!r} has no value.")
    return value.isoformat() if isinstance(value, datetime) else value


def _walk(value: Any, path: str) -> Any:  # noqa: ANN401
    for part in PART.finditer(path):
        name, number, *quoted = part.groups()
        if number is not None:
            value = value[int(number)] if isinstance(value, list) and int(number) < len(value) else MISSING
        else:
            value = _member(value, next(text for text in (name, *quoted) if text is not None))
        if value is MISSING:
            return MISSING
    return value


def _member(value: Any, name: str) -> Any:  # noqa: ANN401
    """Return a member of a structure, or the item of a list that has this name (`Outputs['train']`)."""
    if isinstance(value, Mapping):
        return value.get(name, MISSING)
    if isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping) and any(
                key.endswith("Name") and text == name for key, text in item.items()
            ):
                return item
    return MISSING


def _json_get(arguments: Mapping[str, Any], scope: ExpressionScope) -> Any:  # noqa: ANN401
    file = arguments.get("PropertyFile")
    parts = file.get("Get", "").split(".") if isinstance(file, Mapping) else []
    if len(parts) != 4 or parts[0] != "Steps" or parts[2] != "PropertyFiles":  # noqa: PLR2004 (its form)
        raise ExpressionError("Std:JsonGet needs a PropertyFile of a processing step.")
    try:
        document = json.loads(scope.read(parts[1], parts[3]))
    except ValueError as error:
        raise ExpressionError(f"The property file {parts[3]} of {parts[1]} is not JSON: {error}.") from error
    value = _walk(document, str(resolve(arguments["Path"], scope)).removeprefix("$."))
    if value is MISSING:
        raise ExpressionError(
            f"The property file {parts[3]} of {parts[1]} has nothing at {arguments['Path']!r}."
        )
    return value


def _as_numbers(left: Any, right: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return both as numbers if one is a number and the other its text; otherwise both unchanged."""
    numbers = (int, float)
    if isinstance(left, numbers) != isinstance(right, numbers):
        try:
            return float(left), float(right)
        except (TypeError, ValueError):
            return left, right
    return left, right


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, default=str)
