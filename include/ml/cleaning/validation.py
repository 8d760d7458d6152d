"""Validation row by row: a pandera schema applied, and its findings as one reason per row."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.errors


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
