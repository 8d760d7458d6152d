"""Splitting by time: what a model may learn from, and what it is judged on."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

#: the parts of a training set, from the earliest to the latest
PARTS = ("train", "validation", "holdout")


def by_time(event_time: pd.Series, end: datetime, *, holdout: timedelta, validation: timedelta) -> pd.Series:
    """For each event the part it belongs to, counted back from `end`.

    Parameters
    ----------
    event_time
        Times before `end`, in UTC.
    end
        End of the data, in UTC.
    holdout, validation
        Lengths of the last stretch and of the one before it.

    Returns
    -------
    "train", "validation" or "holdout" for each event, with the index of `event_time`.

    Raises
    ------
    ValueError
        An event lies at or after `end`, where nothing may be learnt from.

    Examples
    --------
    >>> times = pd.Series(pd.to_datetime(["2013-01-02", "2013-01-20", "2013-01-30"], utc=True))
    >>> end = datetime.fromisoformat("2013-02-01T00:00:00+00:00")
    >>> by_time(times, end, holdout=timedelta(days=7), validation=timedelta(days=7)).tolist()
    ['train', 'validation', 'holdout']
    """
    late = event_time[event_time >= end]
    if len(late):
        raise ValueError(
            f"{len(late)} events lie at or after {end}, the first at {late.min()}: they are the future."
        )
    holdout_start = end - holdout
    conditions = [event_time >= holdout_start, event_time >= holdout_start - validation]
    return pd.Series(np.select(conditions, ["holdout", "validation"], "train"), index=event_time.index)


def is_known(label: pd.Series, known_time: pd.Series, until: datetime) -> pd.Series:
    """Return whether each label exists and was known by `until`.

    Examples
    --------
    >>> known = pd.Series(pd.to_datetime(["2013-01-02", "2013-02-02", None], utc=True))
    >>> until = datetime.fromisoformat("2013-02-01T00:00:00+00:00")
    >>> is_known(pd.Series([1.0, 0.0, None]), known, until).tolist()
    [True, False, False]
    """
    return label.notna() & known_time.notna() & (known_time <= until)
