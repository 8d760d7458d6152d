"""What an interval has to wait for: cleaned data of all before it, and the decision about the one before it.

Judged by outputs in S3, by the ledger and by SageMaker's jobs, never by what Airflow knows of its runs: runs
are renamed, cleared and deleted, and a person may work on an interval by hand. ADR 0007 says why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from include.core.cycle import Cycle
from include.core.documents.ledger import Entry
from include.core.exceptions import HistoryIncomplete
from include.core.history import content_digest, find_cleaned, incomplete, read_manifest
from include.core.keys import KeyRecord, key_record
from include.core.layout import Interval, Places, job_day, key_of, parse_job_name
from include.core.ledger import Ledger, champion_as_of, is_concluded, last_decision
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import PROCESSING, TRAINING
from include.core.schedule import history
from include.core.settings import Settings

log = logging.getLogger(__name__)

#: what a step may need of the intervals before its own
Need = Literal["cleaned", "decided"]
#: how long nothing may happen to a missing interval before it counts as a hole
PATIENCE = timedelta(minutes=5)


class Order:
    """The order of a cycle's intervals.

    :param patience: how long nothing may happen to a missing interval before it counts as a hole
    """

    def __init__(
        self, hook: SageMaker, cycle: Cycle, settings: Settings, patience: timedelta = PATIENCE
    ) -> None:
        self.hook, self.cycle, self.settings, self.patience = hook, cycle, settings, patience

    def awaited(self, need: Need, interval: Interval, since: float) -> Interval | None:
        """The first interval that `interval` has to wait for, or None if there is none any more.

        :param since: seconds since 1970 at which the waiting began
        :raises HistoryIncomplete: nothing works on that interval, so waiting would be in vain
        """
        earlier = list(history(self.cycle, interval))[:-1]
        entries = self._entries()
        first = self._uncleaned(earlier) if need == "cleaned" else self._undecided(earlier, entries)
        if first is None:
            return None
        if not self._is_alive(first, entries, since):
            raise HistoryIncomplete(incomplete(self.cycle, interval, [first], need, self.patience))
        return first

    def _entries(self) -> list[Entry]:
        return Ledger(self.hook.s3, self.settings.bucket, self.cycle.name).entries()

    # What is there

    def _uncleaned(self, earlier: list[Interval]) -> Interval | None:
        return next(
            (i for i in earlier if find_cleaned(self.hook, self.cycle, i, self.settings) is None), None
        )

    def _undecided(self, earlier: list[Interval], entries: list[Entry]) -> Interval | None:
        """The first interval after the last one that is settled, if there is one before ours."""
        first = None
        for count in range(len(earlier), 0, -1):
            if self.is_settled(earlier[:count], entries):
                break
            first = earlier[count - 1]
        return first

    def is_settled(self, intervals: list[Interval], entries: list[Entry]) -> bool:
        """Whether the last of `intervals` was decided by today's code, data and settings, and carried out.

        That is so if its transform, training and evaluation have the keys they would get now, `forced_by`
        aside: then deciding again would give the same.
        """
        decision = last_decision(entries, intervals[-1].end)
        if decision is None or not is_concluded(entries, decision):
            return False
        return all(self._is_of(key, record) for key, record in self._records(intervals, decision, entries))

    def _records(
        self, intervals: list[Interval], decision: Entry, entries: list[Entry]
    ) -> Iterator[tuple[str, KeyRecord | None]]:
        """The keys that led to a decision, each with the record it would be made from today."""
        found = [find_cleaned(self.hook, self.cycle, each, self.settings) for each in intervals]
        partitions = [partition for partition in found if partition]
        whole, interval = len(partitions) == len(found), intervals[-1]
        key = key_of(decision.transform_uri)
        inputs = {"clean": content_digest(partitions)}
        yield key, self._record("transform", interval, inputs) if whole else None
        made = read_manifest(self.hook, decision.transform_uri, key)
        rows = made["digest"] if made else ""
        yield decision.key, self._record("train", interval, {"train": rows, "validation": rows})
        champion = champion_as_of(entries, interval.end, inclusive=False)
        inputs = {"train": rows, "holdout": rows, "challenger": decision.model_uri}
        if champion:
            inputs["champion"] = champion.model_uri
        yield key_of(decision.evaluation_uri), self._record("evaluate", interval, inputs)

    def _record(self, step: str, interval: Interval, inputs: dict[str, str]) -> KeyRecord:
        return key_record(
            step=step,
            cycle=self.cycle,
            interval=interval,
            inputs=inputs,
            parameters={},
            settings=self.settings,
        )

    def _is_of(self, key: str, record: KeyRecord | None) -> bool:
        """Whether a key was made from `record`, by force or not."""
        if record is None or key == record.key:
            return record is not None
        kept = self.hook.read_json(Places(self.settings.bucket, self.cycle.name).key_record(key)) or {}
        return {name: value for name, value in kept.items() if name != "forced_by"} == record.content

    # Who works on it

    def _is_alive(self, interval: Interval, entries: list[Entry], since: float) -> bool:
        """Whether anything has happened of late that lets one expect the interval to be decided."""
        limit = time.time() - self.patience.total_seconds()
        decision = last_decision(entries, interval.end)
        is_asked = decision is not None and decision.needs_approval and not is_concluded(entries, decision)
        is_moving = any(entry.at.timestamp() > limit for entry in entries)
        return since > limit or is_asked or is_moving or self._has_jobs(interval, limit)

    def _has_jobs(self, interval: Interval, limit: float) -> bool:
        """Whether a job of the interval runs, or has changed since `limit`."""
        for kind in (PROCESSING, TRAINING):
            for job in self.hook.jobs(kind, f"-{job_day(interval)}-"):
                name, is_recent = (
                    parse_job_name(job[kind.name_field]),
                    job["LastModifiedTime"].timestamp() > limit,
                )
                is_ours = name is not None and (name.cycle, name.day) == (self.cycle.name, job_day(interval))
                if is_ours and (kind.is_active(job) or is_recent):
                    return True
        return False
