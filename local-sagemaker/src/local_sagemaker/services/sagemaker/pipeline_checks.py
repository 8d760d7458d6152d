"""Whether the arguments and references of a pipeline's steps fit the operations that carry the steps out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from botocore.model import Shape, StructureShape

from local_sagemaker.domain.pipelines import DefinitionError, checks
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition
from local_sagemaker.domain.pipelines.expressions import PART
from local_sagemaker.engine.workflows.pipeline_steps import TYPES
from local_sagemaker.errors import AwsError
from local_sagemaker.protocol import json_values, models, validation
from local_sagemaker.services import members
from local_sagemaker.services.sagemaker.resources import output_members

#: type of step -> operation whose answer has further properties of it
MORE_PROPERTIES = {"Tuning": "ListTrainingJobsForHyperParameterTuningJob"}


def check_definition(text: str) -> None:
    """Raise DefinitionError, with the step's name, for a definition that cannot be carried out."""
    definition = PipelineDefinition.parse(text)
    try:
        checks.check(definition, has_property)
        for step in definition.steps:
            if step.type in TYPES:
                _check_arguments(step.name, step.type, step.arguments)
    except RecursionError as error:
        raise DefinitionError(
            "The pipeline's definition nests too deeply. Make its values flatter."
        ) from error


def has_property(kind: str, path: str) -> bool:
    """Whether the description of a step of a type can have a value at a path."""
    shapes = dict(output_members(f"Describe{TYPES[kind].noun}"))
    if kind in MORE_PROPERTIES:
        shapes |= output_members(MORE_PROPERTIES[kind])
    parts = PART.finditer(path)
    name, _, *quoted = next(parts).groups()
    shape = shapes.get(next((one for one in (name, *quoted) if one is not None), ""))
    for part in parts:
        shape = None if shape is None else _inside(shape, *part.groups())
    return shape is not None


def _inside(shape: Shape, name: str | None, number: str | None, *quoted: str | None) -> Shape | None:
    """Return the shape of a member of a structure, a value of a map, or an item of a list."""
    key = next((one for one in (name, *quoted) if one is not None), None)
    match shape.type_name:
        case "structure" if key is not None:
            return cast("StructureShape", shape).members.get(key)
        case "map":
            return cast("Shape", shape.value)  # type: ignore[attr-defined]
        case "list" if number is not None or shape.member.type_name == "structure":  # type: ignore[attr-defined]
            return cast("Shape", shape.member)  # type: ignore[attr-defined]
    return None


def _check_arguments(step: str, kind: str, arguments: Mapping[str, Any]) -> None:
    model = models.operation_model("sagemaker", f"Create{TYPES[kind].noun}")
    shape = cast("StructureShape", model.input_shape)
    # the name is the execution's to give
    named = {f"{TYPES[kind].noun}Name": {"Get": "Execution.PipelineName"}, **arguments}
    problem = next(_problems(shape, named, ""), None)
    if problem is not None:
        raise DefinitionError(f"The step {step}: {problem}")
    try:
        members.check(model, _without_expressions(arguments))
    except AwsError as error:
        raise DefinitionError(f"The step {step}: {error}") from error


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    """Yield what no execution could make a valid request of, whatever its expressions come to."""
    kind = shape.type_name
    if value is None or checks.is_expression(value):
        return
    if kind not in ("structure", "map", "list"):
        yield from _scalar_problems(shape, value, path.removesuffix("."))
    elif not isinstance(value, json_values.TYPES[kind]):
        yield f"{path or 'Arguments'} is {value!r}; give it as a {kind} of AWS's model."
    elif kind == "structure":
        yield from _member_problems(cast("StructureShape", shape), value, path)
    else:
        inner = shape.value if kind == "map" else shape.member  # type: ignore[attr-defined]
        for key, item in value.items() if kind == "map" else enumerate(value):
            yield from _problems(inner, item, f"{path}{key}.")


def _member_problems(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{path}{name} is missing. Give it."
    for name, item in value.items():
        if name in shape.members:
            yield from _problems(shape.members[name], item, f"{path}{name}.")
        elif item is not None:
            yield f"{path}{name}: {shape.name} has no such member. Correct the name, or leave it out."


def _scalar_problems(shape: Shape, value: object, path: str) -> Iterator[str]:
    try:
        read = json_values.read(shape, value, is_lenient=True)
    except AwsError as error:
        yield f"{path}: {error}."
    else:
        yield from validation.problems(shape, read, path)


def _without_expressions(value: Any) -> Any:  # noqa: ANN401
    """Return a value without what an execution alone knows."""
    if isinstance(value, Mapping):
        kept = {
            key: item for key, item in value.items() if item is not None and not checks.is_expression(item)
        }
        return {key: _without_expressions(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_expressions(item) for item in value if not checks.is_expression(item)]
    return value
