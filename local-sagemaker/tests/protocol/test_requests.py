"""What the service says to requests that are wrong, in each of the protocols."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.protocol import models, validation
from local_sagemaker.protocol.bodies import WHOLE_LIMIT
from sagemaker_kit.service import Service

ENDPOINT = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"


@pytest.fixture(scope="module")
def service(start_shared_service: Callable[..., Service]) -> Service:
    """One service for all these tests, none of which changes anything."""
    return start_shared_service()


def send(
    service: Service, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer to a raw request."""
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = answer.status, answer.headers.get("content-type", ""), answer.read()
    connection.close()
    return found


def problems(operation: str, **parameters: Any) -> list[str]:
    """What is wrong with parameters of a SageMaker operation."""
    shape = models.operation_model("sagemaker", operation).input_shape
    assert shape is not None
    return validation.problems(shape, parameters)


def test_a_broken_pattern_is_told_in_awss_words() -> None:
    """Pattern and length of a name, both at once."""
    pattern = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    assert problems("DescribeTrainingJob", TrainingJobName="a_b") == [
        (
            "Value 'a_b' at 'trainingJobName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )
    ]


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        (
            "DescribeModel",
            {},
            ["Value null at 'modelName' failed to satisfy constraint: Member must not be null"],
        ),
        (
            "ListModels",
            {"MaxResults": 0},
            [
                (
                    "Value '0' at 'maxResults' failed to satisfy constraint: "
                    "Member must have value greater than or equal to 1"
                )
            ],
        ),
        (
            "ListModels",
            {"SortOrder": "Up"},
            [
                (
                    "Value 'Up' at 'sortOrder' failed to satisfy constraint: "
                    "Member must satisfy enum value set: [Ascending, Descending]"
                )
            ],
        ),
        (
            "AddTags",
            {"ResourceArn": ENDPOINT, "Tags": [{"Key": "", "Value": "é ü/+-@"}]},
            [
                (
                    "Value '' at 'tags.1.member.key' failed to satisfy constraint: "
                    "Member must have length greater than or equal to 1"
                )
            ],
        ),
        ("AddTags", {"ResourceArn": ENDPOINT, "Tags": [{"Key": "日本", "Value": ""}]}, []),
    ],
)
def test_constraints_are_told_in_awss_words(
    operation: str, parameters: dict[str, Any], expected: list[str]
) -> None:
    """Required members, ranges, enums and lengths have their sentences."""
    assert problems(operation, **parameters) == expected


def test_every_pattern_of_the_models_can_be_read() -> None:
    """No pattern of an emulated service is skipped because Python's dialect is another, save a listed few."""
    unread = set()
    for service in models.SERVICES:
        model = models.service_model(service)
        for name in model.shape_names:
            pattern = model.shape_for(name).metadata.get("pattern")
            if pattern and validation.expression(pattern) is validation.ANYTHING:
                unread.add(pattern)
    assert unread <= {r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*"}


def test_several_mistakes_are_told_together(service: Service) -> None:
    """The message counts its errors, and the code is ValidationException."""
    client = service.client("sagemaker", parameter_validation=False)
    with pytest.raises(ClientError) as error:
        client.list_models(SortOrder="Up", MaxResults=1000)
    answer = error.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (
        "ValidationException",
        400,
    )
    assert answer["Error"]["Message"].startswith("2 validation errors detected: Value ")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("SageMaker.ListApps", "ListApps"),
        ("SageMaker.NoSuchThing", "NoSuchThing"),
        ("Logs_20140328.StartQuery", "StartQuery"),
        ("DynamoDB_20120810.PutItem", "DynamoDB_20120810.PutItem"),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(service: Service, target: str, expected: str) -> None:
    """An unknown JSON operation is HTTP 400, JSON, and named."""
    status, kind, body = send(service, "POST", "/", b"{}", X_Amz_Target=target)
    answer = json.loads(body)
    assert (status, kind, answer["__type"]) == (
        400,
        "application/x-amz-json-1.1",
        "UnknownOperationException",
    )
    assert expected in answer["message"]


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b"\xff", b'{"MaxResults": "ten"}', b'{"NameContains": 1}', b"[" * 100_000]
)
def test_a_body_that_is_no_request_is_a_serialization_error(service: Service, body: bytes) -> None:
    """Broken JSON and wrong types are SerializationException, never a failure of the service."""
    status, _, answer = send(service, "POST", "/", body, X_Amz_Target="SageMaker.ListModels")
    assert (status, json.loads(answer)["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("GET", "/bucket?acl", b"", {}, 501, b"<Code>NotImplemented</Code>"),
        ("POST", "/b-1?delete", b"<Delete", {}, 400, b"<Code>MalformedXML</Code>"),
        ("POST", "/b-1?delete", b"<!DOCTYPE a []><Delete/>", {}, 400, b"<Code>MalformedXML</Code>"),
        ("POST", "/b-1?delete", b"<Delete></Delete>", {}, 400, b"<Code>InvalidArgument</Code>"),
        ("GET", "/b-1/%FF", b"", {}, 400, b"<Code>MalformedXML</Code>"),
        ("PATCH", "/b-1/k", b"", {}, 501, b"<Code>NotImplemented</Code>"),
        ("GET", "/b-1?max-keys=many", b"", {}, 400, b"<Code>InvalidArgument</Code>"),
        (
            "POST",
            "/",
            b"Action=AssumeRole&Version=2011-06-15",
            {"content_type": "application/x-www-form-urlencoded"},
            400,
            b"<Code>InvalidAction</Code>",
        ),
        (
            "POST",
            "/",
            b"Action=GetRole&Version=2010-05-08",
            {"content_type": "application/x-www-form-urlencoded"},
            400,
            b"<Code>ValidationError</Code>",
        ),
        (
            "POST",
            "/",
            b"Action=Any&Version=1999-01-01",
            {"content_type": "application/x-www-form-urlencoded"},
            400,
            b"<Code>InvalidAction</Code>",
        ),
    ],
)
def test_errors_have_the_shape_of_their_protocol(  # noqa: PLR0917 (a row of the table above)
    service: Service, method: str, path: str, body: bytes, headers: dict[str, str], status: int, code: bytes
) -> None:
    """XML services answer errors in XML with their own codes."""
    answer = send(service, method, path, body, **headers)
    assert (answer[0], code in answer[2], b"html" in answer[2].lower()) == (status, True, False)


def test_sts_and_iam_answer(service: Service) -> None:
    """The account is told, and any role is there."""
    assert service.client("sts").get_caller_identity()["Account"] == "000000000000"
    role = service.client("iam").get_role(RoleName="any")["Role"]
    assert (role["Arn"], role["AssumeRolePolicyDocument"]["Statement"][0]["Action"]) == (
        "arn:aws:iam::000000000000:role/any",
        "sts:AssumeRole",
    )


@pytest.mark.parametrize(
    ("levels", "reason"),
    [(99, b"no member Unknown"), (101, b"nested too deeply"), (100_000, b"nested too deeply")],
)
def test_a_body_nested_too_deeply_is_refused(service: Service, levels: int, reason: bytes) -> None:
    """A hundred levels are enough for any request; what is less deep is looked into."""
    body = b'{"NameContains":"a","Unknown":' + b"[" * levels + b"]" * levels + b"}"
    status, _, answer = send(
        service,
        "POST",
        "/",
        body,
        x_amz_target="SageMaker.ListModels",
        content_type="application/x-amz-json-1.1",
    )
    assert (status, reason in answer) == (400, True)


def test_a_body_that_is_too_large_is_refused(service: Service) -> None:
    """Before it is parsed, with the status that says so."""
    body = b" " * (WHOLE_LIMIT + 1)
    status, _, answer = send(
        service,
        "POST",
        "/",
        body,
        x_amz_target="SageMaker.ListModels",
        content_type="application/x-amz-json-1.1",
    )
    assert (status, b"RequestEntityTooLarge" in answer) == (413, True)
