"""collect: a window's predictions, in batch and online, and the labels known for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pandas as pd

from include.core.documents.reports import AnswerCounts, Coverage
from include.core.layout import COVERAGE, LABELS, PREDICTIONS
from include.ml.exceptions import InvalidInput
from include.ml.monitoring.ground_truth import label_coverage, label_history
from include.ml.monitoring.records import Capture, Faults, without_input
from include.steps.contract import Step, run
from include.steps.manifest import write_document, write_manifest
from include.steps.tables import read_table, write_table
from include.steps.traffic import TruthFound, read_captures, read_scored, read_truth

COLUMNS = ("event_id", "event_time", "source", "label", "score", "model")
#: records in one file of merged/
MERGED_LINES = 50_000


def collect(step: Step) -> dict[str, float]:
    """Write predictions.parquet, labels.parquet, merged/*.jsonl and coverage.json."""
    batch, truth = batch_predictions(step), read_truth(step)
    prepared = read_table(step.required("prepared") / "labels/labels.parquet")
    known = label_history(pd.concat([prepared[list(truth.labels)], truth.labels], ignore_index=True))
    online = Online(step, last_labels(known))
    predictions = pd.concat([batch, online.read()], ignore_index=True)
    history = known[known["event_id"].isin(predictions["event_id"])].reset_index(drop=True)
    write_table(step.output / PREDICTIONS, predictions[list(COLUMNS)])
    write_table(step.output / LABELS, history)
    coverage = describe_coverage(step, truth, online, predictions, history)
    write_document(step.output / COVERAGE, coverage)
    metrics = {name: value for name, value in vars(coverage).items() if isinstance(value, int)}
    counts = {"rows_in": len(batch) + online.seen, "rows_out": len(predictions), **online.lost}
    write_manifest(step, counts=counts, metrics=metrics)
    return {"rows_in": counts["rows_in"], "rows_out": counts["rows_out"], **metrics}


def batch_predictions(step: Step) -> pd.DataFrame:
    """Return the answers of the batch transform with the times of their events."""
    files = sorted((step.required("prepared") / "rows").glob("*.parquet"))
    if not files:
        raise InvalidInput("The prepared data holds no rows/*.parquet. Run prepare for the interval.")
    events = pd.concat([read_table(path, ["event_id", "event_time"]) for path in files], ignore_index=True)
    scored = read_scored(step.required("scored"))
    joined = scored.merge(events, on="event_id", how="left", validate="one_to_one")
    if joined["event_time"].isna().any():
        event = joined.loc[joined["event_time"].isna(), "event_id"].iloc[0]
        raise InvalidInput(
            f"The event {event} was scored, but is not among the prepared rows. Run batch_transform again."
        )
    return joined.assign(source="batch", model=step.parameters.get("model", ""))


def last_labels(history: pd.DataFrame) -> dict[str, str]:
    """Return the label of each event after all corrections."""
    return dict(zip(history["event_id"], history["label"], strict=True))


def describe_coverage(
    step: Step, truth: TruthFound, online: Online, predictions: pd.DataFrame, history: pd.DataFrame
) -> Coverage:
    """Return which events have labels, and which ground truth is repeated, malformed or of unknown events."""
    events = predictions.drop_duplicates("event_id")[["event_id", "event_time"]]
    scored = set(events["event_id"]) | online.elsewhere
    unknown = {
        record.event_id
        for record in truth.records
        if record.event_id not in scored and step.start <= (record.event_time or record.known_time) < step.end
    }
    return Coverage(
        **vars(label_coverage(events, history, step.end)),
        duplicate=len(truth.labels) - len(label_history(truth.labels)),
        unknown_events=len(unknown),
        answers=online.answers(int((predictions["source"] == "batch").sum())),
        malformed={"captures": online.faults.summary(), "truth": truth.faults.summary()},
    )


@dataclass
class Online:
    """The window's captured answers; reading them merges each with its label, if it has one."""

    step: Step
    #: by event
    labels: Mapping[str, str]
    faults: Faults = field(default_factory=Faults)
    #: events of other windows, as far as there are labels for them
    elsewhere: set[str] = field(default_factory=set)
    #: captured answers of any kind
    seen: int = 0
    repeated: int = 0
    outside: int = 0

    def read(self) -> pd.DataFrame:
        """Return the first answer to each event."""
        rows: dict[str, tuple[Any, ...]] = {}
        hides = hides_requests(self.step)
        with Merged(self.step.output / "merged") as merged:
            for variant, capture in read_captures(self.step, self.faults):
                if not self._is_ours(capture):
                    continue
                if capture.event_id in rows:
                    self.repeated += 1
                    continue
                rows[capture.event_id] = (
                    capture.event_id,
                    capture.event_time,
                    "online",
                    capture.label,
                    capture.score,
                    variant,
                )
                if capture.event_id in self.labels:
                    record = without_input(capture.record) if hides else capture.record
                    merged.write(record, self.labels[capture.event_id])
        self.seen = len(rows) + sum(self.lost.values())
        return _frame(list(rows.values()))

    def _is_ours(self, capture: Capture) -> bool:
        if self.step.start <= capture.event_time < self.step.end:
            return True
        self.outside += 1
        if capture.event_id in self.labels:
            self.elsewhere.add(capture.event_id)
        return False

    @property
    def lost(self) -> dict[str, int]:
        """Captured answers that are no predictions of the window, by reason."""
        return {
            "rows_duplicate": self.repeated,
            "rows_quarantined": self.faults.count,
            "rows_of_other_windows": self.outside,
        }

    def answers(self, batch: int) -> AnswerCounts:
        """Return where answers come from, given how many there are of the batch."""
        return AnswerCounts(
            batch=batch,
            online=self.seen - sum(self.lost.values()),
            repeated=self.repeated,
            of_other_windows=self.outside,
        )


def hides_requests(step: Step) -> bool:
    """Return whether merged records leave out requests, since they outlive the captures they are copied from.

    They do if captures are deleted after a time, or if a column is private: captures from before it became
    private may still hold it.
    """
    rule = step.description.monitoring
    return rule.retention is not None or bool(rule.private)


def _frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return rows of COLUMNS with the types of the file."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["event_time"] = pd.to_datetime(frame["event_time"], utc=True).dt.as_unit("us")
    kinds = dict.fromkeys(("event_id", "source", "label", "model"), "str") | {"score": "float64"}
    return frame.astype(kinds)


class Merged:
    """Writes capture records with their ground truth, as Model Monitor does, in files of bounded size."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = 0
        self._file: IO[str] | None = None

    def write(self, record: Mapping[str, Any], label: str) -> None:
        """Add a record."""
        if self._lines % MERGED_LINES == 0:
            self._next()
        assert self._file is not None  # noqa: S101 - the first line has opened it
        truth = {"data": label, "encoding": "CSV"}
        self._file.write(json.dumps({**record, "groundTruthData": truth}, separators=(",", ":")) + "\n")
        self._lines += 1

    def _next(self) -> None:
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"part-{self._lines // MERGED_LINES:05d}.jsonl"
        self._file = (self._folder / name).open("w", encoding="utf-8")

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


def main() -> None:
    """Run the step in its container."""
    run("collect", collect)
