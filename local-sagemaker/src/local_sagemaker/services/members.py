"""Whether every member of a request is honoured here, as members.toml says of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

from botocore.model import OperationModel, Shape, StructureShape

from local_sagemaker.errors import AwsError, ValidationException
from local_sagemaker.protocol.models import operation_model

#: after a member whose insides are kept as they are
WHOLE = ".*"
LEAVE_OUT = "leave it out."
#: what a member holds that asks for nothing, alone or inside a structure
NOTHING: tuple[object, ...] = (False, "", [])


class NotImplementedHere(AwsError, code="NotImplemented", status=501):  # noqa: N818 (S3's code)
    """A header or a member that asks S3 for something that is not there."""


@dataclass(frozen=True)
class MemberRules:
    """What becomes of the members of one structure; those that are named nowhere are refused."""

    #: member -> the values that are honoured; none: all are
    honoured: Mapping[str, frozenset[str]]
    #: the honoured members whose insides are honoured as a whole
    whole: frozenset[str]
    ignored: frozenset[str]
    #: member -> why it is refused and what to do instead
    reasons: Mapping[str, str]


NO_RULES = MemberRules({}, frozenset(), frozenset(), {})


@cache
def rules(service: str) -> Mapping[str, MemberRules]:
    """Return the rules of a service's operations, and of the structures inside their requests."""
    text = (files(__package__) / "members.toml").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, Any]] = tomllib.loads(text).get(service, {})
    ignored, reasons = table.get("ignored", {}), table.get("reasons", {})
    made = {}
    for name, line in table.get("honoured", {}).items():
        words = [word.removesuffix(WHOLE).partition("=") for word in line.split()]
        made[name] = MemberRules(
            {member: frozenset(filter(None, values.split("|"))) for member, _, values in words},
            frozenset(word.removesuffix(WHOLE) for word in line.split() if word.endswith(WHOLE)),
            frozenset(ignored.get(name, "").split()),
            reasons.get(name, {}),
        )
    return made


def check(model: OperationModel, parameters: Mapping[str, Any]) -> None:
    """Raise an error that names every member of a request that is neither honoured nor without effect.

    :raises NotImplementedHere: of S3.
    :raises ValidationException: of all other services.
    """
    service, shape = model.service_model.service_name, model.input_shape
    if shape is None:
        return
    refused = list(_refused(service, model.name, shape, parameters, ""))
    if refused:
        error = NotImplementedHere if service == "s3" else ValidationException
        raise error(f"The local SageMaker does not emulate this of {model.name}: {'; '.join(refused)}")


def _refused(
    service: str, name: str, shape: StructureShape, given: Mapping[str, Any], path: str
) -> Iterator[str]:
    known = rules(service).get(name, NO_RULES)
    for member, value in given.items():
        allowed = known.honoured.get(member)
        is_one = not allowed or str(value) in allowed
        if allowed is None and member not in known.ignored and not _asks_nothing(value):
            yield f"{path}{member}: {known.reasons.get(member, LEAVE_OUT)}"
        elif not is_one:
            reason = known.reasons.get(member, "")
            yield f"{path}{member}={value}: give {' or '.join(sorted(allowed or ()))}. {reason}".rstrip()
        elif allowed is not None and member not in known.whole:
            for inner, item in _structures(shape.members[member], value):
                yield from _refused(service, inner.name, inner, item, f"{path}{member}.")


def _asks_nothing(value: object) -> bool:
    if isinstance(value, dict):
        return all(_asks_nothing(inner) for inner in value.values())
    return isinstance(value, (bool, str, list)) and value in NOTHING


def _structures(shape: Shape, value: Any) -> Iterator[tuple[StructureShape, Mapping[str, Any]]]:  # noqa: ANN401
    """Yield the structures in a member's value, with their shapes."""
    match shape.type_name:
        case "structure" if not cast("StructureShape", shape).is_document_type:
            yield cast("StructureShape", shape), value
        case "list":
            for item in value:
                yield from _structures(shape.member, item)  # type: ignore[attr-defined]
        case "map":
            for item in value.values():
                yield from _structures(shape.value, item)  # type: ignore[attr-defined]


def declared(
    service: str, name: str, shape: StructureShape, path: str = "", above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Yield what is done with each member of a structure, and where it lies as a dotted path.

    The words are "honoured", "ignored" and "refused"; a path such as `Mode=MultiModel` is about one value.

    :param above: names of the shapes that the structure lies in, so that one within itself has an end.
    """
    known = rules(service).get(name, NO_RULES)
    for member, inside in shape.members.items():
        if member not in known.honoured:
            yield "ignored" if member in known.ignored else "refused", f"{path}{member}"
            continue
        yield "honoured", f"{path}{member}"
        values, inner = known.honoured[member], structure_in(inside)
        for value in inside.metadata.get("enum", ()):
            if values and value not in values:
                yield "refused", f"{path}{member}={value}"
        if inner is not None and member not in known.whole and inner.name not in above:
            yield from declared(service, inner.name, inner, f"{path}{member}.", above | {inner.name})


@cache
def refused_headers(service: str, name: str) -> Mapping[bytes, str]:
    """Return the headers that carry a refused member of an operation, in lower case, each with a sentence."""
    model = operation_model(service, name)
    known, shape = rules(service)[name], model.input_shape
    sentences = {}
    for member, inside in (shape.members if shape else {}).items():
        if inside.serialization.get("location") == "header" and member not in {
            *known.honoured,
            *known.ignored,
        }:
            reason = known.reasons.get(member, LEAVE_OUT)
            sentence = f"The local SageMaker does not emulate this of {name}: {member}: {reason}"
            sentences[inside.serialization["name"].lower().encode()] = sentence
    return sentences


def structure_in(shape: Shape) -> StructureShape | None:
    """Return the structure that a member is, or is a list or a map of; None where there is none."""
    while shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value  # type: ignore[attr-defined]
    if shape.type_name != "structure" or cast("StructureShape", shape).is_document_type:
        return None
    return cast("StructureShape", shape)
