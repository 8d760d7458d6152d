"""What a batch transform job does to records: filter, join with the answer, filter again, write.

Records are text and stay it: a filter looks for where values begin and end, and no value is read as a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local_sagemaker.domain.json_text import JsonText, text_of, unfold
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
QUOTED = rb'"(?:[^"]|"")*+"(?=,|\r?\n|\Z)'
#: a cell of a record, with its quotes
CELL = re.compile(rb'(?:%s|(?!")[^,\r\n]*+)(?:,|\Z)' % QUOTED)
#: a row of an answer: quoted cells may span lines; a cell that only begins with a quote is text
ROW = re.compile(rb"((?:%s|[^,\n]*+)(?:,(?:%s|[^,\n]*+))*+)(?:\r?\n|\Z)" % (QUOTED, QUOTED))


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


def select(path: JsonPath, record: bytes, kind: Format) -> bytes:
    """Return what a filter selects of a record, in the record's own bytes; in CSV, a cell is a row.

    :raises RecordError: the record is not of this format.
    :raises JsonPathError: the path leads nowhere in it.
    """
    if path.is_root:
        return record
    if kind != "csv":
        return text_of(path.apply(parse_json(record, kind), unfold)).encode()
    chosen = path.apply(cells(record))
    # an empty line would be no record
    return (b",".join(chosen) if isinstance(chosen, list) else chosen) or b'""'


def cells(record: bytes) -> list[bytes]:
    """Return the cells of a CSV row as they were written; raise RecordError if its quotes do not match."""
    row, at = [], 0
    while True:
        match = CELL.match(record, at)
        if match is None:
            raise _no_record(record, "csv", f"the cell from byte {at} on is not quoted as a cell is")
        row.append(match.group().removesuffix(b","))
        if not match.group().endswith(b","):
            return row
        at = match.end()


def parse_json(record: bytes, kind: Format) -> JsonText:
    """Return a record as a JSON value; raise RecordError if it is none."""
    try:
        return JsonText.parse(record.decode("utf-8"))
    except ValueError as error:
        raise _no_record(record, kind, error) from error


def join(record: bytes, answer: bytes, kind: Format) -> bytes:
    """Return input and output of one record as one record, in the shape SageMaker gives it."""
    if kind == "csv":
        return record + b"," + answer
    given, output = parse_json(record, kind), parse_json(answer, kind)
    begin = f'{{"SageMakerInput":{given}' if given[0] != "{" else given[:-1].rstrip()
    comma = "" if begin == "{" else ","
    return f'{begin}{comma}"SageMakerOutput":{output}}}'.encode()


@dataclass(frozen=True)
class DataProcessing:
    """The DataProcessing of a transform job, parsed, with the formats it works on."""

    input_filter: JsonPath
    output_filter: JsonPath
    is_joined: bool
    #: whether every output record has a line of its own
    is_by_line: bool
    content_type: str | None
    accept: str | None

    @classmethod
    def from_request(cls, request: Mapping[str, Any]) -> DataProcessing:
        """Read it from a CreateTransformJob request; JsonPathError when a filter is no path."""
        given, wanted = request["TransformInput"], request["TransformOutput"]
        processing = request.get("DataProcessing", {})
        return cls(
            input_filter=JsonPath.parse(processing.get("InputFilter") or "$"),
            output_filter=JsonPath.parse(processing.get("OutputFilter") or "$"),
            is_joined=processing.get("JoinSource", "None") == "Input",
            is_by_line="Line" in {given.get("SplitType"), wanted.get("AssembleWith")},
            content_type=given.get("ContentType"),
            accept=wanted.get("Accept"),
        )

    @property
    def touches_answers(self) -> bool:
        """Whether answers must be looked into; if not, they pass as the bytes they are."""
        return self.is_joined or not self.output_filter.is_root

    def request_record(self, record: bytes) -> bytes:
        """Return the part of `record` that the model receives."""
        if self.input_filter.is_root:
            return record
        return select(self.input_filter, record, format_of(self.content_type))

    def output_records(self, records: list[bytes], body: bytes, answered: str | None) -> list[bytes]:
        """Return the output record of each input record, given the model's answer for all of them.

        :param answered: the Content-Type of the answer, used where the job names no Accept.
        """
        kind = format_of(self.accept or answered)
        outputs = _answers(body, kind, len(records))
        if self.is_joined:
            given = format_of(self.content_type)
            if (given == "csv") != (kind == "csv"):
                raise RecordError(
                    f"JoinSource=Input cannot join {given} records with {kind} answers. "
                    "Make ContentType and Accept agree."
                )
            outputs = [join(record, answer, kind) for record, answer in zip(records, outputs, strict=True)]
        outputs = [select(self.output_filter, output, kind) for output in outputs]
        # line breaks of JSON stand between its tokens alone, and mean nothing there
        is_flat = self.is_by_line and kind != "csv"
        return [output.translate(None, b"\r\n") for output in outputs] if is_flat else outputs


def _answers(body: bytes, kind: Format, count: int) -> list[bytes]:
    """One answer for each record: the body itself for a single JSON record, its rows or lines otherwise."""
    if kind == "json" and count == 1:
        return [body]
    rows = ROW.findall(body) if kind == "csv" else body.split(b"\n")
    answers = [row for row in (row.removesuffix(b"\r") for row in rows) if row]
    if len(answers) != count:
        raise RecordError(
            f"The model answered {count} records with {len(answers)} lines of {kind}, so they cannot be "
            "matched. Answer one line for each record, or use BatchStrategy=SingleRecord."
        )
    return answers


def _no_record(record: bytes, kind: Format, reason: object) -> RecordError:
    shown = record[:120].decode("utf-8", "backslashreplace")
    return RecordError(f"The record {shown!r} is no {kind}: {reason}.")
