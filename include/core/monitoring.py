"""How the model in production is monitored, and what it takes to ask for retraining.

Imported while Airflow parses DAG files: standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from include.core.checks import Amount, Count, Length, Positive, Share, Stretch


@dataclass(frozen=True, kw_only=True)
class Facet:
    """A group of records whose treatment by the model is compared with that of all others."""

    #: column of the signature or of the combined attributes
    column: str
    #: its values that make the group, as texts
    values: tuple[str, ...]

    def faults(self, path: str, sound: set[str]) -> Iterator[str]:
        """Yield that no value is named."""
        if "values" in sound and not self.values:
            yield f"{path}values=() names no value. Write those of {self.column!r} that make the group."


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """The rules of one cycle: what counts as drift in one window, and what windows ask for retraining."""

    #: cron expression of the windows in UTC, such as "0 0 * * *"; None: the cycle's own intervals
    schedule: str | None = None
    #: a window with fewer rows is reported and alarms nobody
    minimum_rows: Count = 500
    #: a feature has drifted from this distance on (Kolmogorov-Smirnov or total variation, 0 to 1) ...
    minimum_distance: Share = 0.1
    #: ... if chance would bring that about in fewer than this share of windows, over all features together
    significance: Share = 0.01
    #: a window alarms when drifted features carry at least this share of the model's permutation importance
    minimum_importance: Share = 0.1
    #: area under the curve from which on a classifier tells the window from the baseline too well; None: not
    #: asked
    separability_limit: Share | None = 0.75
    #: by how much the metric on matured labels may surely be worse than in the model's own evaluation
    quality_drop: Amount = 0.03
    #: by how much accuracy, balanced error or share gap of the answers may surely be worse than there
    operating_drop: Share = 0.1
    #: from this share of labels on, a window's quality counts
    matured_share: Share = 0.9
    #: retraining is due when so many ...
    alarms: Positive = 2
    #: ... of the last so many windows of the same champion have alarmed, the newest among them
    windows: Positive = 3
    #: how long after the end of the champion's data no retraining is due
    cool_down: Length = timedelta(0)
    #: labels that must have become known since the end of the champion's data
    minimum_new_labels: Count = 1000
    #: trainings in `budget_period`, whatever asked for them, beyond which monitoring asks for no more
    budget: Count = 12
    budget_period: Stretch = timedelta(days=365)
    #: columns that no capture, sample or report may hold; the model may still use them
    private: tuple[str, ...] = ()
    #: how long before its event a request for it may reach the endpoint
    request_lead: Length = timedelta(days=1)
    #: how long after the end of an event's window; None: at any time, as when traffic of the past is sent
    #: again. A window reads all traffic in between, so where none is sent again a day is better
    request_lag: Length | None = None
    #: how long captured requests are kept; None: for ever
    retention: Stretch | None = timedelta(days=90)
    #: groups for the bias metrics
    facets: tuple[Facet, ...] = ()

    def faults(self, path: str, sound: set[str]) -> Iterator[str]:
        """Yield what is wrong with fields together."""
        if {"alarms", "windows"} <= sound and self.alarms > self.windows:
            yield (
                f"{path}alarms={self.alarms} of {path}windows={self.windows} can never be. Write at most "
                f"alarms={self.windows}, or more windows."
            )
