"""Request bodies to columns, and predictions to answers, in CSV, JSON and JSON lines.

A missing value is an empty CSV field or a JSON null, and nothing else. Unknown categories are allowed: the
model's encoder has a place for them. No NumPy here: for one row, plain lists are faster than arrays.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from include.core.documents.model import LARGEST_NUMBER, ColumnSignature

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"

Number = float | int | None
#: one list for each column of the signature, in its order; None stands for a missing number
Columns = list[list[Any]]


class BadRequest(Exception):  # noqa: N818 - it reads as what the answer says
    """A request that cannot be answered; carries the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def parse_body(body: bytes, content_type: str, columns: Sequence[ColumnSignature]) -> Columns:
    """Return the columns of a request's body.

    :param body: the body as it was sent
    :param content_type: the Content-Type header, parameters included
    :raises BadRequest: naming row (counted from 1) and column where it can
    """
    kind, charset = media_type(content_type)
    if kind not in PARSERS:
        known = ", ".join(PARSERS)
        raise BadRequest(f"Cannot read content type {content_type!r}. Send one of {known}.", 415)
    if charset not in {"utf-8", "utf8", "us-ascii"}:
        raise BadRequest(f"Cannot read charset {charset!r}. Send UTF-8.", 415)
    if not body.strip():
        raise BadRequest("The body is empty. Send at least one row.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: byte {error.start} cannot be decoded.") from error
    return PARSERS[kind](text, columns)


def media_type(header: str) -> tuple[str, str]:
    """Return media type and charset of a Content-Type header in lower case; the charset defaults to UTF-8."""
    kind, *parameters = header.lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "charset":
            return kind.strip(), value.strip(' "')
    return kind.strip(), "utf-8"


def _from_csv(text: str, columns: Sequence[ColumnSignature]) -> Columns:
    rows = _csv_rows(text.removeprefix("\ufeff"))
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            names = ",".join(column.name for column in columns)
            raise BadRequest(
                f"Row {number} has {len(row)} fields, not {len(columns)}. Send {names}, no header."
            )
    return [
        _csv_numbers(values, column.name) if column.is_number else _strings(list(values), column.name)
        for values, column in zip(zip(*rows, strict=True), columns, strict=True)
    ]


def _csv_rows(text: str) -> list[list[str]]:
    lines = text.replace("\r\n", "\n").rstrip("\r\n")
    if '"' not in text and "\r" not in lines:
        return [line.split(",") for line in lines.split("\n")]
    try:
        # an empty line is one empty field, as without quotes
        rows = csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), strict=True)
        return [row or [""] for row in rows]
    except csv.Error as error:
        raise BadRequest(f"The body is not CSV: {error}. Check its quotes.") from error


def _csv_numbers(values: Sequence[str], name: str) -> list[Number]:
    try:
        numbers = [float(value) if value else None for value in values]
    except ValueError:
        numbers = [_csv_number(value, row, name) for row, value in enumerate(values, 1)]
    # float() takes 1_000 and nan as well
    for row, (value, text) in enumerate(zip(numbers, values, strict=True), 1):
        if value is not None and (not -LARGEST_NUMBER <= value <= LARGEST_NUMBER or "_" in text):
            _refuse_number(text, row, name)
    return numbers


def _csv_number(text: str, row: int, name: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        _refuse_number(text, row, name)


def _refuse_number(value: object, row: int, name: str) -> NoReturn:
    shown = repr(value) if isinstance(value, str) else json.dumps(value)
    raise BadRequest(
        f"Row {row}, column {name!r}: {shown[:60]} is not a finite number. "
        "Send a number, or an empty CSV field or JSON null where it is unknown."
    )


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON, send null for a missing number")


_DECODE = json.JSONDecoder(parse_constant=_not_json).decode


def _decode(text: str, where: str) -> object:
    try:
        return _DECODE(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{where} is not JSON: {error}.") from error


def _from_json(text: str, columns: Sequence[ColumnSignature]) -> Columns:
    given = _decode(text, "The body")
    if isinstance(given, dict):
        given = given.get("instances", [given])
    if not isinstance(given, list) or not given:
        raise BadRequest('There are no rows. Send {"instances": [{...}]}, a list of objects, or one object.')
    return _from_objects(given, columns)


def _from_json_lines(text: str, columns: Sequence[ColumnSignature]) -> Columns:
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    return _from_objects([_decode(line, f"Line {row}") for row, line in enumerate(lines, 1)], columns)


def _from_objects(rows: list[Any], columns: Sequence[ColumnSignature]) -> Columns:
    """Return columns of rows that are objects; members that are no column are ignored."""
    try:
        taken = [[row[column.name] for row in rows] for column in columns]
    except (KeyError, TypeError, IndexError):
        _refuse_objects(rows, columns)
    return [
        _json_numbers(values, column.name) if column.is_number else _strings(values, column.name)
        for values, column in zip(taken, columns, strict=True)
    ]


def _refuse_objects(rows: list[Any], columns: Sequence[ColumnSignature]) -> NoReturn:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise BadRequest(
                f"Row {number} is a {type(row).__name__}, not an object of column names and values."
            )
        missing = [column.name for column in columns if column.name not in row]
        if missing:
            raise BadRequest(
                f"Row {number} lacks the column(s) {', '.join(missing)}. Send null where one is unknown."
            )
    raise AssertionError(rows)


def _json_numbers(values: list[Any], name: str) -> list[Number]:
    for row, value in enumerate(values, 1):
        kind = type(value)  # not isinstance: true and false are no numbers here
        if value is not None and not (
            (kind is float or kind is int) and -LARGEST_NUMBER <= value <= LARGEST_NUMBER
        ):
            _refuse_number(value, row, name)
    return values


def _strings(values: list[Any], name: str) -> list[str]:
    for row, value in enumerate(values):
        if value is None:
            values[row] = ""
        elif type(value) is not str:
            shown = json.dumps(value)[:60]
            raise BadRequest(
                f"Row {row + 1}, column {name!r}: {shown} is not a string. Send a string or null."
            )
        elif not value.isascii():
            _require_text(value, row + 1, name)
    return values


def _require_text(value: str, row: int, name: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"Row {row}, column {name!r}: {value[:60]!r} is not valid Unicode.") from error


PARSERS: dict[str, Callable[[str, Sequence[ColumnSignature]], Columns]] = {
    CSV: _from_csv,
    JSON: _from_json,
    JSON_LINES: _from_json_lines,
}


def choose_answer_type(accept: str, content_type: str) -> str:
    """Return the media type to answer in: the first accepted one that is known, or the request's own.

    :raises BadRequest: with status 406 when none can be made
    """
    own = media_type(content_type)[0]
    kinds = [media_type(part)[0] for part in accept.split(",") if part.strip()]
    for kind in kinds or ["*/*"]:
        if kind in PARSERS:
            return kind
        if kind == "*/*" or kind == own.split("/")[0] + "/*":
            return own
    raise BadRequest(f"Cannot answer in {accept!r}. Accept one of {', '.join(PARSERS)}.", 406)


def format_answer(labels: Sequence[str], scores: Sequence[float], kind: str) -> bytes:
    """Return the body with labels and scores, each the shortest text that reads back to the same number.

    Fewer digits would move a score that many rows share across the bounds of its bucket in the baseline.
    """
    if kind == CSV:
        return "".join(f"{_csv_field(a)},{b!r}\n" for a, b in zip(labels, scores, strict=True)).encode()
    objects = [f'{{"label": {json.dumps(a)}, "score": {b!r}}}' for a, b in zip(labels, scores, strict=True)]
    if kind == JSON_LINES:
        return ("\n".join(objects) + "\n").encode()
    return f'{{"predictions": [{", ".join(objects)}]}}'.encode()


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
