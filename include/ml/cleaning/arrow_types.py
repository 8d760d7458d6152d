"""Which of Arrow's types a schema's numbers, texts and times are read from, and the plain form of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as pt

from include.ml.exceptions import InvalidInput


def column_types(schema: Any) -> dict[str, str]:  # noqa: ANN401 - pandera has several schema types
    """Return the columns of a pandera schema as "number", "string" or "time"."""
    return {name: _kind(name, str(column.dtype)) for name, column in schema.columns.items()}


def _kind(name: str, dtype: str) -> str:
    if dtype.startswith("float"):
        return "number"
    if dtype.startswith("datetime64"):
        return "time"
    if dtype.startswith("str"):
        return "string"
    raise TypeError(f"Column {name} has type {dtype}: a schema uses float, str or datetime64[us, UTC].")


def refuse_type(table: str, column: str, kind: str, arrow_type: pa.DataType) -> None:
    """Raise InvalidInput if a column of this type cannot be read as `kind`."""
    if readable(arrow_type, kind):
        return
    advice = {
        "number": "A number is an integer, a float, a decimal, a boolean or text",
        "time": "A time is a timestamp, a date (its midnight in UTC) or ISO 8601 text",
        "string": "A text is text, UTF-8 bytes, a number, a boolean, a date or a time",
    }[kind]
    raise InvalidInput(
        f"Table {table}, column {column}: type {arrow_type} cannot be read as a {kind}. {advice}. "
        "Write it so in the source, or leave the column out of schema.py."
    )


def readable(arrow_type: pa.DataType, kind: str) -> bool:
    """Return whether values of a type can be read as a number, a string or a time."""
    if pt.is_dictionary(arrow_type) or pt.is_run_end_encoded(arrow_type):
        return readable(arrow_type.value_type, kind)
    if isinstance(arrow_type, pa.BaseExtensionType):
        # JSON is text; how a period or a UUID is stored is not what it says
        return is_text(arrow_type.storage_type)
    is_moment = pt.is_timestamp(arrow_type) or pt.is_date(arrow_type)
    is_number = any(
        check(arrow_type) for check in (pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_boolean)
    )
    if is_text(arrow_type) or pt.is_null(arrow_type):
        return True
    if kind == "string":
        return is_moment or is_number or is_bytes(arrow_type) or pt.is_time(arrow_type)
    return is_number if kind == "number" else is_moment


def is_text(arrow_type: pa.DataType) -> bool:
    """Return whether a type is text of any width."""
    return bool(pt.is_string(arrow_type) or pt.is_large_string(arrow_type) or pt.is_string_view(arrow_type))


def is_bytes(arrow_type: pa.DataType) -> bool:
    """Return whether a type is bytes of any width."""
    checks = (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary, pt.is_binary_view)
    return any(check(arrow_type) for check in checks)


def plain_column(array: pa.Array) -> pa.Array:
    """Return a column in a type that Parquet keeps: no extension, view, run or wide text; no null type.

    Examples
    --------
    >>> plain_column(pa.array(["a"], pa.large_string())).type, plain_column(pa.nulls(1)).type
    (DataType(string), DataType(string))
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pt.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pt.is_dictionary(array.type) and not (
        pt.is_string(array.type.value_type) and array.dictionary.null_count == 0
    ):
        array = array.cast(array.type.value_type)
    if is_text(array.type) or pt.is_null(array.type):
        return array.cast(pa.string())
    return array.cast(pa.binary()) if is_bytes(array.type) else array


def plain_frame(table: pa.Table) -> pd.DataFrame:
    """Return a data frame with plain texts, and with integers that stay integers beside a null.

    Examples
    --------
    >>> plain_frame(pa.table({"id": [9007199254740993, None]}))["id"].tolist()
    [9007199254740993, <NA>]
    """
    columns = {name: plain_series(table.column(name)) for name in table.column_names}
    return pd.DataFrame(columns, columns=table.column_names)


def plain_series(column: pa.ChunkedArray) -> pd.Series:
    """Return a column as pandas has it, without its dictionary and without rounding."""
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    series: pd.Series = column.to_pandas()
    if pt.is_integer(column.type) and column.null_count:
        name = str(column.type).replace("uint", "UInt").replace("int", "Int")
        series = pd.Series(pd.array(column.to_pylist(), dtype=name))
    return series


def plain_values(column: pa.Array) -> list[object]:
    """Return a column's values as JSON can hold them; what is no number, boolean or text is its text."""
    array = plain_column(column)
    try:
        values = array.to_pylist()
    except (ValueError, OverflowError):  # times that Python cannot hold
        values = array.cast(pa.string()).to_pylist()
    return [_json(value) for value in values]


def _json(value: object) -> object:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, float) and np.isinf(value):
        return str(value)
    return value if isinstance(value, int | float | str | bool) else str(value)
