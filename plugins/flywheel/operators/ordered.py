"""The base of the steps that need something of the intervals before their own."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, ClassVar

from airflow.sdk import Context

from flywheel.intervals import BY_ASSET
from flywheel.operators.base import Result
from flywheel.operators.job import JobOperator
from flywheel.triggers.interval_ready import IntervalReadyTrigger
from include.core.dependencies import PATIENCE, IntervalDependencies, Need
from include.core.exceptions import HistoryIncomplete
from include.core.layout import Interval

#: the same for a run that monitoring asked for, which goes on where a hole is only undecided
PATIENCE_OF_ASKED = timedelta(seconds=30)


class OrderedOperator(JobOperator):
    """A step that waits its turn, in the triggerer, so that it holds no worker the others may need.

    A run that monitoring asked for waits for those before it that somebody works on, but not for the others:
    where a cycle is trained when it has to be, intervals between two trainings are never decided about.

    :param patience: how long nothing may happen to a missing interval before it counts as a hole
    """

    need: ClassVar[Need]

    def __init__(self, *, patience: timedelta = PATIENCE, **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own
        super().__init__(**kwargs)
        self.patience = patience

    def execute(self, context: Context) -> Result:
        """Wait for the intervals before, then do the step's job."""
        return self.proceed(context, {}, time.time())

    def proceed(self, context: Context, event: Any, since: float) -> Result:  # noqa: ANN401, ARG002 - its word does not count
        """Do the step's job if it is its turn; else wait on."""
        interval, is_asked = self.interval(context), context["dag_run"].run_type == BY_ASSET
        patience = min(self.patience, PATIENCE_OF_ASKED) if is_asked else self.patience
        try:
            awaited = IntervalDependencies(self.hook, self.cycle, self.settings, patience).awaited(
                self.need, interval, since
            )
        except HistoryIncomplete as error:
            if not is_asked or self.need != "decided":
                raise
            self.log.info("Going on without the decisions that are missing: %s", error)
            awaited = None
        if awaited is not None:
            self.log.info("Waiting until %s is %s; a hole if nothing happens to it", awaited, self.need)
            self._defer_turn(interval, since, patience)
        return super().execute(context)

    def _defer_turn(self, interval: Interval, since: float, patience: timedelta) -> None:
        trigger = IntervalReadyTrigger(
            cycle=self.cycle.name,
            interval=interval.iso,
            need=self.need,
            since=since,
            patience_s=patience.total_seconds(),
            aws_conn_id=self.aws_conn_id,
            poll_interval_s=self.settings.poll_interval_s,
        )
        self.defer(trigger=trigger, method_name="proceed", kwargs={"since": since})
