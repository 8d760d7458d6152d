"""How the model in production is monitored, and what it takes to ask for retraining.

Imported while Airflow parses DAG files: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Facet:
    """A group of records whose treatment by the model is compared with that of all others."""

    #: column of the signature or of the combined attributes
    column: str
    #: its values that make the group, as texts
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """The rules of one cycle: what counts as drift in one window, and what windows ask for retraining."""

    #: cron expression of the windows in UTC, such as "0 0 * * *"; None: the cycle's own intervals
    schedule: str | None = None
    #: a window with fewer rows is reported and alarms nobody
    minimum_rows: int = 500
    #: a feature has drifted from this distance on (Kolmogorov-Smirnov or total variation, 0 to 1) ...
    minimum_distance: float = 0.1
    #: ... if chance would bring that about in fewer than this share of windows, over all features together
    significance: float = 0.01
    #: a window alarms when drifted features carry at least this share of the model's permutation importance
    minimum_importance: float = 0.1
    #: area under the curve from which on a classifier tells the window from the baseline too well; None: not
    #: asked
    separability_limit: float | None = 0.75
    #: by how much the metric on matured labels may surely be worse than in the model's own evaluation
    quality_drop: float = 0.03
    #: from this share of labels on, a window's quality counts
    matured_share: float = 0.9
    #: retraining is due when so many ...
    alarms: int = 2
    #: ... of the last so many windows of the same champion have alarmed, the newest among them
    windows: int = 3
    #: how long after the end of the champion's data no retraining is due
    cool_down: timedelta = timedelta(0)
    #: labels that must have become known since the end of the champion's data
    minimum_new_labels: int = 1000
    #: trainings in `budget_period`, whatever asked for them, beyond which monitoring asks for no more
    budget: int = 12
    budget_period: timedelta = timedelta(days=365)
    #: columns that no capture, sample or report may hold; the model may still use them
    private: tuple[str, ...] = ()
    #: how long before its event a request for it may reach the endpoint
    request_lead: timedelta = timedelta(days=1)
    #: how long after the end of an event's window; None: at any time, as when traffic of the past is sent
    #: again. A window reads all traffic in between, so where none is sent again a day is better
    request_lag: timedelta | None = None
    #: how long captured requests are kept; None: for ever
    retention: timedelta | None = timedelta(days=90)
    #: groups for the bias metrics
    facets: tuple[Facet, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a rule that could never be met, or always."""
        if not 1 <= self.alarms <= self.windows:
            raise ValueError(
                f"Monitoring: alarms={self.alarms} of windows={self.windows} can never be; "
                "alarms must be between 1 and windows."
            )
        shares = ("minimum_distance", "significance", "minimum_importance", "matured_share")
        wrong = [f"{name}={getattr(self, name)}" for name in shares if not 0 <= getattr(self, name) <= 1]
        if wrong:
            raise ValueError(f"Monitoring: {', '.join(wrong)} must lie between 0 and 1.")
