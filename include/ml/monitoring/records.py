"""Records of SageMaker's endpoints and of ground truth: encoded data, faults, captured answers."""

from __future__ import annotations

import base64
import csv
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.core.documents.monitoring import Malformed

#: faults that are told with their place; the others are only counted
EXAMPLES = 5
#: brackets from which on a record may be nested more deeply than can be written
DEEP = 200


class MalformedError(ValueError):
    """A record that cannot be used; its text says why, and quotes no data, which may be private.

    `reason` says so in words that all records of the kind share; without one the text is the reason.
    """

    def __init__(self, text: str, reason: str | None = None) -> None:
        super().__init__(text)
        self.reason = reason or text


class Faults:
    """Counts records that cannot be used by their reasons, and names the first few.

    Examples
    --------
    >>> faults = Faults()
    >>> faults.add("10/a.jsonl", 3, MalformedError("it is cut off"))
    >>> faults.summary()
    Malformed(count=1, examples=('10/a.jsonl, line 3: it is cut off',), reasons={'it is cut off': 1})
    """

    def __init__(self) -> None:
        self._examples: list[str] = []
        self._reasons: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """The number of records that cannot be used."""
        return self._reasons.total()

    def add(self, file: str, line: int, error: MalformedError) -> None:
        """Note one record."""
        self._reasons[error.reason] += 1
        if len(self._examples) < EXAMPLES:
            self._examples.append(f"{file}, line {line}: {error}")

    def summary(self) -> Malformed:
        """Return how many there were, for which reasons, and which were the first."""
        reasons = dict(sorted(self._reasons.items()))
        return Malformed(count=self.count, examples=tuple(self._examples), reasons=reasons or None)


def parse_object(line: str) -> dict[str, Any]:
    """Return a line as a JSON object.

    Raises
    ------
    MalformedError
        The line is cut off, or is something else.
    """
    value = _parse_json(line)
    if not isinstance(value, dict):
        raise MalformedError("it is no JSON object")
    return value


def _parse_json(text: str) -> Any:  # noqa: ANN401 - whatever a client sends
    """Return a JSON value that can be written as JSON again; what only Python takes for JSON is none."""
    try:
        value = json.loads(text, parse_constant=_parse_finite, parse_float=_parse_finite)
        if text.count("[") + text.count("{") > DEEP:
            # writing needs more of the stack than reading
            json.dumps([[[[value]]]])
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"it is no JSON ({error.msg} at character {error.pos})", "it is no JSON"
        ) from error
    except ValueError as error:
        raise MalformedError("it has a number without end") from error
    except RecursionError as error:
        raise MalformedError("it is nested too deeply") from error
    return value


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def checked_text(text: str, name: str) -> str:
    """Return a text that a file can hold: one half of a surrogate pair is no character.

    Raises
    ------
    MalformedError
        It is no such text.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError(f"its {name} is no text") from error
    return text


def member(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a member that is an object itself.

    Raises
    ------
    MalformedError
        There is none of that name.
    """
    value = record.get(name)
    if not isinstance(value, dict):
        raise MalformedError(f"it has no {name}")
    return value


def text_of(part: Mapping[str, Any]) -> str:
    """Return the data of a record's part as text, whatever its encoding: CSV, JSON or BASE64.

    Raises
    ------
    MalformedError
        There is no data, or it is not what its encoding says.

    Examples
    --------
    >>> text_of({"data": "MQ==", "encoding": "BASE64"})
    '1'
    """
    data, encoding = part.get("data"), part.get("encoding")
    if encoding in ("CSV", "JSON") and isinstance(data, str):
        return data
    if encoding == "JSON" and data is not None:
        return json.dumps(data)
    if encoding != "BASE64" or not isinstance(data, str):
        raise MalformedError("its data is in none of the encodings CSV, JSON and BASE64")
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except ValueError as error:
        raise MalformedError("its data is no text in BASE64") from error


def parse_moment(text: object, name: str) -> datetime:
    """Return an ISO 8601 time, in UTC; one without an offset is UTC.

    Raises
    ------
    MalformedError
        It is no such time.
    """
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError as error:
        raise MalformedError(f"its {name} is no ISO 8601 time") from error
    except OverflowError as error:
        raise MalformedError(f"its {name} lies beyond the years 1 to 9999") from error


#: where among the custom attributes of a request the time of its event stands
EVENT_TIME = re.compile(r"(?:^|[;,\s])event_time=([^;,\s]+)")


@dataclass(frozen=True)
class Capture:
    """One request that an endpoint answered."""

    #: the inference id that the client gave, or else the id that SageMaker gave
    event_id: str
    #: by the client's word, or else the time of the request; UTC
    event_time: datetime
    #: UTC
    request_time: datetime
    #: text of a class
    label: str
    #: probability of the positive class, or of the label
    score: float
    #: the record itself
    record: dict[str, Any]


def parse_capture(line: str, classes: Collection[str] | None = None) -> Capture:
    """Parse one line of a capture file; with `classes`, the texts of all classes, the answer must be one.

    Raises
    ------
    MalformedError
        The line is cut off, holds no answer, or the answer is not that to one row.
    """
    record = parse_object(line)
    metadata = member(record, "eventMetadata")
    event_id = metadata.get("inferenceId") or metadata.get("eventId")
    if not isinstance(event_id, str):
        raise MalformedError("it has no inferenceId and no eventId")
    checked_text(event_id, "inferenceId")
    requested = parse_moment(metadata.get("inferenceTime"), "inferenceTime")
    label, score = parse_answer(member(member(record, "captureData"), "endpointOutput"))
    if classes is not None and label not in classes:
        raise MalformedError("its label is none of the classes")
    return Capture(event_id, _event_time(metadata) or requested, requested, label, score, record)


def _event_time(metadata: Mapping[str, Any]) -> datetime | None:
    """Return the time of the event among the custom attributes, which SageMaker keeps as a list of texts."""
    given = metadata.get("customAttributes")
    texts = given if isinstance(given, list) else [given]
    times = [match.group(1) for text in texts if (match := EVENT_TIME.search(str(text)))]
    return parse_moment(times[0], "event_time") if times else None


def parse_answer(output: Mapping[str, Any]) -> tuple[str, float]:
    r"""Return label and score of the one row that was asked for.

    Raises
    ------
    MalformedError
        There are several rows, which one id cannot tell apart, or it is no answer of a model of ours.

    Examples
    --------
    >>> part = {"observedContentType": "text/csv; charset=utf-8", "encoding": "CSV", "data": "1,0.75\n"}
    >>> parse_answer(part)
    ('1', 0.75)
    """
    text = text_of(output)
    kind = str(output.get("observedContentType", "")).partition(";")[0].strip().lower()
    rows = _csv_rows(text) if kind in {"", "text/csv", "application/csv"} else _json_rows(text)
    if len(rows) != 1:
        text = f"it answers {len(rows)} rows, and one id can name but one"
        raise MalformedError(text, "it does not answer one row")
    label, score = rows[0]
    try:
        text, number = checked_text(str(label), "label"), float(score)
    except (TypeError, ValueError, OverflowError) as error:
        raise MalformedError("its score is no number") from error
    if not 0 <= number <= 1:
        raise MalformedError("its score is no probability")
    return text, number


def _csv_rows(text: str) -> list[tuple[Any, Any]]:
    try:
        rows = [row for row in csv.reader(text.splitlines()) if row]
    except csv.Error as error:
        raise MalformedError("its answer is no CSV") from error
    if any(len(row) != 2 for row in rows):  # noqa: PLR2004 - label and score
        raise MalformedError("its answer is not `label,score`")
    return [(row[0], row[1]) for row in rows]


def _json_rows(text: str) -> list[tuple[Any, Any]]:
    """Return the rows of `{"predictions": [...]}`, or of JSON lines."""
    try:
        values = [_parse_json(line) for line in text.splitlines() if line.strip()]
        if len(values) == 1 and "predictions" in values[0]:
            values = values[0]["predictions"]
        return [(value["label"], value["score"]) for value in values]
    except (TypeError, KeyError) as error:
        raise MalformedError("its answer has no label and score") from error


def without_input(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record that holds nothing of what the client sent; for signatures with private columns."""
    data = {name: part for name, part in member(record, "captureData").items() if name != "endpointInput"}
    return {**record, "captureData": data}
