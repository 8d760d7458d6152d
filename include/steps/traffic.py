"""Predictions and ground truth as files of a job: batch answers, captured requests, labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pandas as pd

from include.core.layout import parse_hour
from include.ml.exceptions import InvalidInput
from include.ml.monitoring.ground_truth import Truth, as_frame, parse_truth
from include.ml.monitoring.records import Capture, Faults, MalformedError, parse_capture
from include.steps.contract import Step

Record = TypeVar("Record")


def read_lines(
    root: Path, parse: Callable[[Path, str], Record], faults: Faults
) -> Iterator[tuple[Path, Record]]:
    """Yield every record below `root` with its file, from the earliest file to the latest.

    A malformed line is noted in `faults` and skipped: one truncated request must not hide all others.
    """
    # Names begin with the moment of writing, but the folder of a variant is above the hours.
    for path in sorted(root.rglob("*.jsonl"), key=lambda path: (path.parts[-5:], path)):
        name = path.relative_to(root).as_posix()
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield path, parse(path, line)
                    except MalformedError as error:
                        faults.add(name, number, error)


@dataclass
class TruthFound:
    """The ground truth of a job's input `truth`, which may be missing."""

    #: `event_id`, `label` and `known_time` in the order of the files
    labels: pd.DataFrame
    records: list[Truth] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)


def read_truth(step: Step) -> TruthFound:
    """Return every label among the ground-truth files."""
    classes, faults = step.module("features").CLASSES, Faults()

    def parse(path: Path, line: str) -> Truth:
        return parse_truth(line, classes, hour_of(path) + timedelta(hours=1))

    records = [truth for _, truth in read_lines(step.input("truth"), parse, faults)]
    return TruthFound(as_frame(records), records, faults)


def read_captures(step: Step, faults: Faults) -> Iterator[tuple[str, Capture]]:
    """Yield every captured answer with the variant that gave it."""
    classes = step.module("features").CLASSES

    def parse(_: Path, line: str) -> Capture:
        return parse_capture(line, classes)

    for path, capture in read_lines(step.input("captured"), parse, faults):
        yield path.parts[-6], capture


def hour_of(path: Path) -> datetime:
    """Return the hour of a file below `yyyy/mm/dd/hh/`."""
    try:
        return parse_hour("/".join(path.parts[-5:-1]))
    except ValueError as error:
        raise InvalidInput(
            f"{path.name} does not lie in a folder yyyy/mm/dd/hh. Put ground truth into the folder of the "
            "hour in which it became known."
        ) from error


def read_scored(root: Path) -> pd.DataFrame:
    """Return event id, label and score of every scored row, from the transform job's `*.out` files."""
    names, files = ["event_id", "label", "score"], sorted(root.rglob("*.out"))
    if not files:
        raise InvalidInput(f"The scored data holds no *.out file ({root}). Run the batch transform again.")
    parts = []
    for path in files:
        if path.name.endswith(".jsonl.out"):
            parts.append(_read_json_lines(path, names))
            continue
        part = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
        if part.shape[1] != len(names):
            raise InvalidInput(
                f"{path.name} has {part.shape[1]} columns; a scored row is event id, label and score. "
                "Check the transform job's OutputFilter."
            )
        parts.append(part.set_axis(names, axis="columns"))
    scored = pd.concat(parts, ignore_index=True)
    score = pd.to_numeric(scored["score"], errors="coerce")
    if score.isna().any():
        row = scored[score.isna()].iloc[0]
        raise InvalidInput(
            f"The score of {row['event_id']} is {row['score']!r}, no number. Run the transform again."
        )
    return scored.assign(score=score)


def _read_json_lines(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Return scored rows that are the records' ids joined with the answers; all values are texts."""
    rows = []
    for number, line in enumerate(path.read_bytes().decode().rstrip("\n").split("\n"), 1):
        try:
            record = json.loads(line)
            answer = record["SageMakerOutput"]
            rows.append((record["event_id"], answer["label"], repr(answer["score"])))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"Line {number} of {path.name} is no scored row: event_id, and label and score in "
                "SageMakerOutput. Check the transform job's OutputFilter."
            ) from error
    return pd.DataFrame(rows, columns=list(names), dtype="str")
