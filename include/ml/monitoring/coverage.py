"""How soon labels become known: the share of a window's events that are labelled within an age."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

HOUR_S, DAY_S = 3_600, 86_400
#: from labels that follow at once to labels that take a quarter of a year
AGES_S: tuple[int, ...] = (
    *(HOUR_S * hours for hours in (1, 3, 6, 12)),
    *(DAY_S * days for days in (1, 2, 3, 7, 14, 30, 60, 90)),
)


def by_age(
    events: pd.DataFrame, labels: pd.DataFrame, until: datetime | None = None, ages_s: Sequence[int] = AGES_S
) -> list[dict[str, float | None]]:
    """The share of events whose first label became known within each age.

    The age of a label is the time from its event to its `known_time`; a label that was known before its event
    has none. Corrections do not count: an event is labelled from its first label on. An event that will never
    have a label counts among the events, so that the share need not reach 1.

    Parameters
    ----------
    events
        Columns `event_id` and `event_time`; an event counts once, however often it is listed.
    labels
        Columns `event_id` and `known_time`; labels of events that are not listed do not count.
    until
        When labels were looked for last. An event that was younger then than an age tells nothing about that
        age and is left out of its share. None: every event counts, as if labels had been awaited for ever.
    ages_s
        Ages in seconds.

    Returns
    -------
    One `{"age_s", "share"}` for each age, in their order; the share, from 0 to 1, is None where no event
    counts.

    Examples
    --------
    >>> noon = pd.Timestamp("2013-01-01T12:00Z")
    >>> events = pd.DataFrame({"event_id": ["a", "b"], "event_time": [noon, noon]})
    >>> labels = pd.DataFrame({"event_id": ["a"], "known_time": [noon + pd.Timedelta(hours=2)]})
    >>> by_age(events, labels, ages_s=[3600, 7200])
    [{'age_s': 3600, 'share': 0.0}, {'age_s': 7200, 'share': 0.5}]
    """
    once = events.drop_duplicates("event_id")
    first = labels.groupby("event_id")["known_time"].min().reindex(once["event_id"])
    happened = pd.DatetimeIndex(pd.to_datetime(once["event_time"], utc=True))
    age_s = (pd.DatetimeIndex(pd.to_datetime(first, utc=True)) - happened).total_seconds().to_numpy()
    seen_s = np.full(len(once), np.inf)
    if until is not None:
        seen_s = (pd.Timestamp(until) - happened).total_seconds().to_numpy()
        # what became known after the last look was not seen
        age_s = np.where(age_s <= seen_s, age_s, np.nan)
    return [{"age_s": limit_s, "share": _share(age_s[seen_s >= limit_s], limit_s)} for limit_s in ages_s]


def _share(age_s: np.ndarray, limit_s: int) -> float | None:
    return float((age_s <= limit_s).mean()) if len(age_s) else None
