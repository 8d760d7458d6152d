"""The description of the digits cycle: monthly intervals of one year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.core.cycle import Cycle, PythonSource, Rollout, Split

CYCLE = Cycle(
    name="digits",
    description="Which digit does a small image show? A second cycle, on images, with ten classes.",
    task="multiclass",
    schedule="0 0 1 * *",
    start=datetime(2013, 1, 1, tzinfo=UTC),
    end=datetime(2014, 1, 1, tzinfo=UTC),
    source=PythonSource(),
    split=Split(holdout=timedelta(days=7), validation=timedelta(days=4)),
    metric="accuracy",
    # The local service has metrics by the second; see Rollout.bake_s for AWS.
    rollout=Rollout(bake_s=3),
)
