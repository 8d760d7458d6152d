"""When a training job of a tuning job is stopped early: SageMaker's median rule.

A job is stopped when its objective after so many reports is worse than the median of the running averages,
over as many reports, of the jobs that have ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

#: jobs that must have ended, and reports that a job may always make, before any is stopped
JOBS, REPORTS = 3, 2


def is_hopeless(reports: Sequence[float], others: Sequence[Sequence[float]], *, is_maximized: bool) -> bool:
    """Whether a job with these `reports` is to be stopped, given those of others that have ended."""
    count = len(reports)
    comparable = [other for other in others if len(other) >= count]
    if count < REPORTS or len(comparable) < JOBS:
        return False
    best = max(reports) if is_maximized else min(reports)
    middle = median(fmean(other[:count]) for other in comparable)
    return best < middle if is_maximized else best > middle
