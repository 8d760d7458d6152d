"""A batch transform at work: a program of its own that serves the model and sends it the records.

Run under a job's shim with the folder of its job as argument, so that it goes on when the service is killed.
The folder has `job.json` and `input/`; every finished file appears, whole, in `output/`. What could not be
transformed is told in `message`, and the exit status is 1 then.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from local_sagemaker.domain.jsonpath import JsonPathError
from local_sagemaker.engine.jobs.records import DataProcessing, RecordError
from local_sagemaker.engine.jobs.server_pool import ModelRefusedError, ServerError, ServerPool
from local_sagemaker.engine.processes.wire import head

#: what neither the request nor the container says
DEFAULTS = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 6}
STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
#: faults whose text says all; any other has its type before it
NAMED = (RecordError, JsonPathError, ModelRefusedError, gzip.BadGzipFile)
MEGABYTE = 1024 * 1024


class Transform:
    """One job: its settings, its model, and the way of a file through it."""

    def __init__(
        self, request: dict[str, Any], container: dict[str, Any], servers: ServerPool, files: int
    ) -> None:
        """Settle how records are sent: by the job's request, else as the container says, else the default.

        :param container: what it has answered to GET /execution-parameters.
        :param files: how many there are to share the servers.
        """
        if "BatchStrategy" in container:
            word = str(container["BatchStrategy"])
            container = {**container, "BatchStrategy": STRATEGIES.get(word, word)}
        chosen = {**DEFAULTS, **{key: container[key] for key in DEFAULTS if container.get(key) is not None}}
        chosen |= {key: request[key] for key in DEFAULTS if key in request}
        self._is_multi = chosen["BatchStrategy"] == "MultiRecord"
        #: None: no limit
        self._limit_bytes = int(chosen["MaxPayloadInMB"]) * MEGABYTE or None
        self._servers = servers
        servers.allow(max(int(chosen["MaxConcurrentTransforms"]), 1))
        #: how many files may be under way, and how many requests of one
        self.places = max(1, min(servers.slots, files))
        self._window = max(1, servers.slots // self.places)
        self._processing = DataProcessing.from_request(request)
        given, wanted = request["TransformInput"], request["TransformOutput"]
        self._is_gzip = given.get("CompressionType", "None") == "Gzip"
        self._is_split = given.get("SplitType", "None") == "Line"
        self._by_line = wanted.get("AssembleWith", "None") == "Line"
        named = [(b"content-type", given.get("ContentType")), (b"accept", wanted.get("Accept"))]
        self._headers = [(name, value.encode()) for name, value in named if value]

    async def file(self, source: Path, parts: Path, target: Path) -> None:
        """Transform one file; `target` appears when it is complete, and only then.

        :param parts: the folder of what is not complete.
        """
        part = parts / f"{id(source)}"
        opener = gzip.open if self._is_gzip else open
        try:
            with opener(source, "rb") as opened, part.open("wb") as output:
                stream = cast("BinaryIO", opened)  # GzipFile reads
                records = (iter_lines if self._is_split else whole_batch)(stream, self._limit_bytes)
                batches = iter_batches(
                    records,
                    is_multi=self._is_multi,
                    limit_bytes=self._limit_bytes,
                    prepare=self._processing.request_record,
                )
                async for piece in self._pieces(batches):
                    output.write(piece)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    async def _pieces(self, requests: Iterable[Batch]) -> AsyncIterator[bytes]:
        """Yield the output of each request in order; several requests are under way at once."""
        pending: deque[asyncio.Task[bytes]] = deque()
        try:
            for batch in requests:
                if len(pending) >= self._window:
                    yield await pending.popleft()
                pending.append(asyncio.create_task(self._piece(batch)))
            while pending:
                yield await pending.popleft()
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _piece(self, batch: Batch) -> bytes:
        request = head("POST", "/invocations", self._headers, len(batch.body))
        answer = await self._servers.ask(request, batch.body)
        records = None
        if self._processing.touches_answers:
            records = self._processing.output_records(batch.records, answer.body, answer.content_type)
        return assemble(records, answer.body, by_line=self._by_line)


async def run(folder: Path) -> int:
    """Do the job of `folder`; the exit status."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    sources = sorted(path for path in (folder / "input").rglob("*") if path.is_file())
    async with ServerPool.started(job) as servers:
        transform = Transform(job["request"], await servers.parameters(), servers, len(sources))
        gate, faults = asyncio.Semaphore(transform.places), []
        (folder / "parts").mkdir(exist_ok=True)

        async def one(source: Path) -> None:
            name = source.relative_to(folder / "input")
            async with gate:
                try:
                    await transform.file(source, folder / "parts", folder / "output" / f"{name}.out")
                    print(f"{name}: transformed", flush=True)  # noqa: T201 - the job's log
                except ServerError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever a file does is its own fault, not the others'
                    reason = str(error) if isinstance(error, NAMED) else f"{type(error).__name__}: {error}"
                    faults.append(f"{name}: {reason}")
                    print(f"{name}: no output: {reason}", flush=True)  # noqa: T201 - the job's log

        async with asyncio.TaskGroup() as group:
            for source in sources:
                group.create_task(one(source))
    if faults:
        text = f"{len(faults)} of {len(sources)} files could not be transformed; the others have outputs. "
        (folder / "message").write_text(text + "\n".join(sorted(faults)), encoding="utf-8")
    return 1 if faults else 0


def main(folder: Path) -> int:
    """Do the job of `folder` and tell what went wrong with all of it."""
    try:
        return asyncio.run(run(folder))
    except BaseExceptionGroup as errors:
        error: BaseException = errors.exceptions[0]
    except Exception as single:  # noqa: BLE001 - it ends as the job's FailureReason
        error = single
    (folder / "message").write_text(str(error) or repr(error), encoding="utf-8")
    print(f"The job failed: {error}", flush=True)  # noqa: T201 - the job's log
    return 1


@dataclass(frozen=True)
class Batch:
    """One request to the model."""

    #: the records as they stood in the file, for JoinSource
    records: list[bytes]
    #: what is sent: the records after InputFilter, one a line
    body: bytes


def iter_lines(stream: BinaryIO, limit_bytes: int | None) -> Iterator[bytes]:
    r"""Yield the records of a stream, one a line, without `\n` or `\r\n`; empty lines are no records.

    Holds one record at a time. RecordError for a record beyond `limit_bytes`.
    """
    # Room for the line's end, so that a record of just the limit is whole.
    step = -1 if limit_bytes is None else limit_bytes + 2
    number = 0
    while line := stream.readline(step):
        number += 1
        record = line[:-1].removesuffix(b"\r") if line.endswith(b"\n") else line
        if limit_bytes is not None and len(record) > limit_bytes:
            raise _too_large(f"Record {number}", limit_bytes)
        if record:
            yield record


def whole_batch(stream: BinaryIO, limit_bytes: int | None) -> Iterator[bytes]:
    """Yield a stream as one record, none if it is empty; raise RecordError beyond `limit_bytes`."""
    record = stream.read(-1 if limit_bytes is None else limit_bytes + 1)
    if limit_bytes is not None and len(record) > limit_bytes:
        raise _too_large("The file", limit_bytes)
    if record:
        yield record


def iter_batches(
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


def assemble(records: list[bytes] | None, body: bytes, *, by_line: bool) -> bytes:
    """Return what one answer adds to the output file.

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


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
