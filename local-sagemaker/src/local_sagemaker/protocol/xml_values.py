"""Values of a model's shapes from and to XML."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, cast
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.errors import SerializationException
from local_sagemaker.protocol import scalars

#: characters that XML 1.0 cannot hold, not even by number
UNTOLD = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _tag(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _children(node: Element, name: str) -> list[Element]:
    return [child for child in node if _tag(child) == name]


def _is_flat(shape: Shape) -> bool:
    return bool(shape.serialization.get("flattened"))


def member_name(name: str, shape: Shape) -> str:
    """Return the element of a structure's member; a flattened list is named by its own member's name."""
    if shape.type_name == "list" and _is_flat(shape):
        inner = cast("ListShape", shape).member.serialization.get("name")
        if inner:
            return str(inner)
    return str(shape.serialization.get("name", name))


def read(shape: Shape, node: Element) -> Any:  # noqa: ANN401 (any value of a shape)
    """Return the Python value of `shape` in `node`; raise SerializationException when it is none."""
    match shape.type_name:
        case "structure":
            return _read_structure(cast("StructureShape", shape), node)
        case "list":
            return _read_list(cast("ListShape", shape), [node] if _is_flat(shape) else list(node))
        case "map":
            return _read_map(cast("MapShape", shape), list(node))
        case "blob":
            return scalars.read_blob(node.text or "")
        case _:
            return scalars.read(shape, node.text or "", "iso8601")


def _read_structure(shape: StructureShape, node: Element) -> dict[str, Any]:
    members: dict[str, Any] = {}
    attributes = {key.rpartition("}")[2]: value for key, value in node.attrib.items()}
    for name, member in shape.members.items():
        element = member_name(name, member)
        if member.serialization.get("xmlAttribute"):
            value = attributes.get(element.rpartition(":")[2])
            members |= {} if value is None else {name: value}
            continue
        found = _children(node, element)
        if not found:
            continue
        if _is_flat(member) and member.type_name == "list":
            members[name] = _read_list(cast("ListShape", member), found)
        elif _is_flat(member):
            members[name] = _read_map(cast("MapShape", member), found)
        else:
            members[name] = read(member, found[0])
    return members


def _read_list(shape: ListShape, nodes: list[Element]) -> list[Any]:
    return [read(shape.member, node) for node in nodes]


def _read_map(shape: MapShape, entries: list[Element]) -> dict[str, Any]:
    pairs = {}
    for entry in entries:
        keys = _children(entry, shape.key.serialization.get("name", "key"))
        values = _children(entry, shape.value.serialization.get("name", "value"))
        if not keys or not values:
            raise SerializationException(f"An entry of {shape.name} has no key or no value.")
        pairs[read(shape.key, keys[0])] = read(shape.value, values[0])
    return pairs


def text(value: str) -> str:
    """`value` as the text of an element; a carriage return would otherwise be read as a line feed.

    What XML has no way to tell becomes a replacement character, or the whole answer could not be read.
    """
    return escape(UNTOLD.sub("\ufffd", value), {"\r": "&#13;"})


def write(shape: Shape, value: Any, name: str) -> Iterator[str]:  # noqa: ANN401
    """Pieces of XML for `value` as element `name`."""
    match shape.type_name:
        case "structure":
            yield f"<{name}{_attributes(cast('StructureShape', shape), value)}>"
            yield from members(cast("StructureShape", shape), value)
            yield f"</{name}>"
        case "list":
            yield from _write_list(cast("ListShape", shape), value, name)
        case "map":
            yield from _write_map(cast("MapShape", shape), value, name)
        case "blob":
            yield f"<{name}>{base64.b64encode(value).decode()}</{name}>"
        case _:
            yield f"<{name}>{text(scalars.write(shape, value, 'iso8601'))}</{name}>"


def members(shape: StructureShape, value: dict[str, Any]) -> Iterator[str]:
    """Pieces of XML for what `value` has, without an element around; header members are left out."""
    for name, item in value.items():
        member = shape.members[name]
        outside = "location" in member.serialization or member.serialization.get("xmlAttribute")
        if item is not None and not outside:
            yield from write(member, item, member_name(name, member))


def _attributes(shape: StructureShape, value: dict[str, Any]) -> str:
    namespace = shape.serialization.get("xmlNamespace")
    pieces = []
    if isinstance(namespace, dict):
        prefix = f":{namespace['prefix']}" if namespace.get("prefix") else ""
        pieces.append(f" xmlns{prefix}={quoteattr(namespace['uri'])}")
    for name, item in value.items():
        member = shape.members[name]
        if member.serialization.get("xmlAttribute") and item is not None:
            pieces.append(f" {member.serialization['name']}={quoteattr(str(item))}")
    return "".join(pieces)


def _write_list(shape: ListShape, value: list[Any], name: str) -> Iterator[str]:
    if _is_flat(shape):
        for item in value:
            yield from write(shape.member, item, name)
        return
    yield f"<{name}>"
    for item in value:
        yield from write(shape.member, item, shape.member.serialization.get("name", "member"))
    yield f"</{name}>"


def _write_map(shape: MapShape, value: dict[str, Any], name: str) -> Iterator[str]:
    entry = name if _is_flat(shape) else "entry"
    if not _is_flat(shape):
        yield f"<{name}>"
    for key, item in value.items():
        yield f"<{entry}>"
        yield from write(shape.key, key, shape.key.serialization.get("name", "key"))
        yield from write(shape.value, item, shape.value.serialization.get("name", "value"))
        yield f"</{entry}>"
    if not _is_flat(shape):
        yield f"</{name}>"
