"""Values of a model's shapes from and to XML."""
# ruff: noqa: ANN401 (shapes, whose kinds share no type, and their values)

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from local_sagemaker.errors import SerializationException
from local_sagemaker.protocol import scalars

#: characters that XML 1.0 cannot hold, not even by number
UNTOLD = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _children(node: Element, name: str) -> list[Element]:
    return [child for child in node if child.tag.rpartition("}")[2] == name]


def _is_flat(shape: Any) -> bool:
    return bool(shape.serialization.get("flattened"))


def _element(name: str, shape: Any) -> str:
    """Return the element of a member; a flattened list is named by its own member's name."""
    inner = shape.member.serialization.get("name") if shape.type_name == "list" and _is_flat(shape) else None
    return str(inner or shape.serialization.get("name", name))


def read(shape: Any, node: Element) -> Any:
    """Return the Python value of `shape` in `node`; raise SerializationException when it is none."""
    match shape.type_name:
        case "structure":
            return _read_structure(shape, node)
        case "list" | "map":
            return _read_collection(shape, [node] if _is_flat(shape) else list(node))
        case "blob":
            return scalars.read_blob(node.text or "")
        case _:
            return scalars.read(shape, node.text or "", "iso8601")


def _read_structure(shape: Any, node: Element) -> dict[str, Any]:
    members: dict[str, Any] = {}
    unknown = {child.tag.rpartition("}")[2] for child in node} - {
        _element(*item) for item in shape.members.items()
    }
    if unknown:
        raise SerializationException(f"{shape.name} has no element {', '.join(sorted(unknown))}.")
    attributes = {key.rpartition("}")[2]: value for key, value in node.attrib.items()}
    for name, member in shape.members.items():
        element = _element(name, member)
        if member.serialization.get("xmlAttribute"):
            value = attributes.get(element.rpartition(":")[2])
            members |= {} if value is None else {name: value}
        elif nodes := _children(node, element):
            members[name] = _read_collection(member, nodes) if _is_flat(member) else read(member, nodes[0])
    return members


def _read_collection(shape: Any, nodes: list[Element]) -> Any:
    """Return the list or the map whose items are in `nodes`."""
    if shape.type_name == "list":
        return [read(shape.member, node) for node in nodes]
    pairs = {}
    for entry in nodes:
        keys = _children(entry, shape.key.serialization.get("name", "key"))
        values = _children(entry, shape.value.serialization.get("name", "value"))
        if not keys or not values:
            raise SerializationException(f"An entry of {shape.name} has no key or no value.")
        pairs[read(shape.key, keys[0])] = read(shape.value, values[0])
    return pairs


def text(value: str) -> str:
    """Return a value as the text of an element; a carriage return would otherwise be read as a line feed.

    What XML has no way to tell becomes a replacement character, or the whole answer could not be read.
    """
    return escape(UNTOLD.sub("\ufffd", value), {"\r": "&#13;"})


def write(shape: Any, value: Any, name: str) -> Iterator[str]:
    """Yield the pieces of XML for a value as element `name`."""
    match shape.type_name:
        case "structure":
            yield f"<{name}{_attributes(shape, value)}>"
            yield from members(shape, value)
            yield f"</{name}>"
        case "list" | "map" if _is_flat(shape):
            yield from _write_items(shape, value, name)
        case "list":
            items = _write_items(shape, value, shape.member.serialization.get("name", "member"))
            yield f"<{name}>{''.join(items)}</{name}>"
        case "map":
            yield f"<{name}>{''.join(_write_items(shape, value, 'entry'))}</{name}>"
        case "blob":
            yield f"<{name}>{base64.b64encode(value).decode()}</{name}>"
        case _:
            yield f"<{name}>{text(scalars.write(shape, value, 'iso8601'))}</{name}>"


def _write_items(shape: Any, value: Any, name: str) -> Iterator[str]:
    """Yield the items of a list, or the entries of a map, each as element `name`."""
    if shape.type_name == "list":
        for item in value:
            yield from write(shape.member, item, name)
        return
    for key, item in value.items():
        yield f"<{name}>"
        yield from write(shape.key, key, shape.key.serialization.get("name", "key"))
        yield from write(shape.value, item, shape.value.serialization.get("name", "value"))
        yield f"</{name}>"


def members(shape: Any, value: dict[str, Any]) -> Iterator[str]:
    """Yield the pieces of XML for what a value has, without an element around; headers are left out."""
    for name, item in value.items():
        member = shape.members[name]
        outside = "location" in member.serialization or member.serialization.get("xmlAttribute")
        if item is not None and not outside:
            yield from write(member, item, _element(name, member))


def _attributes(shape: Any, value: dict[str, Any]) -> str:
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
