"""The base of the steps that need something of the intervals before their own."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, ClassVar

from airflow.sdk import Context

from flywheel.names import Interval
from flywheel.operators.base import Result
from flywheel.operators.job import JobOperator
from flywheel.order import PATIENCE, Need, Order
from flywheel.triggers.order import TurnTrigger


class OrderedOperator(JobOperator):
    """A step that waits its turn, in the triggerer, so that it holds no worker the others may need.

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
        interval = self.interval(context)
        order = Order(self.hook, self.cycle, self.settings, self.patience)
        awaited = order.awaited(self.need, interval, since)
        if awaited is not None:
            self.log.info("Waiting until %s is %s; a hole if nothing happens to it", awaited, self.need)
            self._defer_turn(interval, since)
        return super().execute(context)

    def _defer_turn(self, interval: Interval, since: float) -> None:
        trigger = TurnTrigger(
            cycle=self.cycle.name,
            interval=interval.iso,
            need=self.need,
            since=since,
            patience_s=self.patience.total_seconds(),
            aws_conn_id=self.aws_conn_id,
            poll_interval_s=self.settings.poll_interval_s,
        )
        self.defer(trigger=trigger, method_name="proceed", kwargs={"since": since})
