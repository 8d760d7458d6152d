"""The declared rules that clean the tables of the flights cycle."""

from __future__ import annotations

import pandas as pd

from include.ml.cleaning.rules import Rules

#: makers that merged, and spellings of one maker: what the register calls each, and what we call it
MANUFACTURERS = {
    "AIRBUS INDUSTRIE": "AIRBUS",
    "MCDONNELL DOUGLAS AIRCRAFT CO": "MCDONNELL DOUGLAS",
    "MCDONNELL DOUGLAS CORPORATION": "MCDONNELL DOUGLAS",
    "MCDONNELL DOUGLAS CORP": "MCDONNELL DOUGLAS",
    "DOUGLAS": "MCDONNELL DOUGLAS",
    "BOMBARDIER INC": "BOMBARDIER",
    "CANADAIR": "BOMBARDIER",
    "CANADAIR LTD": "BOMBARDIER",
}
#: columns that hold clock times as hhmm
CLOCKS = ("dep_time", "sched_dep_time", "arr_time", "sched_arr_time")
DAY = pd.Timedelta(days=1)
#: how some rows write the end of a day
MIDNIGHT = 2400


def midnight_is_zero(flights: pd.DataFrame) -> pd.DataFrame:
    """Write midnight as 0 where the clock says 2400."""
    return flights.assign(
        **{clock: flights[clock].where(flights[clock] != MIDNIGHT, 0.0) for clock in CLOCKS}
    )


def with_times(flights: pd.DataFrame) -> pd.DataFrame:
    """Add the event's id, its time (scheduled departure) and its known time (actual arrival)."""
    departure = flights["time_hour"] + pd.to_timedelta(flights["minute"], unit="min")
    delay = pd.to_timedelta(flights["arr_delay"], unit="min")
    known = (scheduled_arrival(flights, departure) + delay).astype(departure.dtype)
    date = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    number = flights["flight"].astype(int).astype(str)
    return flights.assign(
        event_id=date + "-" + flights["carrier"] + "-" + number + "-" + flights["origin"],
        event_time=departure,
        known_time=known,
    )


def scheduled_arrival(flights: pd.DataFrame, departure: pd.Series) -> pd.Series:
    """Return the scheduled arrival in UTC: the next time after departure on the destination's clock."""
    clock = flights["sched_arr_time"]
    of_day = pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")
    arrival = departure.copy()
    for zone, rows in flights.groupby("dest_timezone").groups.items():
        leaves = departure.loc[rows].dt.tz_convert(str(zone))
        local = leaves.dt.tz_localize(None).dt.normalize() + of_day.loc[rows]
        local += DAY * (local <= leaves.dt.tz_localize(None)).astype(int)
        arrives = local.dt.tz_localize(str(zone), ambiguous=False, nonexistent="shift_forward")
        arrival.loc[rows] = arrives.dt.tz_convert("UTC").astype(departure.dtype)
    return arrival


RULES: dict[str, Rules] = {
    "flights": Rules(
        identity=("year", "month", "day", "carrier", "flight", "origin"),
        fix=midnight_is_zero,
        derive=with_times,
    ),
    "weather": Rules(identity=("origin", "time_hour")),
    "planes": Rules(identity=("tailnum",), unify={"manufacturer": MANUFACTURERS}),
}
