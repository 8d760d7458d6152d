"""transform: every cleaned partition so far as train, validation and holdout, and the monitoring baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from include.ml.exceptions import InvalidInput
from include.ml.features.splitting import PARTS, by_time, is_known
from include.ml.monitoring.constraints import suggest_constraints
from include.ml.monitoring.statistics import Bounds, Profile
from include.steps.contract import Step, parse_time, run
from include.steps.manifest import write_json, write_manifest
from include.steps.rows import Partition, feature_rows, find_partitions
from include.steps.tables import columns_of, read_batches, write_table


@dataclass
class EventIds:
    """Count events whose id an earlier partition has: no row is dropped, but labels are matched by id."""

    #: 64-bit hashes in ascending order, 8 bytes for each event of the history
    hashes: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    #: [rows] counted so far
    repeated: int = 0

    def add(self, partition: str, event_ids: pd.Series) -> None:
        """Take in the ids of a partition, and name the first that is there already."""
        hashes = pd.util.hash_array(event_ids.astype(str).to_numpy(object), categorize=False)
        position = np.searchsorted(self.hashes, hashes)
        known = np.append(self.hashes, np.uint64(0))[position] == hashes
        repeated = event_ids[known & (position < len(self.hashes))]
        if len(repeated):
            self.repeated += len(repeated)
            print(
                f"{len(repeated)} events of {partition} have the id of an event of an earlier partition, "
                f"such as {repeated.iloc[0]!r}. Labels are matched by id: make it unique over all time."
            )
        self.hashes = np.sort(np.concatenate([self.hashes, hashes]), kind="stable")


def transform(step: Step) -> dict[str, int]:
    """Write the parts of the training set, one partition in memory at a time, and the baseline."""
    until = known_until(step)
    rows: Counter[str] = Counter()
    event_ids = EventIds()
    for partition in find_partitions(step):
        rows.update(_write_parts(step, partition, until, event_ids))
    refuse_empty(step, rows, until)
    write_baseline(step)
    out = {part: rows[part] for part in PARTS}
    counts = {
        "rows_in": rows.total(),
        "rows_out": sum(out.values()),
        "rows_quarantined": 0,
        "rows_duplicate": 0,
    }
    metrics = {f"rows_{part}": count for part, count in out.items()}
    if event_ids.repeated:
        metrics["event_ids_repeated"] = event_ids.repeated
    write_manifest(step, counts=counts | {"rows_without_label": rows["unlabelled"]}, metrics=metrics)
    return counts | {"rows_without_label": rows["unlabelled"]} | metrics


def known_until(step: Step) -> datetime:
    """Return the cut-off for labels to learn from: the interval's end, or `known-until`."""
    given = step.parameters.get("known-until")
    return parse_time("known-until", given) if given else step.end


def _write_parts(step: Step, partition: Partition, until: datetime, event_ids: EventIds) -> Counter[str]:
    features, split = step.module("features"), step.description.split
    rows = feature_rows(step, partition)
    event_ids.add(str(partition.interval), rows["event_id"])
    known = is_known(rows[features.LABEL], rows["known_time"], until)
    labelled = rows[known]
    part_of = by_time(labelled["event_time"], step.end, holdout=split.holdout, validation=split.validation)
    for part in PARTS:
        chosen = labelled[part_of == part]
        # the last partition writes every part: a folder without a file cannot be a job's input
        if len(chosen) or partition.interval.end == step.end:
            write_table(step.output / part / f"{partition.interval}.parquet", chosen)
    return Counter(part_of.tolist()) + Counter(unlabelled=int((~known).sum()))


def refuse_empty(step: Step, rows: Counter[str], until: datetime) -> None:
    """Raise InvalidInput if there is nothing to learn from."""
    if not rows["train"]:
        split = step.description.split
        raise InvalidInput(
            f"The train part of {step.cycle} up to {step.end.isoformat()} is empty: of "
            f"{rows.total()} rows {rows['unlabelled']} have no label known by {until.isoformat()}; "
            f"the holdout is the last {split.holdout}, the validation the {split.validation} before. "
            "Add earlier intervals, or shorten the split in cycle.py."
        )


def write_baseline(step: Step) -> None:
    """Write statistics.json and constraints.json over the training part, in two passes over its files."""
    features, rule = step.module("features"), step.description.monitoring
    names = [*features.SIGNATURE, *features.COMBINED]
    files = sorted((step.output / "train").glob("*.parquet"))
    bounds = Bounds()
    for batch in _batches(files, names):
        bounds.add(columns_of(batch, names))
    profile = Profile(bounds.edges(), private=rule.private)
    for batch in _batches(files, names):
        profile.add(columns_of(batch, names), batch.num_rows)
    statistics = profile.statistics()
    write_json(step.output / "baseline/statistics.json", statistics)
    constraints = suggest_constraints(statistics, rule.minimum_distance)
    write_json(step.output / "baseline/constraints.json", constraints)


def _batches(files: list[Path], columns: list[str]) -> Iterator[pa.RecordBatch]:
    for path in files:
        yield from read_batches(path, columns)


def main() -> None:
    """Run the step in its container."""
    run("transform", transform)
