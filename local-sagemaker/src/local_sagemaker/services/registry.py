"""The table of operations that are emulated, filled by the decorator `operation`.

    @operation("sagemaker", "DescribeModel")
    def describe_model(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
        '''Answer with a model's description.'''

`parameters` holds the request as botocore's model describes it (datetimes, bytes and all), already
validated: member names as in boto3, nothing that was not given, nothing that members.toml does not list.
The returned dict has the members of the output shape; None values are left out of the answer. A plain
function runs in a thread, a coroutine function on the event loop. A handler raises `errors.AwsError` and
catches nothing; `errors.translate` makes AWS errors of the exceptions of lower layers.
A streaming body (S3) arrives as `protocol.bodies.BodyStream`, any other blob as bytes; a handler may
answer a blob as bytes or as `protocol.bodies.FileBody`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.model import OperationModel

from local_sagemaker.protocol import json_values, models, validation
from local_sagemaker.services import members, owners
from local_sagemaker.services.context import Context

Answer = dict[str, Any] | None
Handler = Callable[[Context, dict[str, Any]], Answer | Awaitable[Answer]]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True)
class Operation:
    """One emulated operation."""

    service: str
    name: str
    handler: Handler
    #: what it does, in one line
    summary: str


OPERATIONS: dict[tuple[str, str], Operation] = {}
#: operations that http/runtime.py carries out, past this table, and what they do
DIRECT = {
    (
        "sagemaker-runtime",
        "InvokeEndpoint",
    ): "Send a request to a container of an endpoint, and its answer back.",
    ("sagemaker-runtime", "InvokeEndpointWithResponseStream"): "The same, with the answer piece by piece.",
}


def operation(service: str, name: str, *, summary: str = "") -> Callable[[H], H]:
    """Register a handler for `name` of `service` (botocore's name of the service, such as `sagemaker`).

    :param summary: what it does; by default the first line of the handler's docstring.
    """

    def register(handler: H) -> H:
        if (service, name) in OPERATIONS:
            raise ValueError(f"{service} {name} is registered twice: {handler.__module__} comes second.")
        line = summary or (handler.__doc__ or "").strip().partition("\n")[0]
        OPERATIONS[service, name] = Operation(service, name, handler, line)
        return handler

    return register


def check_request(model: OperationModel, parameters: Mapping[str, Any]) -> None:
    """Raise an AWS error if a request breaks its model, or asks for what is not emulated."""
    validation.check(model.input_shape, parameters)
    members.check(model, parameters)


class LocalOperations:
    """Operations as the engine's workflows call them; each must be a plain function."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def call(self, name: str, parameters: dict[str, Any], *, owner: str | None = None) -> dict[str, Any]:
        """Return the answer of an operation; raise AwsError if it refuses."""
        check_request(models.operation_model("sagemaker", name), parameters)
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
        return self.call(name, json_values.read(shape, arguments, is_lenient=True), owner=owner)
