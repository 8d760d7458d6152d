"""Write docs/reference/documents.md from include/core/documents: fields and an example of every document.

`python tools/documents.py` writes the page; a test fails when it is not what this would write.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from include.core.documents import (  # noqa: E402 (the path comes first)
    card,
    data,
    ledger,
    manifest,
    model,
    monitoring,
    reports,
    results,
    retraining,
)
from include.core.documents.codec import Document, typed_fields  # noqa: E402
from include.core.layout import Interval  # noqa: E402
from tools.document_schema import PLAIN, comments, parts_of  # noqa: E402

PAGE = PROJECT / "docs" / "reference" / "documents.md"
CHAPTERS = {
    "Outputs of steps": (manifest, data, model, card),
    "Records": (ledger, monitoring, retraining),
    "Inputs of reports": (reports,),
    "Results of tasks": (results,),
}
HEAD = """# Documents

Every document that steps hand on or keep. Made from `include/core/documents` by `python tools/documents.py`;
do not edit it by hand.

All are JSON objects. Times are ISO 8601 in UTC. An interval is the list of its start and its end. An
undefined number is null. Unknown fields are ignored on reading, so that an earlier version of Flywheel reads
what a later one wrote.
"""
#: fields that mean the same in every document
MEANINGS = {
    "cycle": "name of the cycle",
    "step": "name of the step",
    "version": "of the document's form",
    "interval": "the run's interval",
    "window": "the window that was monitored",
    "name": "name",
    "sha256": "SHA-256 of the bytes",
    "value": "the number",
    "column": "name of the column",
    "metric": "name of the metric",
    "threads": "threads of the job",
}
NAMES = {bool: "true or false", int: "integer", float: "number", str: "text", Any: "any", NoneType: "null"}
NAMES |= {datetime: "time", Interval: "interval"}
#: example values of texts, by the end of the field's name
TEXTS = {
    "_uri": "s3://flywheel/flights/...",
    "uri": "s3://flywheel/flights/...",
    "record": "s3://flywheel/flights/watch/...",
    "key": "6b1f...",
    "digest": "6b1f...",
    "sha256": "6b1f...",
    "cycle": "flights",
    "step": "clean",
    "metric": "roc_auc",
    "version": "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/3",
    "job": "flights-clean-20130101-6b1f09aa31c2",
    "reasons": "The challenger beats the constant baseline.",
}
TIME = "2013-02-01T00:00:00+00:00"
EXAMPLES: dict[Any, Any] = {bool: True, int: 3, float: 0.71, Any: {}, datetime: TIME, NoneType: None}
EXAMPLES |= {Interval: ["2013-01-01T00:00:00+00:00", TIME]}
WIDTH = 100


def documents(modules: tuple[Any, ...]) -> list[type[Document]]:
    """Return the documents that modules define."""
    return [
        member
        for module in modules
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Document) and member.__module__ == module.__name__
    ]


EVERY = [kind for modules in CHAPTERS.values() for kind in documents(modules)]


def render_page() -> str:
    """Return the whole page."""
    lines = [HEAD]
    for title, modules in CHAPTERS.items():
        lines.append(f"## {title}\n")
        for kind in documents(modules):
            text = shown(example(kind, ""))
            lines += [*section(kind), "\nExample:\n", f"```json\n{text}\n```\n"]
    parts = {part for kind in EVERY for part in parts_of(kind)} - set(EVERY)
    lines.append("## Parts\n\nObjects inside the documents.\n")
    for kind in sorted(parts, key=lambda part: part.__name__):
        lines += [*section(kind), ""]
    return "\n".join(lines)


def section(kind: type) -> Iterator[str]:
    """Yield heading, purpose and fields of a document or a part."""
    yield f"### {kind.__name__}\n\n{(kind.__doc__ or '').partition(chr(10))[0]}\n"
    yield "| field | type | unit | meaning |\n| --- | --- | --- | --- |"
    known = comments(kind)
    for field, hint in typed_fields(kind):
        unit, text = known.get(field.name, ("", MEANINGS.get(field.name, "")))
        yield f"| `{field.name}` | {type_text(hint)} | {unit} | {text} |"


def type_text(hint: Any) -> str:  # noqa: ANN401 - an annotation
    """Return what a field holds, in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return " or ".join(type_text(argument) for argument in arguments)
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is tuple:
        return f"list of {type_text(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"object of {type_text(arguments[1])}"
    return NAMES[hint] if hint in NAMES else f"[{hint.__name__}](#{hint.__name__.lower()})"


def example(hint: Any, name: str) -> Any:  # noqa: ANN401 - an annotation and a JSON value
    """Return an example of what a field holds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType, Literal}:
        return arguments[0] if origin is Literal else example(arguments[0], name)
    if origin is tuple:
        return [example(arguments[0], name)]
    if origin is not None and issubclass(origin, Mapping):
        return {"name": example(arguments[1], name)}
    if hint is str:
        return next((text for end, text in TEXTS.items() if name.endswith(end)), "...")
    if hint in PLAIN:
        return EXAMPLES[hint]
    return {field.name: example(inner, field.name) for field, inner in typed_fields(hint)}


def shown(value: Any, indent: str = "") -> str:  # noqa: ANN401 - any JSON value
    """Return JSON with what fits in a line in one line."""
    text = json.dumps(value)
    if len(indent + text) <= WIDTH or not isinstance(value, dict | list):
        return text
    inner = indent + "  "
    if isinstance(value, list):
        return f"[\n{inner}" + f",\n{inner}".join(shown(element, inner) for element in value) + f"\n{indent}]"
    fields = (f"{json.dumps(name)}: {shown(element, inner)}" for name, element in value.items())
    return f"{{\n{inner}" + f",\n{inner}".join(fields) + f"\n{indent}}}"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render_page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(PROJECT)}: {len(EVERY)} documents")
