"""Checks of a pandera schema: by distinct values where they look at one value, and else over whole tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors

from include.ml.cleaning.columns import Coded, Reason, check_fault, fault_reasons
from include.ml.cycle_code import FaultyCode

#: pandera's checks that look at each value for itself
CHECKS_OF_VALUES = frozenset(
    {
        *("equal_to", "not_equal_to", "greater_than", "greater_than_or_equal_to", "less_than"),
        *("less_than_or_equal_to", "in_range", "isin", "notin"),
        *("str_matches", "str_contains", "str_startswith", "str_endswith", "str_length"),
    }
)


def needs_whole_table(schema: Any) -> bool:  # noqa: ANN401
    """Return whether a pandera schema has a check whose answer depends on more than one value."""
    of_columns = any(
        column.unique or not all(is_check_of_values(check) for check in column.checks)
        for column in schema.columns.values()
    )
    return bool(schema.checks or schema.unique or of_columns)


def is_check_of_values(check: Any) -> bool:  # noqa: ANN401
    """Return whether a check looks at each value for itself."""
    is_own = check.element_wise or (check.name in CHECKS_OF_VALUES and bool(check.statistics))
    has_options = check.groupby or not check.ignore_na or check.raise_warning or check.n_failure_cases
    return bool(is_own and not has_options)


def value_failures(columns: Mapping[str, Coded], schema: Any) -> dict[int, list[Reason]]:  # noqa: ANN401
    """Return why rows break a schema whose checks look at single values, by row, in order."""
    broken: defaultdict[int, set[Reason]] = defaultdict(set)
    for name, column in columns.items():
        if not schema.columns[name].nullable:
            for row in np.flatnonzero(column.is_missing()).tolist():
                broken[row].add(Reason(f"{name}: missing", f"{name}: missing"))
        for check in schema.columns[name].checks:
            fault = check_fault(column, check)
            for row, reason in fault_reasons(name, column, fault) if fault else ():
                broken[row].add(reason)
    return {row: sorted(reasons, key=lambda reason: reason.text) for row, reasons in broken.items()}


def failures(table: pd.DataFrame, schema: Any) -> dict[int, list[Reason]]:  # noqa: ANN401
    """Return why rows break a schema, by row, in the order of their texts.

    Parameters
    ----------
    table
        Rows whose columns have the schema's types already, counted from 0.
    schema
        A pandera DataFrameSchema. A check over whole rows has to answer with one boolean per row.

    Raises
    ------
    FaultyCode
        When a finding concerns no single row: a check raised, or the table has a column of another type.

    Examples
    --------
    >>> import pandera.pandas as pandera
    >>> schema = pandera.DataFrameSchema({"humid": pandera.Column(float, pandera.Check.in_range(0, 100))})
    >>> found = failures(pd.DataFrame({"humid": [40.0, 140.0, None]}), schema)
    >>> {row: [reason.text for reason in reasons] for row, reasons in found.items()}
    {1: ['humid: 140.0 fails in_range(0, 100)'], 2: ['humid: missing']}
    """
    broken: defaultdict[int, set[Reason]] = defaultdict(set)
    try:
        schema.validate(table, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        of_no_row = cases[cases["index"].isna()]
        if len(of_no_row):
            case = of_no_row.iloc[0]
            raise FaultyCode(
                f"The check {case['check']} of {case['column']} in schema.py tells of no row what is wrong: "
                f"{case['failure_case']}. A check answers with one boolean per row."
            ) from error
        for case in cases.to_dict("records"):
            broken[int(case["index"])].add(_reason(case))
    return {row: sorted(broken[row], key=lambda reason: reason.text) for row in sorted(broken)}


def _reason(case: dict[Any, Any]) -> Reason:
    if case["schema_context"] == "DataFrameSchema":
        return Reason(str(case["check"]), str(case["check"]))
    if case["check"] == "not_nullable":
        return Reason(f"{case['column']}: missing", f"{case['column']}: missing")
    return Reason(
        f"{case['column']}: fails {case['check']}",
        f"{case['column']}: {case['failure_case']!r} fails {case['check']}",
    )
