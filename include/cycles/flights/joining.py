"""How the cleaned tables become rows of the flights model; only jobs that read tables need this."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from include.cycles.flights.features import LABEL, SIGNATURE
from include.ml.cleaning.sent import Sent

#: a flight is late when it arrives more than this after schedule
LATE_AFTER_MIN = 15
#: columns of the weather table and their names in the signature
WEATHER = {
    "temp": "temp_f",
    "dewp": "dewp_f",
    "humid": "humid_pct",
    "wind_dir": "wind_dir_deg",
    "wind_speed": "wind_speed_mph",
    "wind_gust": "wind_gust_mph",
    "precip": "precip_in",
    "pressure": "pressure_mb",
    "visib": "visib_mi",
}
#: columns of the planes table and their names in the signature
PLANES = {
    "year": "plane_year",
    "type": "plane_type",
    "manufacturer": "manufacturer",
    "engine": "engine",
    "seats": "seats",
}

#: which cleaning rules hold for what clients send
SENT = Sent(
    columns={
        "distance_mi": ("flights", "distance"),
        **{name: ("weather", column) for column, name in WEATHER.items()},
        **{name: ("planes", column) for column, name in PLANES.items()},
    }
)


def build(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per flight of a cleaned partition: event id, times, signature and label.

    Weather is that of the scheduled hour at the origin (as if forecast); planes are the partition's own
    table, so each flight meets the aircraft register as it was fetched with it. A flight without either keeps
    its row, with missing values. The label is missing for cancelled and diverted flights. There is no month
    among the columns: the month to predict is always one that the model has never seen.
    """
    flights = tables["flights"]
    weather = tables["weather"][["origin", "time_hour", *WEATHER]].rename(columns=WEATHER)
    planes = tables["planes"][["tailnum", *PLANES]].rename(columns=PLANES)
    joined = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    joined = joined.merge(planes, on="tailnum", how="left", validate="many_to_one")
    local = pd.to_datetime(joined[["year", "month", "day"]])
    late = (joined["arr_delay"] > LATE_AFTER_MIN).astype(float).where(joined["arr_delay"].notna())
    return joined.assign(
        weekday=local.dt.day_of_week.astype(float),
        scheduled_departure_min=_minutes(joined["sched_dep_time"]),
        scheduled_arrival_min=_minutes(joined["sched_arr_time"]),
        distance_mi=joined["distance"],
        hour_departures=joined.groupby(["origin", "time_hour"])["event_id"].transform("count").astype(float),
        **{LABEL: late},
    )[["event_id", "event_time", "known_time", *SIGNATURE, LABEL]]


def _minutes(clock: pd.Series) -> pd.Series:
    """Clock times written as hhmm (0 to 2359) in minutes since midnight."""
    return clock // 100 * 60 + clock % 100
