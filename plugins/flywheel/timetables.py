"""When a cycle's runs are due."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime, instance

from include.core.cycle import Cycle
from include.core.schedule import window_schedule


class CycleTimetable(CronDataIntervalTimetable):
    """The intervals of a cron expression in UTC, up to the end of the source.

    A DAG's own `end_date` does not do: Airflow gives a run that somebody starts after it no tasks at all, and
    calls it a success. Here nothing is scheduled after the end, and a run by hand gets the last interval.

    :param expression: cron expression
    :param end: end of the last interval there will ever be data for, or None
    """

    def __init__(self, expression: str, *, end: datetime | None = None) -> None:
        super().__init__(expression, timezone="UTC")
        self.end = end

    @classmethod
    def of(cls, cycle: Cycle) -> CycleTimetable:
        """Return the timetable of a cycle's trainings."""
        return cls(cycle.schedule, end=cycle.end)

    @classmethod
    def of_windows(cls, cycle: Cycle) -> CycleTimetable:
        """Return the timetable of the windows in which a cycle is monitored."""
        return cls(window_schedule(cycle), end=cycle.end)

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow keeps in its database."""
        return {**super().serialize(), "end": self.end.isoformat() if self.end else None}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> CycleTimetable:
        """Return the timetable that Airflow kept in its database."""
        return cls(data["expression"], end=datetime.fromisoformat(data["end"]) if data["end"] else None)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next interval, if it does not begin at the end or later."""
        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        if info is None or info.data_interval is None:
            return info
        return None if self.end is not None and info.data_interval.end > self.end else info

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the last interval that was complete, of those there is data for."""
        if self.end is not None and self.end < run_after:
            run_after = instance(self.end)
        return super().infer_manual_data_interval(run_after=run_after)
