"""Cleaning by declared rules: types fixed, categories unified, bad rows set aside with their reasons."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors

#: columns of the quarantine
QUARANTINE = ("table", "row", "reason", "values")


def unchanged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is, for tables that need no step of their own."""
    return table


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How one table is cleaned, in this order: unify, read types, fix, validate, drop duplicates, derive."""

    #: the columns that tell a row from every other; a second row with the same values is a duplicate
    identity: tuple[str, ...]
    #: for each column of text, the spellings to replace and by what
    unify: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: changes values before they are validated
    fix: Callable[[pd.DataFrame], pd.DataFrame] = unchanged
    #: adds columns to rows that are valid
    derive: Callable[[pd.DataFrame], pd.DataFrame] = unchanged


def unify(table: pd.DataFrame, spellings: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Trim all text, and replace the declared spellings.

    Examples
    --------
    >>> table = pd.DataFrame({"country": ["US", " United States ", "France"]})
    >>> unify(table, {"country": {"United States": "US"}})["country"].tolist()
    ['US', 'US', 'France']
    """
    text = {
        column: table[column].str.strip().replace(dict(spellings.get(column, {})))
        for column in table.columns
        if pd.api.types.is_string_dtype(table[column].dtype)
    }
    return table.assign(**text)


def read_types(table: pd.DataFrame, types: Mapping[str, str]) -> tuple[pd.DataFrame, pd.Series]:
    """Give every column its type; a value that cannot be read becomes missing, with a reason.

    Parameters
    ----------
    table
        Rows with any types, often text.
    types
        For each column: "number", "string" or "time".

    Returns
    -------
    The table with float, str and datetime64[us, UTC] columns, and each row's reasons joined by "; ", or "".

    Examples
    --------
    >>> table, reasons = read_types(pd.DataFrame({"temp": ["39.02", "warm"]}), {"temp": "number"})
    >>> table["temp"].tolist(), reasons.tolist()
    ([39.02, nan], ['', "temp: 'warm' is no number"])
    """
    reasons = pd.Series("", index=table.index, dtype=object)
    columns = {}
    for name, kind in types.items():
        columns[name] = _read(table[name], kind)
        unread = table[name].notna() & columns[name].isna()
        for row in table.index[unread]:
            reasons[row] += f"; {name}: {table.loc[row, name]!r} is no {kind}"
    return pd.DataFrame(columns, index=table.index), reasons.str.removeprefix("; ")


def _read(values: pd.Series, kind: str) -> pd.Series:
    if kind == "number":
        number = pd.to_numeric(values, errors="coerce").astype(float)
        return number.where(np.isfinite(number))
    if kind == "time":
        return pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601").astype(
            "datetime64[us, UTC]"
        )
    return values.astype("str")


def quarantine(table: str, raw: pd.DataFrame, first_row: int, reasons: pd.Series) -> pd.DataFrame:
    """Return the rows that have a reason, with their original values as JSON, so that they can be replayed.

    Examples
    --------
    >>> raw = pd.DataFrame({"temp": ["39", "warm"]})
    >>> quarantine("weather", raw, 100, pd.Series(["", "no number"])).to_dict("records")
    [{'table': 'weather', 'row': 101, 'reason': 'no number', 'values': '{"temp": "warm"}'}]
    """
    bad = np.flatnonzero((reasons != "").to_numpy())
    values = [json.dumps(_plain(row)) for row in raw.iloc[bad].to_dict("records")]
    columns = {
        "table": pd.Series([table] * len(bad), dtype="str"),
        "row": pd.Series(bad + first_row, dtype="int64"),
        "reason": pd.Series(reasons.iloc[bad].tolist(), dtype="str"),
        "values": pd.Series(values, dtype="str"),
    }
    return pd.DataFrame(columns)


def _plain(row: Mapping[Any, Any]) -> dict[str, object]:
    return {str(name): _json(value) for name, value in row.items()}


def _json(value: Any) -> object:  # noqa: ANN401 - a cell of any column
    if pd.isna(value):
        return None
    return value if isinstance(value, int | float | str | bool) else str(value)


class Identities:
    """Remembers which rows have been seen, by a 64-bit hash of each, however wide a row is."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def are_duplicates(self, rows: pd.DataFrame) -> pd.Series:
        """Return whether each row equals an earlier one, of this call or of one before.

        Examples
        --------
        >>> seen = Identities()
        >>> seen.are_duplicates(pd.DataFrame({"id": [1, 2, 1]})).tolist()
        [False, False, True]
        >>> seen.are_duplicates(pd.DataFrame({"id": [3, 2]})).tolist()
        [False, True]
        """
        duplicate = []
        for identity in pd.util.hash_pandas_object(rows, index=False).tolist():
            duplicate.append(identity in self._seen)
            self._seen.add(identity)
        return pd.Series(duplicate, index=rows.index, dtype=bool)


@dataclass(frozen=True)
class Cleaned:
    """What became of one chunk of a table."""

    rows: pd.DataFrame
    quarantined: pd.DataFrame
    n_duplicate: int


class Cleaner:
    """Cleans one table chunk by chunk; remembers identities across chunks."""

    def __init__(
        self,
        table: str,
        schema: object,
        rules: Rules,
        within: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    ) -> None:
        """Given `within`, the derived `event_time` has to lie in that interval."""
        self.table, self.schema, self.rules, self.within = table, schema, rules, within
        self._identities = Identities()
        self._rows_in = 0

    def clean(self, raw: pd.DataFrame) -> Cleaned:
        """Clean the next chunk: every row of it comes out valid, quarantined, or counted as a duplicate."""
        raw = raw.reset_index(drop=True)
        types = column_types(self.schema)
        typed, reasons = read_types(unify(raw[list(types)], self.rules.unify), types)
        fixed = self.rules.fix(typed)
        reasons = _both(reasons, failures(fixed, self.schema))
        valid = fixed[reasons == ""]
        is_duplicate = self._identities.are_duplicates(valid[list(self.rules.identity)])
        derived = self.rules.derive(valid[~is_duplicate])
        if self.within is not None:
            outside = outside_interval(derived["event_time"], *self.within)
            reasons = _both(reasons, outside.reindex(raw.index, fill_value=""))
            derived = derived[outside == ""]
        quarantined = quarantine(self.table, raw, self._rows_in, reasons)
        self._rows_in += len(raw)
        return Cleaned(derived.reset_index(drop=True), quarantined, int(is_duplicate.sum()))


def _both(first: pd.Series, second: pd.Series) -> pd.Series:
    return (first + "; " + second).str.removeprefix("; ").str.removesuffix("; ")


def outside_interval(event_time: pd.Series, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
    """For each time the reason why it is not in `[start, end)`, or ""."""
    outside = ~((event_time >= start) & (event_time < end))
    text = "event_time " + event_time.astype(str) + f" lies outside {start.isoformat()} to {end.isoformat()}"
    return text.astype(object).where(outside, "")


def column_types(schema: object) -> dict[str, str]:
    """Return the columns of a pandera schema as "number", "string" or "time"."""
    columns = schema.columns  # type: ignore[attr-defined]
    return {name: _kind(name, str(column.dtype)) for name, column in columns.items()}


def _kind(name: str, dtype: str) -> str:
    if dtype.startswith("float"):
        return "number"
    if dtype.startswith("datetime64"):
        return "time"
    if dtype.startswith("str"):
        return "string"
    raise TypeError(f"Column {name} has type {dtype}: a schema uses float, str or datetime64[us, UTC].")


def top_reasons(reasons: Counter[str], n: int = 3) -> str:
    """Return the most frequent reasons with their counts, for people.

    Examples
    --------
    >>> top_reasons(Counter({"temp: no number": 3, "humid: missing": 5}))
    '5 x humid: missing, 3 x temp: no number'
    """
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:n]
    return ", ".join(f"{count} x {reason}" for reason, count in ordered)


def failures(table: pd.DataFrame, schema: Any) -> pd.Series:  # noqa: ANN401 - pandera has several schema types
    """For each row why it breaks the schema, findings joined by "; ", or "" where it does not.

    Parameters
    ----------
    table
        Rows whose columns have the schema's types already; a unique index.
    schema
        A pandera DataFrameSchema. A check over whole rows has to answer with one boolean per row.

    Raises
    ------
    pandera.errors.SchemaErrors
        When a finding concerns no single row, such as a column of another type: a fault of the caller.

    Examples
    --------
    >>> import pandera.pandas as pa
    >>> schema = pa.DataFrameSchema({"humid": pa.Column(float, pa.Check.in_range(0, 100))})
    >>> failures(pd.DataFrame({"humid": [40.0, 140.0, None]}), schema).tolist()
    ['', 'humid: 140.0 fails in_range(0, 100)', 'humid: missing']
    """
    reasons = pd.Series("", index=table.index, dtype=object)
    try:
        schema.validate(table, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        if cases["index"].isna().any():
            raise
        rows = [_reason(case) for case in cases.to_dict("records")]
        found = pd.DataFrame({"row": cases["index"].to_numpy(), "reason": rows}).drop_duplicates()
        joined = found.sort_values(["row", "reason"]).groupby("row")["reason"].agg("; ".join)
        reasons.loc[joined.index] = joined.astype(object)
    return reasons


def _reason(case: dict[Any, Any]) -> str:
    if case["schema_context"] == "DataFrameSchema":
        return str(case["check"])
    if case["check"] == "not_nullable":
        return f"{case['column']}: missing"
    return f"{case['column']}: {case['failure_case']!r} fails {case['check']}"
