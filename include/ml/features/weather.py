"""Attributes of moist air, from temperature and humidity together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def to_celsius(temperature_f: ArrayLike) -> Floats:
    """Return degrees Fahrenheit in degrees Celsius.

    Examples
    --------
    >>> to_celsius([32.0, 212.0]).tolist()
    [0.0, 100.0]
    """
    return (np.asarray(temperature_f, dtype=float) - 32.0) / 1.8


def vapour_pressure_hpa(temperature_c: ArrayLike) -> Floats:
    """Return the saturation vapour pressure over water, by Magnus' formula (WMO-No. 8, annex 4.B).

    Parameters
    ----------
    temperature_c
        Air temperature in degrees Celsius, of any shape; the formula holds from -45 to 60.

    Examples
    --------
    >>> vapour_pressure_hpa([0.0, 20.0]).round(2).tolist()
    [6.11, 23.33]
    """
    temperature = np.asarray(temperature_c, dtype=float)
    return np.asarray(6.112 * np.exp(17.62 * temperature / (243.12 + temperature)))


def wet_bulb_c(temperature_c: ArrayLike, humidity_pct: ArrayLike) -> Floats:
    """Return the wet-bulb temperature at sea level, by the fit of Stull (2011, doi:10.1175/JAMC-D-11-0143.1).

    Parameters
    ----------
    temperature_c
        Air temperature in degrees Celsius, -20 to 50.
    humidity_pct
        Relative humidity in percent, 5 to 99; of the same shape. The error stays within 1 degree.

    Returns
    -------
    Degrees Celsius, of the inputs' shape; NaN where an input is NaN.

    Examples
    --------
    >>> wet_bulb_c([20.0], [50.0]).round(1).tolist()
    [13.7]
    """
    temperature = np.asarray(temperature_c, dtype=float)
    humidity = np.asarray(humidity_pct, dtype=float)
    return np.asarray(
        temperature * np.arctan(0.151977 * np.sqrt(humidity + 8.313659))
        + np.arctan(temperature + humidity)
        - np.arctan(humidity - 1.676331)
        + 0.00391838 * humidity * np.sqrt(humidity) * np.arctan(0.023101 * humidity)
        - 4.686035
    )


def frost_point_c(dew_point_c: ArrayLike) -> Floats:
    """Return the frost point, by Magnus' formula over ice; equal to the dew point above 0 C.

    Parameters
    ----------
    dew_point_c
        Dew point over water in degrees Celsius, of any shape.

    Examples
    --------
    >>> frost_point_c([-10.0, 0.0, 5.0]).round(1).tolist()
    [-8.9, 0.0, 5.0]
    """
    dew_point = np.asarray(dew_point_c, dtype=float)
    # the logarithm of Magnus' formula over water
    ratio = 17.62 * dew_point / (243.12 + dew_point)
    return np.asarray(np.where(dew_point < 0.0, 272.62 * ratio / (22.46 - ratio), dew_point))
