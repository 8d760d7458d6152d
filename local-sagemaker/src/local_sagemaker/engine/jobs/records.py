"""What a batch transform job does to records: parse, filter, join with the answer, filter again, write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local_sagemaker.domain.jsonpath import JsonPath

Format = Literal["csv", "json", "jsonlines"]

FORMATS: Mapping[str, Format] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/json": "json",
    "application/jsonlines": "jsonlines",
    "application/x-jsonlines": "jsonlines",
    "application/jsonl": "jsonlines",
}


class RecordError(ValueError):
    """A record, or the answer for it, that cannot be worked with: its file gets no output."""


def format_of(content_type: str | None) -> Format:
    """Return the format of a MIME type; raise RecordError when filters and joins cannot read it."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in FORMATS:
        raise RecordError(
            f"InputFilter, OutputFilter and JoinSource cannot read content type {content_type!r}. Give "
            f"ContentType and Accept as one of {', '.join(sorted(FORMATS))}, or leave DataProcessing out."
        )
    return FORMATS[kind]


def parse(record: bytes, kind: Format) -> Any:  # noqa: ANN401 - any JSON value
    """Return a record as a JSON value; a CSV row is an array of strings."""
    try:
        text = record.decode("utf-8")
        return next(csv.reader([text], strict=True)) if kind == "csv" else json.loads(text)
    except (UnicodeDecodeError, csv.Error, StopIteration, json.JSONDecodeError) as error:
        shown = record[:120].decode("utf-8", "backslashreplace")
        raise RecordError(f"The record {shown!r} is no {kind}: {error}.") from error


def dump(value: Any, kind: Format) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a JSON value as a record; in CSV, a scalar is a row of one column."""
    if kind != "csv":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    row = io.StringIO()
    cells = value if isinstance(value, list) else [value]
    texts = (cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells)
    csv.writer(row, lineterminator="").writerow(texts)
    return row.getvalue().encode()


def join(given: Any, answer: Any, kind: Format) -> Any:  # noqa: ANN401 - any JSON value
    """Input and output of one record as one value, in the shape SageMaker gives it."""
    if kind == "csv":
        return [*given, *answer]
    if isinstance(given, dict):
        return {**given, "SageMakerOutput": answer}
    return {"SageMakerInput": given, "SageMakerOutput": answer}


@dataclass(frozen=True)
class DataProcessing:
    """The DataProcessing of a transform job, parsed, with the formats it works on."""

    input_filter: JsonPath
    output_filter: JsonPath
    is_joined: bool
    content_type: str | None
    accept: str | None

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> DataProcessing:
        """Read it from a CreateTransformJob request; JsonPathError when a filter is no path."""
        given = request.get("DataProcessing", {})
        return cls(
            input_filter=JsonPath.parse(given.get("InputFilter") or "$"),
            output_filter=JsonPath.parse(given.get("OutputFilter") or "$"),
            is_joined=given.get("JoinSource", "None") == "Input",
            content_type=request["TransformInput"].get("ContentType"),
            accept=request["TransformOutput"].get("Accept"),
        )

    @property
    def touches_answers(self) -> bool:
        """Whether answers must be parsed; if not, they pass as the bytes they are."""
        return self.is_joined or not self.output_filter.is_root

    def request_record(self, record: bytes) -> bytes:
        """Return the part of `record` that the model receives."""
        if self.input_filter.is_root:
            return record
        kind = format_of(self.content_type)
        return dump(self.input_filter.apply(parse(record, kind)), kind)

    def output_records(self, records: list[bytes], body: bytes, answered: str | None) -> list[bytes]:
        """Return the output record of each input record, given the model's answer for all of them.

        :param answered: the Content-Type of the answer, used where the job names no Accept.
        """
        kind = format_of(self.accept or answered)
        answers = _answers(body, kind, len(records))
        if not self.is_joined:
            return [dump(self.output_filter.apply(parse(answer, kind)), kind) for answer in answers]
        given = format_of(self.content_type)
        if (given == "csv") != (kind == "csv"):
            raise RecordError(
                f"JoinSource=Input cannot join {given} records with {kind} answers. "
                "Make ContentType and Accept agree."
            )
        return [
            dump(self.output_filter.apply(join(parse(record, given), parse(answer, kind), kind)), kind)
            for record, answer in zip(records, answers, strict=True)
        ]


def _answers(body: bytes, kind: Format, count: int) -> list[bytes]:
    """One answer for each record: the body itself for a single JSON record, its lines otherwise."""
    if kind == "json" and count == 1:
        return [body]
    answers = [line for line in (line.rstrip(b"\r") for line in body.split(b"\n")) if line]
    if len(answers) != count:
        raise RecordError(
            f"The model answered {count} records with {len(answers)} lines of {kind}, so they cannot be "
            "matched. Answer one line for each record, or use BatchStrategy=SingleRecord."
        )
    return answers
