"""Cleaning by declared rules: types fixed, categories unified, bad rows set aside with their reasons."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.ml import cycle_code
from include.ml.cleaning.arrow_types import (
    column_types,
    plain_column,
    plain_frame,
    plain_values,
    refuse_type,
)
from include.ml.cleaning.checks import failures, needs_whole_table, value_failures
from include.ml.cleaning.columns import Coded, Reason, read_column
from include.ml.cleaning.reading import is_true
from include.ml.exceptions import InvalidInput

#: columns of the quarantine
QUARANTINE = pa.schema(
    [
        ("table", pa.string()),
        ("row", pa.int64()),
        ("reasons", pa.list_(pa.string())),
        ("values", pa.string()),
    ]
)
#: a known time from which on there is none: "still open"
OPEN = datetime(9999, 12, 31, tzinfo=UTC)
KEEP = ("last known", "last", "first")
#: what the rules of the facts must derive, by kind; only a known time may be missing
DERIVED = {"event_id": "string", "event_time": "time", "known_time": "time"}
Reasons = defaultdict[int, list[Reason]]


def unchanged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is, for tables that need no step of their own."""
    return table


@dataclass(frozen=True)
class OnArrow:
    """A function of a cycle that takes and returns an Arrow table, several times as fast as a data frame."""

    function: Callable[[pa.Table], pa.Table]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How one table is cleaned, in this order: unify, read types, fix, validate, derive, drop duplicates."""

    #: the columns that tell a row from every other, of the schema or derived; a second row with the same
    #: values is a duplicate
    identity: tuple[str, ...]
    #: for each column, the trimmed texts to replace and by what; a number is given by its digits
    unify: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: changes values before they are validated, and keeps the rows and their order
    fix: Callable[[pd.DataFrame], pd.DataFrame] | OnArrow = unchanged
    #: adds columns to rows that are valid, and keeps the rows and their order
    derive: Callable[[pd.DataFrame], pd.DataFrame] | OnArrow = unchanged
    #: which of several rows of one identity that differ is kept: by `known_time`, where the table has one,
    #: and else by their order
    keep: Literal["last known", "last", "first"] = "last known"

    def __post_init__(self) -> None:
        """Refuse a rule that there is none of."""
        if self.keep not in KEEP:
            raise ValueError(f"Rules: keep={self.keep!r} is none of {', '.join(map(repr, KEEP))}.")


@dataclass(frozen=True)
class Cleaned:
    """What became of one chunk of a table."""

    #: valid rows, among them duplicates
    rows: pa.Table
    #: of QUARANTINE
    quarantined: pa.Table
    #: [rows] by the reasons' kinds, those of one row joined
    reasons: Counter[str]
    #: [rows] by column and spelling that was replaced
    unified: Mapping[str, Counter[str]]
    #: [rows] by column whose text had blanks around it
    trimmed: Counter[str]


class Cleaner:
    """Cleans one table chunk by chunk; duplicates are left to `Duplicates`, which sees the whole table."""

    def __init__(
        self,
        table: str,
        schema: Any,  # noqa: ANN401 - pandera has several schema types
        rules: Rules,
        within: tuple[datetime, datetime] | None = None,
    ) -> None:
        """Given `within`, the table holds facts, whose derived `event_time` has to lie in that interval."""
        self.table, self.schema, self.rules, self.within = table, schema, rules, within
        self.kinds = column_types(schema)
        unknown = sorted(set(rules.unify) - set(self.kinds))
        if unknown:
            raise InvalidInput(
                f"The rules of table {table} in cleaning.py unify {', '.join(unknown)}, which schema.py does "
                f"not name. Its columns are {', '.join(self.kinds)}."
            )
        #: whether a check looks at more than a value, so that it has to see the whole table at once
        self.needs_whole_table = needs_whole_table(schema)
        self._rows_in = 0

    def clean(self, raw: pa.Table) -> Cleaned:
        """Clean the next chunk: every row of it comes out valid or quarantined."""
        reasons: Reasons = defaultdict(list)
        read = {}
        for name, kind in self.kinds.items():
            # a column that need not be there is missing in every row
            array = raw.column(name) if name in raw.column_names else pa.nulls(raw.num_rows)
            refuse_type(self.table, name, kind, array.type)
            read[name] = read_column(array, kind, self.rules.unify.get(name))
            _add(reasons, read[name].reasons(name))
        columns = self._fix({name: column.column for name, column in read.items()}, reasons)
        self._validate({name: columns[name] for name in columns if name in raw.column_names}, reasons)
        is_valid = np.ones(raw.num_rows, dtype=bool)
        is_valid[list(reasons)] = False
        valid = pa.table({name: column.array() for name, column in columns.items()})
        rows = self._derive(valid.filter(pa.array(is_valid)), np.flatnonzero(is_valid), reasons)
        quarantined = quarantine(self.table, raw, self._rows_in, reasons)
        self._rows_in += raw.num_rows
        return Cleaned(
            rows,
            quarantined,
            Counter("; ".join(reason.kind for reason in of_row) for of_row in reasons.values()),
            {name: column.unified for name, column in read.items() if column.unified},
            Counter({name: column.trimmed for name, column in read.items() if column.trimmed}),
        )

    def _fix(self, columns: dict[str, Coded], reasons: Reasons) -> dict[str, Coded]:
        if self.rules.fix is unchanged:
            return columns
        table = pa.table({name: column.array() for name, column in columns.items()})
        fixed = self._apply("fix", table)
        cycle_code.check_columns(
            f"fix of table {self.table} in cleaning.py", fixed.column_names, [*self.kinds]
        )
        again = {name: read_column(fixed.column(name), kind) for name, kind in self.kinds.items()}
        for name, column in again.items():
            _add(reasons, column.reasons(name))
        return {name: column.column for name, column in again.items()}

    def _validate(self, columns: Mapping[str, Coded], reasons: Reasons) -> None:
        if self.needs_whole_table:
            table = plain_frame(pa.table({name: column.array() for name, column in columns.items()}))
            name = f"table {self.table}"
            broken = cycle_code.call(
                lambda tables: failures(tables[name], self.schema),
                {name: table},
                f"A check of {name} in schema.py",
            )
        else:
            broken = cycle_code.call(
                lambda _: value_failures(columns, self.schema),
                {},
                f"A check of table {self.table} in schema.py",
            )
        for row, of_row in broken.items():
            reasons[row] += of_row

    def _derive(self, valid: pa.Table, places: np.ndarray, reasons: Reasons) -> pa.Table:
        """Return the valid rows with what is derived; those that break a bound get a reason.

        :param places: the rows' places in the chunk
        """
        derived = self._apply("derive", valid)
        lost = [name for name in self.rules.identity if name not in derived.column_names]
        absent = [name for name in DERIVED if self.within and name not in derived.column_names]
        if lost or absent:
            raise InvalidInput(
                f"Table {self.table}: derive of cleaning.py returns no column {', '.join(lost + absent)}. "
                f"Its rows need their identity{', and facts ' + ', '.join(DERIVED) if self.within else ''}."
            )
        columns: dict[str, pa.Array] = {}
        broken: Reasons = defaultdict(list)
        for name in derived.column_names:
            is_old = name in valid.column_names and derived.column(name).equals(valid.column(name))
            columns[name], beyond = self._bounded(name, derived.column(name), is_old=is_old)
            _add(broken, beyond)
        if self.within:
            columns["known_time"] = open_is_missing(columns["known_time"])
            _add(broken, outside(columns, self.within))
        for row, of_row in broken.items():
            reasons[int(places[row])] += of_row
        kept = np.ones(len(places), dtype=bool)
        kept[list(broken)] = False
        rows = pa.table(columns)
        return rows if kept.all() else rows.filter(pa.array(kept))

    def _bounded(
        self, name: str, column: pa.ChunkedArray, *, is_old: bool
    ) -> tuple[pa.Array, list[tuple[int, Reason]]]:
        """Return a column within the bounds of later steps, and rows with reasons of what lies outside."""
        array = plain_column(column)
        kind = DERIVED.get(name) if self.within else None
        if kind is None and not is_old:
            of_type = {"number": pa.types.is_floating, "time": pa.types.is_timestamp}
            kind = next((kind for kind, is_kind in of_type.items() if is_kind(array.type)), None)
        if kind is None:
            return array, []
        refuse_type(self.table, name, kind, array.type)
        read = read_column(array, kind)
        return read.column.array(), list(read.reasons(name))

    def _apply(self, which: Literal["fix", "derive"], table: pa.Table) -> pa.Table:
        """Return what a function of the cycle makes of a table."""
        function = getattr(self.rules, which)
        if function is unchanged:
            return table
        given = table if isinstance(function, OnArrow) else plain_frame(table)
        own, name = function.function if isinstance(function, OnArrow) else function, f"table {self.table}"
        changed = cycle_code.call(
            lambda tables: own(tables[name]), {name: given}, f"{which} of {name} in cleaning.py"
        )
        if type(changed) is not type(given):
            raise cycle_code.FaultyCode(
                f"{which} of {name} in cleaning.py returns {type(changed).__name__} instead of the changed "
                f"{type(given).__name__} of {type(given).__module__.partition('.')[0]}. Return that."
            )
        if not isinstance(function, OnArrow):
            changed = self._as_arrow(which, changed)
        if changed.num_rows != table.num_rows:
            raise InvalidInput(
                f"Table {self.table}: {which} of cleaning.py returns {changed.num_rows} of {table.num_rows} "
                "rows. It must keep every row: rows are left out by a check in schema.py."
            )
        return changed.replace_schema_metadata(None)

    def _as_arrow(self, which: str, frame: pd.DataFrame) -> pa.Table:
        try:
            return pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise cycle_code.FaultyCode(
                f"{which} of table {self.table} in cleaning.py returns a column with values of several types "
                f"({cycle_code.shown_error(error)}). Give each column one type."
            ) from error


def _add(reasons: Reasons, more: Iterator[tuple[int, Reason]] | Sequence[tuple[int, Reason]]) -> None:
    for row, reason in more:
        reasons[row].append(reason)


def open_is_missing(known_time: pa.Array) -> pa.Array:
    """Return known times without 9999-12-31, by which sources say that nothing is known yet."""
    is_open = pc.greater_equal(known_time, pa.scalar(OPEN, known_time.type))
    return pc.if_else(is_open, pa.scalar(None, known_time.type), known_time)


def outside(
    columns: Mapping[str, pa.Array], within: tuple[datetime, datetime]
) -> Iterator[tuple[int, Reason]]:
    """Yield the facts without id or time, and those whose `event_time` is not in `[start, end)`."""
    for name in ("event_id", "event_time"):
        for row in np.flatnonzero(columns[name].is_null().to_numpy(zero_copy_only=False)).tolist():
            yield row, Reason(f"{name}: missing", f"{name}: missing")
    times, (start, end) = columns["event_time"], within
    low, high = (pa.scalar(moment, times.type) for moment in within)
    is_outside = pc.or_(pc.less(times, low), pc.greater_equal(times, high))
    for row in np.flatnonzero(is_true(is_outside)).tolist():
        text = f"event_time {times[row].as_py()} lies outside {start.isoformat()} to {end.isoformat()}"
        yield row, Reason("event_time: lies outside the interval", text)


def quarantine(
    table: str, raw: pa.Table, first_row: int, reasons: Mapping[int, Sequence[Reason]]
) -> pa.Table:
    """Return the rows that have a reason, with their original values as JSON, so that they can be replayed.

    Examples
    --------
    >>> raw = pa.table({"temp": ["39", "warm"]})
    >>> why = Reason("temp: is no number", "temp: 'warm' is no number")
    >>> quarantine("weather", raw, 100, {1: [why]}).drop("table").to_pylist()
    [{'row': 101, 'reasons': ["temp: 'warm' is no number"], 'values': '{"temp": "warm"}'}]
    """
    bad = sorted(reasons)
    chosen = raw.take(pa.array(bad, pa.int64()))
    cells = [plain_values(column) for column in chosen.columns]
    values = [json.dumps(dict(zip(raw.column_names, row, strict=True))) for row in zip(*cells, strict=True)]
    return pa.table(
        [
            [table] * len(bad),
            [first_row + row for row in bad],
            [[reason.text for reason in reasons[row]] for row in bad],
            values,
        ],
        schema=QUARANTINE,
    )


def top_reasons(reasons: Counter[str], n: int = 3) -> str:
    """Return the most frequent reasons with their counts, for people.

    Examples
    --------
    >>> top_reasons(Counter({"temp: no number": 3, "humid: missing": 5}))
    '5 x humid: missing, 3 x temp: no number'
    """
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:n]
    return ", ".join(f"{count} x {reason}" for reason, count in ordered)
