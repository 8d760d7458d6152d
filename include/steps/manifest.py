"""The manifest of a step's output: which files, how many rows, which digest, and that no row has vanished."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from include.core.documents.codec import D
from include.core.documents.manifest import Manifest, OutputFile, SourceFile, files_digest
from include.core.layout import MANIFEST, Interval
from include.steps.contract import Step, digest

#: where a row that came in can have gone to, besides the names that start with "rows_" in a step's counts
ROWS_IN = "rows_in"


def check_balance(counts: Mapping[str, int]) -> None:
    """Fail unless every row that came in is accounted for: rows_in is the sum of all other counts."""
    gone = {name: count for name, count in counts.items() if name != ROWS_IN}
    if counts.get(ROWS_IN) != sum(gone.values()):
        raise AssertionError(
            f"Rows got lost: rows_in={counts.get(ROWS_IN)}, but {gone} add up to {sum(gone.values())}. "
            "This is a fault of the step, not of the data; its output must not be used."
        )


def describe(root: Path) -> tuple[OutputFile, ...]:
    """Return the files below `root`, by name."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != MANIFEST)
    return tuple(
        OutputFile(
            name=path.relative_to(root).as_posix(),
            rows=pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None,
            bytes=path.stat().st_size,
            sha256=digest(path),
        )
        for path in files
    )


def write_manifest(
    step: Step,
    *,
    counts: Mapping[str, int],
    metrics: Mapping[str, float | None] | None = None,
    sources: Sequence[SourceFile] | None = None,
) -> Manifest:
    """Write `manifest.json` over everything in the step's output directory, and return it.

    Call it last: a directory without a manifest is incomplete.
    """
    check_balance(counts)
    files = describe(step.output)
    manifest = Manifest(
        step=step.name,
        cycle=step.cycle,
        interval=Interval(step.start, step.end),
        key=step.key,
        files=files,
        digest=files_digest(files),
        counts=dict(counts),
        metrics=dict(metrics or {}),
        sources=None if sources is None else tuple(sources),
    )
    return write_document(step.output / MANIFEST, manifest)


def write_document(path: Path, document: D) -> D:
    """Write a document, and return it as its readers see it: an undefined number is None."""
    content = document.as_json()
    write_json(path, content)
    return document.from_json(content)


def write_json(path: Path, value: object) -> None:
    """Write JSON that is the same, byte for byte, for the same value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
