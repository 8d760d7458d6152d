"""How an input file of a batch transform becomes requests, and how answers become its output file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from local_sagemaker.engine.jobs.records import RecordError

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Batch:
    """One request to the model."""

    #: the records as they stood in the file, for JoinSource
    records: list[bytes]
    #: what is sent: the records after InputFilter, one a line
    body: bytes


def lines(stream: BinaryIO, limit_bytes: int | None) -> Iterator[bytes]:
    r"""The records of a stream, one a line, without `\n` or `\r\n`; empty lines are no records.

    Holds one record at a time. RecordError for a record beyond `limit_bytes`.
    """
    # Room for the line's end, so that a record of just the limit is whole.
    step = -1 if limit_bytes is None else limit_bytes + 2
    number = 0
    while line := stream.readline(step):
        number += 1
        record = line.removesuffix(b"\n").removesuffix(b"\r")
        if limit_bytes is not None and len(record) > limit_bytes:
            raise _too_large(f"Record {number}", limit_bytes)
        if record:
            yield record


def whole(stream: BinaryIO, limit_bytes: int | None) -> Iterator[bytes]:
    """A stream as one record; an empty one has none. RecordError beyond `limit_bytes`."""
    record = stream.read(-1 if limit_bytes is None else limit_bytes + 1)
    if limit_bytes is not None and len(record) > limit_bytes:
        raise _too_large("The file", limit_bytes)
    if record:
        yield record


def batches(
    records: Iterable[bytes],
    *,
    is_multi: bool,
    limit_bytes: int | None,
    prepare: Callable[[bytes], bytes] = bytes,
) -> Iterator[Batch]:
    """Pack records, in their order, into requests of at most `limit_bytes` (None: no limit).

    :param is_multi: as many records as fit into a request, one a line; else one record each.
    :param prepare: what is sent for a record (InputFilter).
    """
    held: list[bytes] = []
    sent: list[bytes] = []
    size = 0
    for record in records:
        ready = prepare(record)
        if limit_bytes is not None and len(ready) > limit_bytes:
            raise _too_large("A record", limit_bytes)
        is_full = limit_bytes is not None and size + 1 + len(ready) > limit_bytes
        if held and (is_full or not is_multi):
            yield Batch(held, b"\n".join(sent))
            held, sent, size = [], [], 0
        size += len(ready) + bool(held)
        held.append(record)
        sent.append(ready)
    if held:
        yield Batch(held, b"\n".join(sent))


def assembled(records: list[bytes] | None, body: bytes, *, by_line: bool) -> bytes:
    """What one answer adds to the output file.

    :param records: the processed output records, or None where the answer passes untouched as `body`.
    :param by_line: AssembleWith=Line, which ends every answer with a line's end.
    """
    if records is not None:
        body = b"\n".join(records)
        by_line = by_line or len(records) > 1
    return body + b"\n" if by_line and not body.endswith(b"\n") else body


def _too_large(what: str, limit_bytes: int) -> RecordError:
    return RecordError(
        f"{what} is larger than MaxPayloadInMB={limit_bytes / MEGABYTE:g} ({limit_bytes} bytes). Raise "
        "MaxPayloadInMB (up to 100), set SplitType=Line if the file holds many records, or cut the record."
    )
