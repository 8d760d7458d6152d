"""Rows as a model takes them: those that transform wrote, and those of the cleaned partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.core.exceptions import FlywheelError
from include.core.layout import Interval
from include.ml import cycle_code
from include.ml.cleaning.arrow_types import refuse_type
from include.ml.cleaning.columns import read_column
from include.ml.exceptions import InvalidInput
from include.ml.features.labels import class_places
from include.steps.contract import Step
from include.steps.serving.inference import Arrays
from include.steps.tables import read_table

#: the functions of a cycle that make rows, and what is made, as messages name them
BUILD, COMBINE, BUILT = "build of joining.py", "combine of features.py", "the rows that build returns"


@dataclass(frozen=True)
class Rows:
    """Labelled rows."""

    #: one array for each column of the signature: float64 with NaN, or str with "" for a missing value
    columns: Arrays
    #: place of the row's label in the cycle's CLASSES
    labels: np.ndarray
    #: identifiers of the rows
    event_ids: np.ndarray
    #: times of the events
    times: pd.Series

    def __len__(self) -> int:
        return len(self.labels)


def read_rows(folder: Path, features: ModuleType, *, may_be_empty: bool = False) -> Rows:
    """Return every labelled row below `folder`, in the order of the files' names.

    :param features: the cycle's module `features`, with SIGNATURE, LABEL and CLASSES
    :raises InvalidInput: when a column is missing, there is no row, or a label is none of the classes
    """
    parts = sorted(folder.rglob("*.parquet"))
    wanted = ["event_id", "event_time", *features.SIGNATURE, features.LABEL]
    if not parts:
        raise InvalidInput(f"{folder} holds no Parquet file. Check what the transform step wrote.")
    for part in parts:
        missing = sorted(set(wanted) - set(pq.read_schema(part).names))
        if missing:
            raise InvalidInput(
                f"{part.name} lacks the column(s) {', '.join(missing)}. The transform step must write every "
                "column of SIGNATURE in features.py, the event's id and time, and the label."
            )
    frame = pd.concat([pd.read_parquet(part, columns=wanted) for part in parts], ignore_index=True)
    if frame.empty and not may_be_empty:
        raise InvalidInput(f"{folder} holds no rows. Fetch a longer period, or check the split of the cycle.")
    return Rows(
        columns=to_columns(frame, features.SIGNATURE),
        labels=class_places(frame[features.LABEL], features.CLASSES),
        event_ids=frame["event_id"].astype(str).to_numpy(object),
        times=frame["event_time"],
    )


def to_columns(frame: pd.DataFrame, kinds: Mapping[str, str]) -> Arrays:
    """Return arrays of the signature's columns, with missing values as clients' payloads have them."""
    return {
        name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        if kind == "number"
        else frame[name].astype(object).where(frame[name].notna(), "").astype(str).to_numpy(object)
        for name, kind in kinds.items()
    }


@dataclass(frozen=True)
class Partition:
    """The cleaned tables of one interval."""

    interval: Interval
    path: Path


def find_partitions(step: Step) -> list[Partition]:
    """Return the partitions below the input `clean`, `<interval>/<key>/`, the earliest first."""
    root = step.required("clean")
    found: dict[Interval, Partition] = {}
    for path in sorted({file.parent for file in root.glob("*/*/*.parquet")}):
        interval = _interval_of(path.parent)
        if interval in found:
            raise InvalidInput(
                f"The interval {interval} was given twice, as {found[interval].path.name} and {path.name}. "
                "Name one key for each interval in the job's input manifest."
            )
        found[interval] = Partition(interval, path)
    future = [str(interval) for interval in found if interval.end > step.end]
    if future:
        raise InvalidInput(
            f"The partitions {future} end after {step.end.isoformat()}: the step must not see them."
        )
    if not found:
        raise InvalidInput(
            f"The input 'clean' holds no partition `<interval>/<key>/*.parquet` ({root}). Run clean."
        )
    return [found[interval] for interval in sorted(found)]


def _interval_of(folder: Path) -> Interval:
    try:
        return Interval.parse(folder.name)
    except FlywheelError as error:
        raise InvalidInput(f"{folder} is named for no partition: {error}") from error


def feature_rows(step: Step, partition: Partition) -> pd.DataFrame:
    """Return the partition's facts in order of time: ids, times, signature, label, combined attributes."""
    features = step.module("features")
    tables = {}
    for name in step.module("schema").TABLES:
        path = partition.path / f"{name}.parquet"
        if not path.is_file():
            raise InvalidInput(
                f"The partition {partition.interval} has no {path.name}. Run clean again for it."
            )
        tables[name] = read_table(path)
    built = build_rows(step, tables)
    refuse_repeated(built["event_id"])
    rows: pd.DataFrame = built.sort_values(["event_time", "event_id"], ignore_index=True)
    rows = rows.assign(
        **{name: as_texts(rows[name]) for name, kind in features.SIGNATURE.items() if kind == "string"}
    )
    columns = to_columns(rows, features.SIGNATURE)
    combined = cycle_code.call(lambda given: features.combine(given[BUILT]), {BUILT: columns}, COMBINE)
    numbers = cycle_code.check_combined(COMBINE, combined, features.COMBINED, len(rows))
    return pd.concat([rows, pd.DataFrame(numbers, index=rows.index)], axis=1)


def build_rows(step: Step, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the cycle's `build` makes of its cleaned tables, with every column that is used of it.

    :raises FaultyCode: it raises, or returns something else
    """
    features, joining = step.module("features"), step.module("joining")
    built = cycle_code.call(joining.build, tables, BUILD)
    if not isinstance(built, pd.DataFrame):
        raise cycle_code.FaultyCode(
            f"{BUILD} returns {type(built).__name__} instead of a data frame with a row for each event."
        )
    wanted = ["event_id", "event_time", "known_time", *features.SIGNATURE, features.LABEL]
    cycle_code.check_columns(BUILD, [*map(str, built.columns)], wanted)
    for name, kind in features.SIGNATURE.items():
        if kind == "number":
            check_numbers(built[name])
    return built


def check_numbers(column: pd.Series) -> None:
    """Raise FaultyCode if a column that the signature calls a number holds something else."""
    try:
        column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        read = pd.to_numeric(column, errors="coerce")
        row = int((read.isna() & column.notna()).to_numpy().argmax()) + 1
        raise cycle_code.FaultyCode(
            f"{BUILD} returns {column.name} as {column.dtype}, which SIGNATURE calls a number: row {row} is "
            f"the first that holds none. Convert it in joining.py, or call it a string there."
        ) from error


def refuse_repeated(event_ids: pd.Series) -> None:
    """Raise InvalidInput if a fact has no id, or became several rows: answers are matched to events by id."""
    wrong = event_ids[event_ids.duplicated() | event_ids.isna()]
    if len(wrong):
        raise InvalidInput(
            f"build of joining.py returns {len(wrong)} rows more than there are events, such as of the event "
            f"{wrong.iloc[0]!r}. Join each table by columns that are unique in it: validate='many_to_one'."
        )


def as_texts(column: pd.Series) -> pd.Series:
    """Return a column that the signature calls a string as texts, the same for 7 as for 7.0 beside a null.

    :raises InvalidInput: it holds values of several types, or of one that has no text
    """
    if column.dtype == "str":
        return column
    try:
        array = pa.array(column, from_pandas=True)
    except pa.ArrowException as error:
        raise InvalidInput(
            f"build of joining.py returns values of several types in the column {column.name} ({error}). "
            "Give it one type there, best text."
        ) from error
    refuse_type("of joining.py", str(column.name), "string", array.type)
    texts = read_column(array, "string").column.array().cast(pa.string())
    return pd.Series(texts.to_pandas(), index=column.index, dtype="str")
