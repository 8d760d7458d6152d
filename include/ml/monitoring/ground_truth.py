"""Ground truth as it becomes known: records of SageMaker's format, and the history of each event's label."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from include.core.documents.reports import AgeShare, LabelCoverage
from include.ml.features.labels import as_text
from include.ml.monitoring.records import (
    MalformedError,
    checked_text,
    member,
    parse_moment,
    parse_object,
    text_of,
)

COLUMNS = ("event_id", "label", "known_time")


@dataclass(frozen=True)
class Truth:
    """One ground-truth record."""

    #: what the label is matched on: the inference id of a request, or else its event id
    event_id: str
    #: text of a class
    label: str
    #: when the label became known, by the record's word, or else at the latest; UTC
    known_time: datetime
    #: when the event was, if the record tells; UTC
    event_time: datetime | None = None


def parse_truth(line: str, classes: Sequence[str], known_by: datetime) -> Truth:
    """Parse one line of a ground-truth file.

    Parameters
    ----------
    line
        JSON with `groundTruthData` and `eventMetadata`; the latter may hold `knownTime` and `eventTime`.
    classes
        The texts of all classes.
    known_by
        When the label was known at the latest, where the record does not tell.

    Raises
    ------
    MalformedError
        The line is cut off, names no event, or its label is none of the classes.
    """
    record = parse_object(line)
    metadata = member(record, "eventMetadata")
    event_id = metadata.get("eventId")
    if not isinstance(event_id, str) or not event_id:
        raise MalformedError("it has no eventId")
    checked_text(event_id, "eventId")
    label = _label(text_of(member(record, "groundTruthData")), classes)
    known, event = metadata.get("knownTime"), metadata.get("eventTime")
    return Truth(
        event_id,
        label,
        parse_moment(known, "knownTime") if known else known_by,
        parse_moment(event, "eventTime") if event else None,
    )


def _label(text: str, classes: Sequence[str]) -> str:
    """Return the class in a record's data: a JSON value, the one in a list or under `label`, or one cell."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        value = _only_row(text)
    if isinstance(value, dict):
        value = value.get("label")
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    try:
        label = as_text(value)
    except (ValueError, OverflowError, RecursionError):
        label = None
    if label is None or label not in classes:
        raise MalformedError("its label is none of the classes")
    return label


def _only_row(text: str) -> list[str] | None:
    """Return the cells of a text of one CSV row; None of any other."""
    try:
        rows = list(csv.reader(text.splitlines()))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def as_frame(truths: Sequence[Truth]) -> pd.DataFrame:
    """Return truths as a frame with COLUMNS, in their order."""
    return pd.DataFrame(
        {
            "event_id": pd.Series([truth.event_id for truth in truths], dtype="str"),
            "label": pd.Series([truth.label for truth in truths], dtype="str"),
            "known_time": pd.to_datetime([truth.known_time for truth in truths], utc=True).as_unit("us"),
        }
    )


def label_history(labels: pd.DataFrame) -> pd.DataFrame:
    """Return each event's label as it became known and was corrected.

    Parameters
    ----------
    labels
        Rows with `event_id`, `label` and `known_time`, in any order; of labels known at the same time the
        later row corrects the earlier one.

    Returns
    -------
    The rows that told something new, by event and time, with `version`: 0 for the first label of an event,
    then 1 and so on for each correction.

    Examples
    --------
    >>> known = pd.to_datetime(["2013-01-01", "2013-01-02", "2013-01-03"], utc=True)
    >>> given = pd.DataFrame({"event_id": ["a"] * 3, "label": ["0", "0", "1"], "known_time": known})
    >>> label_history(given)[["label", "version"]].values.tolist()
    [['0', 0], ['1', 1]]
    """
    ordered = labels.sort_values(["event_id", "known_time"], kind="stable", ignore_index=True)
    before = ordered.groupby("event_id", sort=False)["label"].shift()
    changed = ordered[before.isna() | (before != ordered["label"])].reset_index(drop=True)
    version = changed.groupby("event_id", sort=False).cumcount().astype("int64")
    return changed[list(COLUMNS)].assign(version=version)


def labels_at(history: pd.DataFrame, cutoff: datetime) -> pd.DataFrame:
    """Return the label of each event as it was known at `cutoff`: `event_id`, `label` and `known_time`."""
    known = history[history["known_time"] <= cutoff].sort_values(["event_id", "version"])
    return known.drop_duplicates("event_id", keep="last")[list(COLUMNS)].reset_index(drop=True)


def label_coverage(events: pd.DataFrame, history: pd.DataFrame, end: datetime) -> LabelCoverage:
    """Count the events with labels, their age when the labels came, and corrections.

    Parameters
    ----------
    events
        `event_id` (unique) and `event_time`.
    history
        As `label_history` gives it, of these events.
    end
        End of the window, after which a first label is late.
    """
    first = history[history["version"] == 0].merge(events, on="event_id", how="inner", validate="one_to_one")
    return LabelCoverage(
        events=len(events),
        labelled=len(first),
        late=int((first["known_time"] > end).sum()),
        corrected=int(history.loc[history["version"] > 0, "event_id"].nunique()),
        by_age=share_by_age(events, history),
    )


HOUR_S, DAY_S = 3_600, 86_400
#: from labels that follow at once to labels that take a quarter of a year
AGES_S: tuple[int, ...] = (
    *(HOUR_S * hours for hours in (1, 3, 6, 12)),
    *(DAY_S * days for days in (1, 2, 3, 7, 14, 30, 60, 90)),
)


def share_by_age(
    events: pd.DataFrame, labels: pd.DataFrame, ages_s: Sequence[int] = AGES_S
) -> tuple[AgeShare, ...]:
    """Return the share of events whose first label became known within each age.

    The age of a label is the time from its event to its `known_time`; a label that was known before its event
    has none. Corrections do not count: an event is labelled from its first label on. An event that will never
    have a label counts among the events, so that the share need not reach 1.

    Parameters
    ----------
    events
        Columns `event_id` and `event_time`; an event counts once, however often it is listed.
    labels
        Columns `event_id` and `known_time`; labels of events that are not listed do not count.
    ages_s
        Ages in seconds.

    Returns
    -------
    The shares in the order of the ages; None where there is no event.

    Examples
    --------
    >>> noon = pd.Timestamp("2013-01-01T12:00Z")
    >>> events = pd.DataFrame({"event_id": ["a", "b"], "event_time": [noon, noon]})
    >>> labels = pd.DataFrame({"event_id": ["a"], "known_time": [noon + pd.Timedelta(hours=2)]})
    >>> [found.share for found in share_by_age(events, labels, [3600, 7200])]
    [0.0, 0.5]
    """
    once = events.drop_duplicates("event_id")
    first = labels.groupby("event_id")["known_time"].min().reindex(once["event_id"])
    happened = pd.DatetimeIndex(pd.to_datetime(once["event_time"], utc=True))
    age_s = (pd.DatetimeIndex(pd.to_datetime(first, utc=True)) - happened).total_seconds().to_numpy()
    return tuple(
        AgeShare(age_s=limit_s, share=float((age_s <= limit_s).mean()) if len(age_s) else None)
        for limit_s in ages_s
    )
