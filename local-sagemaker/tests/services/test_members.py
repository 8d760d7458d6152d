"""Every member of every served operation is honoured, without effect, or refused by its name."""
# ruff: noqa: ANN401 (values of any shape)

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.model import OperationModel, Shape, StructureShape

from local_sagemaker import services
from local_sagemaker.errors import AwsError
from local_sagemaker.protocol import models
from local_sagemaker.services import members
from local_sagemaker.services.registry import DIRECT, OPERATIONS
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

services.load()
SERVED = sorted([*OPERATIONS, *DIRECT])
SIMPLE = {"string": "x", "integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True, "blob": b"x"}


def value_of(shape: Shape, path: list[str]) -> Any:
    """A value of a shape that has the member at `path` inside, and nothing else that is optional."""
    kind = shape.type_name
    if kind == "list":
        return [value_of(shape.member, path)]  # type: ignore[attr-defined]
    if kind == "map":
        return {"x": value_of(shape.value, path)}  # type: ignore[attr-defined]
    if kind == "structure" and path:
        return {path[0]: value_of(shape.members[path[0]], path[1:])}  # type: ignore[attr-defined]
    if kind == "structure":
        return {"x": "y"}  # something, whatever it is
    return shape.metadata.get("enum", [SIMPLE.get(kind, "x")])[0]


def value_at(model: OperationModel, path: str) -> dict[str, Any]:
    """A request that has one member, at a dotted path, which may end in `=value`."""
    path, _, wanted = path.partition("=")
    assert model.input_shape is not None
    request: dict[str, Any] = value_of(model.input_shape, path.split("."))
    holder: Any = request
    *above, last = path.split(".")
    for name in above:
        holder = holder[name]
        while not isinstance(holder, dict) or "x" in holder:
            holder = holder[0] if isinstance(holder, list) else holder["x"]
    if wanted:
        holder[last] = [wanted] if isinstance(holder[last], list) else wanted
    return request


def declared(service: str, name: str) -> Iterator[tuple[str, str]]:
    """What is done with each member of an operation."""
    shape = models.operation_model(service, name).input_shape
    return iter(()) if shape is None else members.declared(service, name, shape)


@pytest.mark.parametrize(("service", "name"), SERVED)
def test_what_is_neither_honoured_nor_without_effect_is_refused_by_its_name(service: str, name: str) -> None:
    """The check names each refused member, at any depth, and takes each that is without effect."""
    model = models.operation_model(service, name)
    assert (service, name) in SERVED
    for word, path in declared(service, name):
        if word == "refused":
            with pytest.raises(AwsError, match=re.escape(path)):
                members.check(model, value_at(model, path))
        elif word == "ignored":
            members.check(model, value_at(model, path))


def structures(shape: StructureShape, name: str, service: str) -> Iterator[tuple[str, StructureShape]]:
    """Yield the structures that are honoured member by member, with their names in the table."""
    yield name, shape
    known = members.rules(service)[name]
    for member in known.honoured.keys() - known.whole:
        inner = members.structure_in(shape.members[member])
        if inner is not None and inner.name != name:
            yield from structures(inner, inner.name, service)


@pytest.mark.parametrize("service", sorted({service for service, _ in SERVED}))
def test_the_table_knows_what_the_models_know(service: str) -> None:
    """Each operation and each structure inside is listed, with members and values that there are."""
    shapes: dict[str, StructureShape | None] = {}
    for name in (name for owner, name in SERVED if owner == service):
        shape = models.operation_model(service, name).input_shape
        shapes[name] = shape
        shapes |= dict(structures(shape, name, service)) if shape is not None else {}
    assert sorted(members.rules(service)) == sorted(shapes)
    for name, rules in members.rules(service).items():
        there = shapes[name].members if shapes[name] is not None else {}  # type: ignore[union-attr]
        assert sorted(rules.honoured.keys() - there.keys()) == []
        assert sorted(rules.ignored - there.keys()) == []
        assert sorted(rules.ignored & rules.honoured.keys()) == []
        assert sorted(member for member in rules.reasons if member not in there) == []
        assert sorted(rules.reasons.keys() & rules.ignored) == []
        for member, values in rules.honoured.items():
            enum = there[member].metadata.get("enum")
            assert not enum or values <= set(enum), (name, member)


def test_a_request_is_refused_with_all_that_is_not_emulated(sagemaker: Service) -> None:
    """SageMaker names every such member, S3 calls it NotImplemented, and what asks for nothing passes."""
    cached = {"ModelCacheSetting": "Disabled"}
    source = {"S3Uri": "s3://b/k", "S3DataType": "S3Prefix", "CompressionType": "None"}
    more = [{"ChannelName": "x", "S3DataSource": source}]
    container = {"Image": "i", "MultiModelConfig": cached, "AdditionalModelDataSources": more}
    with refused(
        "ValidationException",
        "PrimaryContainer.MultiModelConfig.ModelCacheSetting=Disabled",
        "PrimaryContainer.AdditionalModelDataSources",
    ):
        sagemaker.sagemaker.create_model(ModelName="m", PrimaryContainer=container)
    sagemaker.s3.create_bucket(Bucket="members", ObjectLockEnabledForBucket=False)
    for extra in (
        {"GrantRead": "id=1"},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2030-01-01"},
        {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32},
        {"WebsiteRedirectLocation": "/other"},
    ):
        with refused("NotImplemented", *extra) as answer:
            sagemaker.s3.put_object(Bucket="members", Key="k", Body=b"x", **extra)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    with refused("NotImplemented", "VersionId=other"):
        sagemaker.s3.get_object(Bucket="members", Key="k", VersionId="other")
    assert "Contents" not in sagemaker.s3.list_objects_v2(Bucket="members")


@pytest.mark.parametrize(
    ("given", "is_refused"),
    [
        ({"SessionChainingConfig": {"EnableSessionTagChaining": False}}, False),
        ({"SessionChainingConfig": {}}, False),
        ({"SessionChainingConfig": {"EnableSessionTagChaining": True}}, True),
        ({"InputDataConfig": [{"DataSource": {"S3DataSource": {"AttributeNames": []}}}]}, False),
        ({"InputDataConfig": [{"DataSource": {"S3DataSource": {"AttributeNames": ["a"]}}}]}, True),
    ],
)
def test_what_asks_for_nothing_is_not_refused(given: dict[str, Any], *, is_refused: bool) -> None:
    """False and what is empty, as clients write them who name every member."""
    model = models.operation_model("sagemaker", "CreateTrainingJob")
    with pytest.raises(AwsError) if is_refused else nullcontext():
        members.check(model, given)


def test_an_unknown_member_is_refused_in_each_protocol(sagemaker: Service) -> None:
    """What no model knows is refused by its name, in JSON, XML and forms, at any depth."""

    def body_of(path: str, data: bytes, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(sagemaker.url + path, data, named, method="POST"), timeout=10)  # noqa: S310
        with caught.value as answer:
            assert answer.code == 400
            return answer.read().decode()

    target = {"x_amz_target": "SageMaker.CreateModel", "content_type": "application/x-amz-json-1.1"}
    sent = b'{"ModelName": "m", "PrimaryContainer": {"Image": "i", "Colour": "red"}}'
    assert "Colour" in body_of("/", sent, **target)
    form = b"Action=GetCallerIdentity&Version=2011-06-15&Colour=red"
    assert "Colour" in body_of("/", form, content_type="application/x-www-form-urlencoded")
    sagemaker.s3.create_bucket(Bucket="members")
    xml = b"<Delete><Object><Key>k</Key><Colour>red</Colour></Object></Delete>"
    assert "Colour" in body_of("/members?delete", xml, content_type="application/xml")
