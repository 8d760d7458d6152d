"""Calls of operations from within the service, checked as a client's are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.context import Context
from local_sagemaker.errors import ValidationException
from local_sagemaker.protocol import models, validation
from local_sagemaker.services.registry import OPERATIONS


def check(name: str, parameters: Mapping[str, Any]) -> None:
    """ValidationException when a request to SageMaker's operation `name` breaks its model."""
    shape = models.operation_model("sagemaker", name).input_shape
    found = [] if shape is None else validation.problems(shape, parameters)
    if found:
        raise ValidationException(validation.message(found))


def call(context: Context, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The answer of SageMaker's operation `name`, which must be a plain function."""
    check(name, parameters)
    answer = OPERATIONS["sagemaker", name].handler(context, parameters)
    return answer or {}  # type: ignore[return-value]  # a plain function returns no awaitable
