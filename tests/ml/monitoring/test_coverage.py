"""Coverage of labels by age."""

from __future__ import annotations

import pandas as pd

from include.core.documents.reports import AgeShare
from include.ml.monitoring.ground_truth import AGES_S, DAY_S, HOUR_S, share_by_age

NOON = pd.Timestamp("2013-01-01T12:00Z")


def events(*hours: int) -> pd.DataFrame:
    """Events e0, e1, ... at so many hours after noon."""
    times = NOON + pd.to_timedelta(list(hours), unit="h")
    return pd.DataFrame({"event_id": [f"e{i}" for i in range(len(hours))], "event_time": times})


def labels(*known: tuple[str, int]) -> pd.DataFrame:
    """Labels by event and hours after noon."""
    frame = pd.DataFrame(known, columns=["event_id", "hour"]).astype({"hour": int})
    return frame.assign(known_time=NOON + pd.to_timedelta(frame["hour"], unit="h"))


def shares(found: tuple[AgeShare, ...]) -> list[float | None]:
    """The shares alone."""
    return [each.share for each in found]


def test_the_share_grows_with_the_age() -> None:
    """Each label counts from its own age on, up to and including it; an event without one never does."""
    known = labels(("e0", 1), ("e1", 5), ("e2", 26))
    found = share_by_age(events(0, 0, 2, 0), known, ages_s=[HOUR_S, 6 * HOUR_S, DAY_S])
    assert [(each.age_s, each.share) for each in found] == [
        (HOUR_S, 0.25),
        (6 * HOUR_S, 0.5),
        (DAY_S, 0.75),
    ]


def test_a_correction_leaves_the_age_as_it_was() -> None:
    """The first label counts, wherever in the table it is."""
    assert shares(share_by_age(events(0), labels(("e0", 30), ("e0", 1)), ages_s=[HOUR_S])) == [1.0]


def test_a_label_known_before_its_event_has_no_age() -> None:
    """A forecast that is its own truth counts at once."""
    assert shares(share_by_age(events(4), labels(("e0", 0)), ages_s=[HOUR_S])) == [1.0]


def test_events_count_once_and_labels_of_others_not_at_all() -> None:
    """Two answers to one event, and a label of an unknown event, change nothing."""
    twice = pd.concat([events(0, 0), events(0)])
    assert shares(share_by_age(twice, labels(("e0", 1), ("stranger", 1)), ages_s=[HOUR_S])) == [0.5]


def test_without_events_there_is_no_share() -> None:
    """An empty window has ages and no numbers."""
    assert shares(share_by_age(events(), labels())) == [None] * len(AGES_S)


def test_without_labels_the_share_is_zero() -> None:
    """Nothing is known yet."""
    assert set(shares(share_by_age(events(0, 1), labels()))) == {0.0}
