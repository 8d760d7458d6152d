"""Calls of SageMaker's operations from within the service, checked as a client's requests are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.errors import ValidationException
from local_sagemaker.protocol import json_values, models, validation
from local_sagemaker.services import owners
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import OPERATIONS

TRUTHS = {"true": True, "false": False}


def check(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise ValidationException if a request to SageMaker's operation `name` breaks its model."""
    shape = models.operation_model("sagemaker", name).input_shape
    problems = [] if shape is None else validation.problems(shape, parameters)
    if problems:
        raise ValidationException(validation.message(problems))


class LocalOperations:
    """Operations as the engine's workflows call them; each must be a plain function."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def call(self, name: str, parameters: dict[str, Any], *, owner: str | None = None) -> dict[str, Any]:
        """Return the answer of an operation; raise AwsError if it refuses."""
        check(name, parameters)
        with owners.on_behalf_of(owner or owners.current()):
            answer = OPERATIONS["sagemaker", name].handler(self._context, parameters)
        return answer or {}  # type: ignore[return-value]  # a plain function returns no awaitable

    def call_with_json(
        self, name: str, arguments: dict[str, Any], *, owner: str | None = None
    ) -> dict[str, Any]:
        """Call an operation with the values of a JSON document, converted to what its shape wants."""
        shape = models.operation_model("sagemaker", name).input_shape
        if shape is None:
            raise RuntimeError(f"{name} takes no request.")
        return self.call(name, json_values.read(shape, shaped(shape, arguments)), owner=owner)


def shaped(shape: Shape, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return `value` with numbers as text where text is wanted, and the other way round."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            members = cast("StructureShape", shape).members
            return {
                name: shaped(members[name], item) if name in members else item for name, item in value.items()
            }
        case "list" if isinstance(value, list):
            return [shaped(cast("ListShape", shape).member, item) for item in value]
        case "map" if isinstance(value, dict):
            return {key: shaped(cast("MapShape", shape).value, item) for key, item in value.items()}
        case kind:
            return _scalar(kind, value)


def _scalar(kind: str, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return a scalar as `kind` if it can be that, else as it is."""
    with suppress(ValueError):
        if kind == "string" and isinstance(value, (bool, int, float)):
            return str(value)
        if kind in {"integer", "long"} and isinstance(value, str):
            return int(value)
        if kind in {"float", "double"} and isinstance(value, (int, str)):
            return float(value)
    return TRUTHS.get(value.lower(), value) if kind == "boolean" and isinstance(value, str) else value
