"""Combined attributes are the same for one row and for many, and safe for missing values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.cycles.flights import features

COLUMNS = (
    "temp_f",
    "dewp_f",
    "humid_pct",
    "precip_in",
    "wind_dir_deg",
    "scheduled_departure_min",
    "scheduled_arrival_min",
)


def row(**change: float) -> dict[str, np.ndarray]:
    """A cold wet hour."""
    values = dict(zip(COLUMNS, (28.4, 26.6, 93.0, 0.02, 40.0, 1380.0, 60.0), strict=True)) | change
    return {name: np.array([value]) for name, value in values.items()}


def test_cold_and_wet_is_told() -> None:
    """Freezing by the wet-bulb temperature and with precipitation, only both together."""
    flags = [
        features.combine(row(**change))["is_freezing_and_wet"][0]
        for change in ({}, {"precip_in": 0.0}, {"temp_f": 50.0})
    ]
    assert flags == [1.0, 0.0, 0.0]


def test_a_flight_over_midnight_has_its_duration() -> None:
    """From 23:00 to 01:00 are two hours."""
    assert features.combine(row())["scheduled_duration_min"].tolist() == [120.0]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_value_stays_missing(column: str) -> None:
    """What depends on a missing value is missing, without a warning; the rest is there."""
    whole, partial = features.combine(row()), features.combine(row(**{column: float("nan")}))
    assert any(np.isnan(values[0]) for values in partial.values())
    assert all(np.isnan(values[0]) or values[0] == whole[name][0] for name, values in partial.items())


NUMBER = st.one_of(st.just(float("nan")), st.floats(0, 100))


@given(st.lists(st.tuples(*[NUMBER] * len(COLUMNS)), min_size=1, max_size=20))
def test_one_row_gets_what_a_table_gets(rows: list[tuple[float, ...]]) -> None:
    """Serving calls it with one row, training with a table: the numbers are the same to the last bits."""
    table = {name: np.array([values[place] for values in rows]) for place, name in enumerate(COLUMNS)}
    together = features.combine(table)
    for place in range(len(rows)):
        alone = features.combine({name: column[place : place + 1] for name, column in table.items()})
        for name in features.COMBINED:
            np.testing.assert_allclose(alone[name][0], together[name][place], rtol=1e-12, atol=1e-12)


def test_names_and_order_are_declared() -> None:
    """COMBINED tells what combine gives."""
    assert tuple(features.combine(row())) == features.COMBINED
