"""The one door to the functions of a cycle's package: their faults are told by file, table and row.

Every step that lets the cycle's own code work on its tables calls it here. Serving, which must lose no
time, calls `combine` itself and says by `limits.explain_failure` which row of a request it was.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import numpy as np

from include.ml.exceptions import InvalidInput

#: one table as functions take them: a data frame, an Arrow table, or an array for each column; serving
#: imports neither pandas nor pyarrow, so that neither is named here
Table: TypeAlias = Any
Result = TypeVar("Result")

#: calls by which the first row that a function cannot bear is looked for, in each table
SEARCH_CALLS = 20
#: column names that a message shows, and characters of what was raised
SHOWN_COLUMNS, SHOWN_CHARACTERS = 12, 200
#: the package of the cycles
CYCLES = "include.cycles."


class FaultyCode(InvalidInput):
    """The cycle's own code raised, or gave back what no step can use; the cause has the traceback."""


def call(
    function: Callable[[Mapping[str, Table]], Result], tables: Mapping[str, Table], which: str
) -> Result:
    """Return what a function of a cycle makes of tables.

    Parameters
    ----------
    function
        Calls it; must not keep anything, since it is called again with fewer rows to find the row at fault.
    tables
        What it is given, by the names that the user knows.
    which
        Function and file for the message, such as `build of joining.py`.

    Raises
    ------
    FaultyCode
        It raised. An `InvalidInput` that it raises on purpose stays what it is.
    """
    try:
        return function(tables)
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:
        told = [f"{which} raised {shown_error(error)}{_place(error.__traceback__)}.", _about(error, tables)]
        told += [_first_row(function, tables, type(error))]
        raise FaultyCode(" ".join(filter(None, told))) from error


def check_columns(which: str, columns: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise FaultyCode if a function's result lacks a column, with the name that it may have meant."""
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise FaultyCode(
            f"{which} returns no {_named('column', missing)}{_meant(missing[0], columns)}. It returns "
            f"{_listed(columns)}. Return the missing as well."
        )


def check_combined(which: str, combined: object, names: Sequence[str], rows: int) -> dict[str, np.ndarray]:
    """Return combined attributes as arrays of doubles, one value per row.

    :raises FaultyCode: an attribute is missing, is no number, has another length, or is infinite in all rows
    """
    if not isinstance(combined, Mapping):
        raise FaultyCode(
            f"{which} returns {type(combined).__name__} instead of a dict with an array for each name of "
            f"COMBINED: {_listed(names)}."
        )
    check_columns(which, [*combined], names)
    numbers = {}
    for name in names:
        try:
            array = np.asarray(combined[name], dtype=float)
        except (TypeError, ValueError) as error:
            raise FaultyCode(
                f"{which} returns for {name} what is no array of numbers: {shown_error(error)}."
            ) from error
        if array.shape != (rows,):
            shape = "one number" if array.ndim == 0 else f"an array of shape {array.shape}"
            raise FaultyCode(
                f"{which} returns for {name} {shape} instead of a value for each of the {rows} rows. "
                "Compute with whole columns; np.full(len(column), value) repeats a constant."
            )
        if rows and np.isinf(array).all():
            raise FaultyCode(
                f"{which} returns infinity for {name} in all {rows} rows. Look for a division by zero; NaN "
                "says that a value is missing."
            )
        numbers[name] = array
    return numbers


def doubtful_numbers(columns: Mapping[str, np.ndarray]) -> str:
    """Return a sentence about the columns in which an estimator may find missing or infinite numbers."""
    facts = []
    for state, is_so in (("infinite", np.isinf), ("missing", np.isnan)):
        for name, values in columns.items():
            if values.dtype.kind == "f" and (marked := is_so(values)).any():
                facts.append(f"{name} is {state} in {marked.sum()} rows (first in row {marked.argmax() + 1})")
    shown, more = facts[:SHOWN_COLUMNS], len(facts) - SHOWN_COLUMNS
    text = "; ".join(shown) + (f"; {more} more" if more > 0 else "")
    return f"Of the {len(next(iter(columns.values()), ()))} rows, {text}." if facts else ""


def shown_error(error: BaseException) -> str:
    """Return an exception's type and the beginning of its text."""
    text = " ".join(str(error).split())
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " ..."
    return f"{type(error).__name__}: {cut}" if cut else type(error).__name__


def _place(trace: TracebackType | None) -> str:
    """Return where in the cycle's package it happened, the innermost of its lines; empty if nowhere there."""
    names = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(trace)]
    lines = traceback.extract_tb(trace)
    own = [line for name, line in zip(names, lines, strict=True) if name.startswith(CYCLES)]
    if not own:
        return ""
    text = f": {own[-1].line}" if own[-1].line else ""
    return f" in {own[-1].filename.rpartition('/')[2]}, line {own[-1].lineno}, in {own[-1].name}{text}"


def _about(error: Exception, tables: Mapping[str, Table]) -> str:
    """Return what the tables look like; of a name that none of them has, what was probably meant."""
    by_table = {name: _columns(table) for name, table in tables.items()}
    if isinstance(error, KeyError) and error.args and isinstance(wanted := error.args[0], str):
        every = [*by_table, *(column for columns in by_table.values() for column in columns)]
        if wanted not in every and (meant := _meant(wanted, every)):
            return f"There is no {wanted!r}{meant}."
    facts = [f"{name} ({_rows(table)} rows: {_listed(by_table[name])})" for name, table in tables.items()]
    return f"It was given {'; '.join(facts)}." if facts else ""


def _first_row(
    function: Callable[[Mapping[str, Table]], object], tables: Mapping[str, Table], kind: type[Exception]
) -> str:
    """Return which row of a table has to be left out, with all behind it, for the function not to raise."""

    def fails(name: str, rows: int) -> bool:
        try:
            function({**tables, name: _head(tables[name], rows)})
        except kind:
            return True
        except Exception:  # noqa: BLE001 - fewer rows are another fault, which is not the one looked for
            return False
        return False

    for name, table in tables.items():
        low, high = 0, _rows(table)
        if not high or fails(name, 0):
            continue
        for _ in range(SEARCH_CALLS):
            if high - low <= 1:
                break
            middle = (low + high) // 2
            low, high = (low, middle) if fails(name, middle) else (middle, high)
        if high - low > 1:
            return f"The first row of {name} at fault is one of {low + 1} to {high}."
        return f"The first row of {name} at fault is row {high}."
    return ""


def _columns(table: Table) -> list[str]:
    return [str(name) for name in (table.column_names if hasattr(table, "column_names") else table.keys())]


def _rows(table: Table) -> int:
    return len(next(iter(table.values()), ())) if isinstance(table, Mapping) else len(table)


def _head(table: Table, rows: int) -> Table:
    if isinstance(table, Mapping):
        return {name: values[:rows] for name, values in table.items()}
    return table.iloc[:rows] if hasattr(table, "iloc") else table.slice(0, rows)


def _meant(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _named(kind: str, names: Sequence[str]) -> str:
    return f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_COLUMNS
    return ", ".join(names[:SHOWN_COLUMNS]) + (f" and {more} more" if more > 0 else "")
