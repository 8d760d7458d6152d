"""The declared rules that clean the tables of the flights cycle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.ml.cleaning.rules import OnArrow, Rules

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
#: columns that hold clock times as hhmm, and how some rows write the end of a day
CLOCKS, MIDNIGHT = ("dep_time", "sched_dep_time", "arr_time", "sched_arr_time"), {"2400": "0"}
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
UTC_TIME = pa.timestamp("us", tz="UTC")


def with_times(flights: pa.Table) -> pa.Table:
    """Add the event's id, its time (scheduled departure) and its known time (actual arrival)."""
    departure = micros(flights["time_hour"]) + whole(flights["minute"]) * MINUTE_US
    delay = flights["arr_delay"]
    known = scheduled_arrival(flights, departure) + whole(delay.fill_null(0)) * MINUTE_US
    parts = [dates(flights), flights["carrier"], pa.array(whole(flights["flight"])), flights["origin"]]
    derived = {
        "event_id": pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), "-"),
        "event_time": pa.array(departure).view(UTC_TIME),
        "known_time": pa.array(known, mask=delay.is_null().to_numpy()).view(UTC_TIME),
    }
    for name, column in derived.items():
        flights = flights.append_column(name, column)
    return flights


def micros(times: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return times as microseconds since 1970, in their own zone if they have none."""
    return np.asarray(times.cast(pa.int64()))


def whole(numbers: pa.ChunkedArray) -> np.ndarray:
    """Return whole numbers that a column holds as doubles."""
    return np.asarray(numbers.to_numpy()).astype(np.int64)


def dates(flights: pa.Table) -> pa.Array:
    """Return each flight's local date as text; few differ."""
    year, month, day = (whole(flights[name]) for name in ("year", "month", "day"))
    different, codes = np.unique(year * 10_000 + month * 100 + day, return_inverse=True)
    texts = [f"{date // 10_000:04d}-{date // 100 % 100:02d}-{date % 100:02d}" for date in different.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(codes))


def scheduled_arrival(flights: pa.Table, departure: np.ndarray) -> np.ndarray:
    """Return the scheduled arrival: the next time after departure on the destination's clock.

    :param departure: [us since 1970, UTC]
    """
    clock = whole(flights["sched_arr_time"])
    of_day = (clock // 100 * 60 + clock % 100) * MINUTE_US
    zones = flights["dest_timezone"].cast(pa.string()).combine_chunks().dictionary_encode()
    codes, arrival = np.asarray(zones.indices), departure.copy()
    for code, zone in enumerate(zones.dictionary.to_pylist()):
        rows = np.flatnonzero(codes == code)
        leaves = micros(pc.local_timestamp(pa.array(departure[rows]).view(pa.timestamp("us", tz=zone))))
        local = leaves - leaves % DAY_US + of_day[rows]
        local += DAY_US * (local <= leaves)
        naive = pa.array(local).view(pa.timestamp("us"))
        # an hour that the clock shows twice is the second, one that it leaves out is when it goes on
        arrives = pc.assume_timezone(naive, zone, ambiguous="latest", nonexistent="latest")
        arrival[rows] = micros(arrives)
    return arrival


RULES: dict[str, Rules] = {
    "flights": Rules(
        identity=("year", "month", "day", "carrier", "flight", "origin"),
        unify=dict.fromkeys(CLOCKS, MIDNIGHT),
        derive=OnArrow(with_times),
    ),
    "weather": Rules(identity=("origin", "time_hour")),
    "planes": Rules(identity=("tailnum",), unify={"manufacturer": MANUFACTURERS}),
}
