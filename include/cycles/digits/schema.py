"""The table of the digits cycle: which columns there must be, and which values are believed."""

from __future__ import annotations

import pandera.pandas as pa

from include.cycles.digits.features import DARKEST, PIXELS

FACTS = "digits"


def _number(low: float, high: float) -> pa.Column:
    return pa.Column(float, pa.Check.in_range(low, high))


TABLES: dict[str, pa.DataFrameSchema] = {
    "digits": pa.DataFrameSchema(
        {
            "image": _number(0, 1_000_000),
            **{name: _number(0, DARKEST) for name in PIXELS},
            "written_at": pa.Column("datetime64[us, UTC]"),
            "digit": pa.Column(float, pa.Check.isin([float(digit) for digit in range(10)])),
        }
    )
}
