"""The expressions of a pipeline's definition: references, functions and conditions.

`{"Get": "Parameters.Name"}`, `{"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}`,
`{"Get": "Execution.PipelineExecutionId"}`, `{"Get": "PipelineExperimentConfig.TrialName"}`,
`{"Std:Join": {"On": "/", "Values": [...]}}` and `{"Std:JsonGet": {"Path": "metrics.auc", ...}}`, which reads
a `PropertyFile` (`{"Get": "Steps.Eval.PropertyFiles.Report"}`) or an `S3Uri`. checks.py says which are valid.
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
PROPERTY_FILE = re.compile(r"Steps\.([^.\[\]]+)\.PropertyFiles\.([^.\[\]]+)")
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Equals": eq,
    "GreaterThan": gt,
    "GreaterThanOrEqualTo": ge,
    "LessThan": lt,
    "LessThanOrEqualTo": le,
}
#: members that hold the condition which Not turns round; the SDKs wrote the second one before
NEGATED = ("Condition", "Expression")
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
    experiment: Mapping[str, Any] = field(default_factory=dict)
    #: (step, name of a property file) -> the file's text
    read: Callable[[str, str], str] = lambda _step, _name: ""
    #: S3 URI -> the object's text
    read_object: Callable[[str], str] = lambda _uri: ""


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
    """Return whether a condition is true; checks.py has made sure that it is one."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(next(condition[name] for name in NEGATED if name in condition), scope)
    if kind == "Or":
        return any(holds(inner, scope) for inner in condition["Conditions"])
    if kind == "In":
        wanted = resolve(condition["QueryValue"], scope)
        return any(eq(*_as_numbers(wanted, value)) for value in resolve(condition["Values"], scope))
    left, right = (resolve(condition[side], scope) for side in ("LeftValue", "RightValue"))
    try:
        return bool(COMPARISONS[kind](*_as_numbers(left, right)))
    except TypeError as error:
        raise ExpressionError(f"Cannot compare {left!r} and {right!r} by {kind}.") from error


def _get(path: str, scope: ExpressionScope) -> Any:  # noqa: ANN401
    head, _, rest = path.partition(".")
    roots = {
        "Parameters": scope.parameters,
        "Steps": scope.steps,
        "Execution": scope.execution,
        "PipelineExperimentConfig": scope.experiment,
    }
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
    if "S3Uri" in arguments:
        name = str(resolve(arguments["S3Uri"], scope))
        text = scope.read_object(name)
    else:
        step, file = property_file(arguments) or ("", "")
        name = f"The property file {file} of {step}"
        text = scope.read(step, file)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ExpressionError(f"{name} is not JSON: {error}.") from error
    value = _walk(document, str(resolve(arguments["Path"], scope)).removeprefix("$."))
    if value is MISSING:
        raise ExpressionError(f"{name} has nothing at {arguments['Path']!r}.")
    return value


def property_file(arguments: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the step and the name of the property file that a Std:JsonGet reads; None if it names none."""
    file = arguments.get("PropertyFile")
    path = file.get("Get") if isinstance(file, Mapping) and file.keys() == {"Get"} else None
    match = PROPERTY_FILE.fullmatch(path) if isinstance(path, str) else None
    return None if match is None else (match[1], match[2])


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
