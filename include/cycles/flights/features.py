"""What the flights model sees: known before the scheduled departure, the same in training and serving."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from include.ml.features.weather import frost_point_c, to_celsius, vapour_pressure_hpa, wet_bulb_c

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
#: New York's runways mostly lie along this axis (degrees)
RUNWAY_AXIS_DEG = 40.0


def combine(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the combined attributes, one array each; NaN if an input is NaN.

    Takes a row (arrays of length 1) as well as a table, and gives the same numbers for both.
    """
    temp_c, dewp_c = to_celsius(columns["temp_f"]), to_celsius(columns["dewp_f"])
    humid = np.asarray(columns["humid_pct"], dtype=float)
    precip = np.asarray(columns["precip_in"], dtype=float)
    wet_bulb = wet_bulb_c(temp_c, humid)
    saturated = vapour_pressure_hpa(temp_c)
    angle = np.radians(np.asarray(columns["wind_dir_deg"], dtype=float) - RUNWAY_AXIS_DEG)
    departure = np.asarray(columns["scheduled_departure_min"], dtype=float)
    arrival = np.asarray(columns["scheduled_arrival_min"], dtype=float)
    return {
        "wet_bulb_c": wet_bulb,
        "frost_point_depression_c": temp_c - frost_point_c(dewp_c),
        # 1 above zero, 0 up to it, NaN for NaN
        "is_freezing_and_wet": np.heaviside(-wet_bulb, 0.0) * np.heaviside(precip, 0.0),
        "vapour_pressure_deficit_hpa": saturated * (1.0 - humid / 100.0),
        "crosswind_share": np.abs(np.sin(angle)),
        "scheduled_duration_min": np.mod(arrival - departure, 1440.0),
    }
