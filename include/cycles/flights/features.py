"""What the flights model sees: known before the scheduled departure, the same in training and serving."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from include.ml.weather import frost_point_c, to_celsius, vapour_pressure_hpa, wet_bulb_c

#: columns a client sends, in CSV order, with their kinds
SIGNATURE: dict[str, str] = {
    "carrier": "string",
    "origin": "string",
    "dest": "string",
    "plane_type": "string",
    "manufacturer": "string",
    "engine": "string",
    "weekday": "number",
    "scheduled_departure_min": "number",
    "scheduled_arrival_min": "number",
    "distance_mi": "number",
    "hour_departures": "number",
    "plane_year": "number",
    "seats": "number",
    "temp_f": "number",
    "dewp_f": "number",
    "humid_pct": "number",
    "wind_dir_deg": "number",
    "wind_speed_mph": "number",
    "wind_gust_mph": "number",
    "precip_in": "number",
    "pressure_mb": "number",
    "visib_mi": "number",
}
#: attributes that `combine` adds, in their order; all are numbers
COMBINED: tuple[str, ...] = (
    "wet_bulb_c",
    "frost_point_depression_c",
    "is_freezing_and_wet",
    "vapour_pressure_deficit_hpa",
    "crosswind_share",
    "scheduled_duration_min",
)
LABEL = "is_late"
CLASSES: tuple[str, ...] = ("0", "1")
#: a flight is late when it arrives more than this after schedule
LATE_AFTER_MIN = 15
#: New York's runways mostly lie along this axis (degrees)
RUNWAY_AXIS_DEG = 40.0


def combine(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The attributes that only several columns together tell, one array each; NaN where an input is NaN.

    Takes a row (arrays of length 1) as well as a table, and gives the same numbers for both.
    """
    temp_c, dewp_c = to_celsius(columns["temp_f"]), to_celsius(columns["dewp_f"])
    humid = np.asarray(columns["humid_pct"], dtype=float)
    precip = np.asarray(columns["precip_in"], dtype=float)
    wet_bulb = wet_bulb_c(temp_c, humid)
    saturated = vapour_pressure_hpa(temp_c)
    unknown = np.isnan(wet_bulb) | np.isnan(precip)
    angle = np.radians(np.asarray(columns["wind_dir_deg"], dtype=float) - RUNWAY_AXIS_DEG)
    departure = np.asarray(columns["scheduled_departure_min"], dtype=float)
    arrival = np.asarray(columns["scheduled_arrival_min"], dtype=float)
    return {
        "wet_bulb_c": wet_bulb,
        "frost_point_depression_c": temp_c - frost_point_c(dewp_c),
        "is_freezing_and_wet": np.where(unknown, np.nan, (wet_bulb < 0.0) & (precip > 0.0)),
        "vapour_pressure_deficit_hpa": saturated * (1.0 - humid / 100.0),
        "crosswind_share": np.abs(np.sin(angle)),
        "scheduled_duration_min": np.mod(arrival - departure, 1440.0),
    }


def build(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per flight of a cleaned partition: event id, times, the signature's columns and the label.

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


def _minutes(clock: pd.Series) -> pd.Series:
    """Clock times written as hhmm (0 to 2359) in minutes since midnight."""
    return clock // 100 * 60 + clock % 100
