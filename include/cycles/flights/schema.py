"""The tables of the flights cycle: which columns there must be, and which values are believed."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

FACTS = "flights"
TIME = "datetime64[us, UTC]"
#: a reading that differs more than this from the hours around it is a fault of the instrument, not weather
SPIKE_F = 25.0


def _number(low: float, high: float, *, nullable: bool = False) -> pa.Column:
    return pa.Column(float, pa.Check.in_range(low, high), nullable=nullable)


def _text(pattern: str, *, nullable: bool = False) -> pa.Column:
    return pa.Column(str, pa.Check.str_matches(f"^(?:{pattern})$"), nullable=nullable)


def no_spike(weather: pd.DataFrame) -> pd.Series:
    """Return whether each temperature fits the two hours before and after it at the same airport."""
    ordered = weather.sort_values("time_hour", kind="stable")
    around = ordered.groupby("origin")["temp"].transform(
        lambda temp: temp.rolling(5, center=True, min_periods=1).median()
    )
    return ((ordered["temp"] - around).abs() <= SPIKE_F).reindex(weather.index) | weather["temp"].isna()


FLIGHTS = pa.DataFrameSchema(
    {
        "year": _number(1987, 2100),
        "month": _number(1, 12),
        "day": _number(1, 31),
        "dep_time": _number(0, 2359, nullable=True),
        "sched_dep_time": _number(0, 2359),
        "arr_time": _number(0, 2359, nullable=True),
        "sched_arr_time": _number(0, 2359),
        "arr_delay": _number(-180, 2880, nullable=True),
        "carrier": _text("[A-Z0-9]{2}"),
        "flight": _number(1, 9999),
        "tailnum": _text("[A-Z0-9]{2,7}", nullable=True),
        "origin": _text("EWR|JFK|LGA"),
        "dest": _text("[A-Z]{3}"),
        "dest_timezone": _text("[A-Za-z_]+/[A-Za-z_/]+"),
        "distance": _number(1, 12000),
        "minute": _number(0, 59),
        "time_hour": pa.Column(TIME),
    }
)
WEATHER = pa.DataFrameSchema(
    {
        "origin": _text("EWR|JFK|LGA"),
        "time_hour": pa.Column(TIME),
        "temp": _number(-60, 130, nullable=True),
        "dewp": _number(-80, 100, nullable=True),
        "humid": _number(0, 100, nullable=True),
        "wind_dir": _number(0, 360, nullable=True),
        "wind_speed": _number(0, 150, nullable=True),
        "wind_gust": _number(0, 200, nullable=True),
        "precip": _number(0, 10, nullable=True),
        "pressure": _number(850, 1100, nullable=True),
        "visib": _number(0, 100, nullable=True),
    },
    checks=pa.Check(no_spike, name=f"temp differs by more than {SPIKE_F:g} F from the hours around it"),
)
PLANES = pa.DataFrameSchema(
    {
        "tailnum": _text("[A-Z0-9]{2,7}"),
        "year": _number(1930, 2100, nullable=True),
        "type": pa.Column(str, nullable=True),
        "manufacturer": pa.Column(str, nullable=True),
        "engines": _number(1, 8, nullable=True),
        "seats": _number(1, 900, nullable=True),
        "engine": pa.Column(str, nullable=True),
    }
)
TABLES: dict[str, pa.DataFrameSchema] = {"flights": FLIGHTS, "weather": WEATHER, "planes": PLANES}
