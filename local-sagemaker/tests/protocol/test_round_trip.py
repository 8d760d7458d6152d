"""Whatever botocore writes, the service reads; whatever the service answers, botocore reads."""
# ruff: noqa: ANN401 (values of a model's shapes can be anything)

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from botocore.awsrequest import HeadersDict, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_sagemaker.protocol import models, requests, responses, routing
from local_sagemaker.protocol.bodies import BodyStream
from local_sagemaker.protocol.http import HttpRequest
from sagemaker_kit.made_up import HEADER_TEXT, IN_HEAD, MOMENTS, XML_TEXT, Values

SOME = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
TEXT = {
    "json": st.text(st.characters(codec="utf-8")),
    "query": st.text(st.characters(codec="utf-8")),
    "rest-json": XML_TEXT,
    "rest-xml": XML_TEXT,
}
WHOLE = st.integers(-(2**31), 2**31 - 1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "integer": WHOLE,
    "long": WHOLE,
    "float": NUMBERS,
    "double": NUMBERS,
    "boolean": st.booleans(),
    "timestamp": MOMENTS,
    "blob": st.binary(min_size=1),
}


class Unbounded(Values):
    """Values without regard to the constraints of their shapes."""

    def __init__(self, protocol: str) -> None:
        self._text = TEXT[protocol]

    def single(self, shape: Any, name: str) -> st.SearchStrategy[Any]:
        """Whatever the type allows and the protocol can carry."""
        del name
        is_in_head = shape.serialization.get("location") in IN_HEAD
        return SCALARS.get(shape.type_name, HEADER_TEXT if is_in_head else self._text)


def values(shape: Any, protocol: str) -> st.SearchStrategy[Any]:
    """Values of a shape, without regard to its constraints."""
    return Unbounded(protocol).of(shape)


def has_empty(value: Any) -> bool:
    """Whether there is something that a form or XML cannot tell from nothing."""
    if isinstance(value, dict):
        return not value or any(map(has_empty, value.values()))
    if isinstance(value, list):
        return not value or any(map(has_empty, value))
    return value in ("", b"")


#: on AWS a host of their own tells these: one is else written like ListBuckets to the letter, one has a
#: parameter in the host's name
TOLD_BY_HOST = {"ListDirectoryBuckets", "WriteGetObjectResponse"}


def operations(service: str, *, is_input: bool) -> st.SearchStrategy[Any]:
    """Operations of a service that have members in their input or output."""
    model = models.service_model(service)
    found = [model.operation_model(name) for name in model.operation_names if name not in TOLD_BY_HOST]
    shapes = [(op, op.input_shape if is_input else op.output_shape) for op in found]
    return st.sampled_from(
        [
            op
            for op, shape in shapes
            if shape is not None and shape.members and shape.event_stream_name is None and not op.deprecated
        ]
    )


def incoming(written: dict[str, Any]) -> HttpRequest:
    """The request that botocore's serializer has written, as the server would hand it on."""
    prepare_request_dict(written, "http://127.0.0.1:4566")
    path, _, query = written["url"].removeprefix("http://127.0.0.1:4566").partition("?")
    body = written["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    content = body.encode() if isinstance(body, str) else body

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    headers = {name.lower(): str(value) for name, value in written["headers"].items()}
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    return HttpRequest(written["method"], path, pairs, headers, BodyStream(pieces(), len(content)), "id")


@pytest.mark.parametrize("service", ["sagemaker", "logs"])
@SOME
@given(data=st.data())
def test_json_requests_are_read_as_they_were_written(service: str, data: st.DataObject) -> None:
    """Parameters of any operation pass through JSON unchanged."""
    operation = data.draw(operations(service, is_input=True))
    parameters = data.draw(values(operation.input_shape, "json"))
    written = create_serializer("json", include_validation=False).serialize_to_request(parameters, operation)
    assert requests.from_json(operation, written["body"]) == parameters
    assert routing.route(incoming(written), {}).operation == operation.name


@pytest.mark.parametrize("service", ["iam", "sts"])
@SOME
@given(data=st.data())
def test_forms_are_read_as_they_were_written(service: str, data: st.DataObject) -> None:
    """Parameters of any operation pass through a form unchanged."""
    operation = data.draw(operations(service, is_input=True))
    parameters = data.draw(values(operation.input_shape, "query").filter(lambda value: not has_empty(value)))
    written = create_serializer("query", include_validation=False).serialize_to_request(parameters, operation)
    request = incoming(written)
    form = routing.form_of(request, asyncio.run(request.body.read()))
    assert requests.from_query(operation, form) == parameters
    assert (routing.route(request, form).service, routing.route(request, form).operation) == (
        service,
        operation.name,
    )


@pytest.mark.parametrize(("service", "protocol"), [("s3", "rest-xml"), ("sagemaker-metrics", "rest-json")])
@SOME
@given(data=st.data())
def test_rest_requests_are_read_as_they_were_written(
    service: str, protocol: str, data: st.DataObject
) -> None:
    """Parameters of any operation pass through path, query string, headers and body unchanged."""
    operation = data.draw(operations(service, is_input=True))
    parameters = data.draw(values(operation.input_shape, protocol).filter(lambda value: not has_empty(value)))
    shape = operation.input_shape
    payload = shape.serialization.get("payload")
    is_streamed = payload and shape.members[payload].serialization.get("streaming")
    streamed = parameters.pop(payload, b"") if is_streamed else None
    written = create_serializer(protocol, include_validation=False).serialize_to_request(
        parameters, operation
    )
    request = incoming(written)
    scope = f"20260101/us-east-1/{operation.service_model.signing_name}/aws4_request"
    request.headers["authorization"] = f"AWS4-HMAC-SHA256 Credential=k/{scope}"  # type: ignore[index]
    route = routing.route(request, {})
    read = asyncio.run(requests.from_rest(operation, route.labels, request))
    if streamed is not None:
        read.pop(payload)
    assert route.operation == operation.name
    assert read == parameters


@pytest.mark.parametrize(
    ("service", "protocol"),
    [("sagemaker", "json"), ("logs", "json"), ("iam", "query"), ("sts", "query"), ("s3", "rest-xml")],
)
@SOME
@given(data=st.data())
def test_answers_are_read_by_botocore_as_they_were_meant(
    service: str, protocol: str, data: st.DataObject
) -> None:
    """Members of any output shape come out of botocore's own parser as the handler gave them."""
    operation = data.draw(operations(service, is_input=False))
    shape = operation.output_shape
    text = "json" if protocol == "json" else "rest-xml"
    meant = data.draw(values(shape, text).filter(lambda value: protocol == "json" or not has_empty(value)))
    if operation.name in responses.UNWRAPPED:
        return  # botocore reads these apart from its parser; test_s3_objects asks for one
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name in ("blob", "string"):
        meant.pop(payload, None)
    response = responses.answer(operation, protocol, dict(meant), "id")
    raw = {"headers": HeadersDict(response.headers), "body": response.body, "status_code": 200}
    parsed = create_parser(protocol).parse(raw, shape)
    parsed.pop("ResponseMetadata", None)
    for name, member in shape.members.items():
        if member.serialization.get("location") == "statusCode":
            meant.pop(name, None)
            parsed.pop(name, None)
        if member.serialization.get("location") == "headers" and not parsed.get(name):
            parsed.pop(name, None)
    if payload and payload not in meant:
        parsed.pop(payload, None)
    assert parsed == meant
