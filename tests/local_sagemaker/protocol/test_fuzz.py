"""Requests of every emulated operation, made up from botocore's models: the service never answers 500.

`FUZZ_EXAMPLES=1000` in the environment asks for more of them than a check-in waits for.
"""
# ruff: noqa: ANN401 (values of a model's shapes can be anything)

from __future__ import annotations

import http.client
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.awsrequest import prepare_request_dict
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from include.local_sagemaker import api
from include.local_sagemaker.api.registry import OPERATIONS
from include.local_sagemaker.protocol import models

api.load()
DEPTH = 6
#: what a handler looks up, splits, or takes for a path, rather than only checking its pattern
WORDS = [
    "lab",
    "a-1",
    "..",
    "../../etc",
    "a/b",
    "s3://lab/k",
    "s3://",
    "s3://lab/../x",
    "/opt/ml/processing/x",
    "/opt/ml/checkpoints/../..",
    "arn:aws:sagemaker:us-east-1:000000000000:model/a-1",
    "arn:aws:iam::000000000000:role/any",
    "ml.m5.large",
    "echo:1",
    "{}",
    "[",
    "0",
    "a b",
    "%2e%2e",
    "\u202e",
    "\ufeff",
    "I\u0307",
    "e\u0301",
]
#: XML 1.0 cannot hold control characters
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20)
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(  # noqa: DTZ001 (made aware here)
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "float": st.one_of(st.floats(0, 100), st.floats(allow_nan=False)),
    "double": st.one_of(st.floats(0, 100), st.floats(allow_nan=False)),
    "boolean": st.booleans(),
    "timestamp": MOMENTS,
    "blob": st.binary(max_size=50),
}


def values(shape: Any, depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Values of a shape: such as its constraints allow, and others."""
    limits = shape.metadata
    if shape.type_name == "structure":
        return structures(shape, depth)
    if shape.type_name == "list":
        return st.lists(values(shape.member, depth - 1), min_size=min(limits.get("min", 0), 3), max_size=3)
    if shape.type_name == "map":
        if shape.serialization.get("location") == "headers":
            return st.dictionaries(ASCII, ASCII, max_size=3)
        return st.dictionaries(values(shape.key, depth - 1), values(shape.value, depth - 1), max_size=3)
    if shape.type_name in ("integer", "long"):
        low, high = limits.get("min", -3), limits.get("max", 10_000)
        return st.one_of(st.integers(low, max(low, high)), st.integers(-(2**63), 2**63 - 1))
    return SCALARS[shape.type_name] if shape.type_name in SCALARS else texts(shape)


def texts(shape: Any) -> st.SearchStrategy[str]:
    """A word that its enumeration has, or one that means something here, or any other."""
    if shape.enum:
        return st.sampled_from(shape.enum)
    if "location" not in shape.serialization:
        return st.one_of(st.sampled_from(WORDS), TEXT)
    return st.one_of(st.sampled_from([word for word in WORDS if word.isascii() and " " not in word]), ASCII)


def structures(shape: Any, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Structures with what is required and, while `depth` lasts, some of the rest."""
    if shape.is_document_type:
        return st.just({"any": ["document", 1, None]})
    members = {name: st.deferred(lambda m=m: values(m, depth - 1)) for name, m in shape.members.items()}
    if not members:
        return st.just({})
    if shape.is_tagged_union:
        return st.sampled_from(list(members)).flatmap(
            lambda name: st.fixed_dictionaries({name: members[name]})
        )
    needed = {name: members[name] for name in shape.required_members}
    if depth <= 0:
        return st.fixed_dictionaries(needed)
    return st.lists(st.sampled_from(list(members)), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries(needed | {name: members[name] for name in names})
    )


#: a made-up instance must not start a JupyterLab
LEFT_OUT = {"CreateNotebookInstance", "StartNotebookInstance"}


@pytest.fixture(scope="module")
def address(start_shared_service: Callable[..., Any]) -> str:
    """Where a service is that has a bucket and a model."""
    service = start_shared_service("--bucket", "lab")
    service.s3.put_object(Bucket="lab", Key="k", Body=b"content")
    role = "arn:aws:iam::000000000000:role/any"
    service.sagemaker.create_model(
        ModelName="a-1", ExecutionRoleArn=role, PrimaryContainer={"Image": "echo:1"}
    )
    return urlsplit(service.url).netloc


def answered(address: str, operation: Any, protocol: str, parameters: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body of the answer to what botocore's serializer writes."""
    written = create_serializer(protocol, include_validation=False).serialize_to_request(
        parameters, operation
    )
    prepare_request_dict(written, f"http://{address}")
    body, path = written["body"], written["url"].removeprefix(f"http://{address}")
    headers = {name: str(value) for name, value in written["headers"].items()}
    scope = f"20260101/us-east-1/{operation.service_model.signing_name}/aws4_request"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=k/{scope}, SignedHeaders=host, Signature=0"
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        content = urlencode(body) if isinstance(body, dict) else body
        connection.request(written["method"], path, content, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("service", sorted({service for service, _ in OPERATIONS}))
@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "25")),
    deadline=None,
    phases=[Phase.generate],  # a smaller example is not worth hundreds of requests more
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_no_request_is_a_mistake_of_the_service(address: str, service: str, data: st.DataObject):
    """Whatever the members hold, the answer is the operation's or an error of the client's."""
    names = sorted(name for each, name in OPERATIONS if each == service and name not in LEFT_OUT)
    operation = models.operation_model(service, data.draw(st.sampled_from(names)))
    shape = operation.input_shape
    parameters = data.draw(structures(shape, DEPTH)) if shape is not None else {}
    status, body = answered(address, operation, models.service_model(service).protocol, parameters)
    assert status < 500 or b"NotImplemented" in body, (operation.name, parameters, status, body)
