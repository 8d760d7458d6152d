"""What an interval waits for: cleaned data of all intervals before it, and the decision about the last one.

What counts is what S3, the ledger and SageMaker hold, never what Airflow knows of its runs: runs are renamed,
cleared and deleted, and a person may work on an interval by hand. ADR 0007 gives the reasons.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import takewhile
from typing import Literal

from include.core.cycle import Cycle
from include.core.documents.ledger import Entry
from include.core.documents.manifest import KeyRecord
from include.core.exceptions import HistoryIncomplete
from include.core.history import OutputReader, Partition, content_digest, incomplete, step_record
from include.core.layout import Interval, job_day, parse_job_name
from include.core.ledger import Ledger, champion_as_of, is_concluded, last_decision
from include.core.places import key_of
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import PROCESSING, TRAINING
from include.core.schedule import history
from include.core.settings import Settings

#: what a step may need of the intervals before its own
Need = Literal["cleaned", "decided"]
#: how long nothing may happen to a missing interval before it counts as a hole
PATIENCE = timedelta(minutes=5)

#: decisions by the index of their interval
Decisions = Mapping[int, Entry]


class IntervalDependencies:
    """What the intervals of a cycle wait for.

    An instance remembers what it has read, since entries, manifests and key records never change: a second
    look reads only what is new.

    :param patience: how long nothing may happen to a missing interval before it counts as a hole
    """

    def __init__(
        self, hook: SageMaker, cycle: Cycle, settings: Settings, patience: timedelta = PATIENCE
    ) -> None:
        self.hook, self.cycle, self.settings, self.patience = hook, cycle, settings, patience
        self._ledger = Ledger(hook.s3, settings.bucket, cycle.name)
        self._outputs = OutputReader(hook, cycle, settings)

    def awaited(self, need: Need, interval: Interval, since: float) -> Interval | None:
        """Return the first interval that `interval` has to wait for, or None if there is none.

        :param since: seconds since 1970 at which the waiting began
        :raises HistoryIncomplete: nothing works on that interval, so that it would be awaited in vain
        """
        earlier = list(history(self.cycle, interval))[:-1]
        entries = self._ledger.entries()
        first = self._uncleaned(earlier) if need == "cleaned" else self._undecided(earlier, entries)
        if first is None:
            return None
        if not self._is_alive(first, entries, since):
            raise HistoryIncomplete(incomplete(self.cycle, interval, [first], need, self.patience))
        return first

    def _uncleaned(self, earlier: list[Interval]) -> Interval | None:
        partitions = self._outputs.partitions(earlier)
        return next((interval for interval in earlier if interval not in partitions), None)

    def _undecided(self, earlier: list[Interval], entries: list[Entry]) -> Interval | None:
        """Return the first interval after the last settled one, if there is one among `earlier`."""
        partitions, first = self._outputs.partitions(earlier), None
        chain = [partitions[interval] for interval in takewhile(partitions.__contains__, earlier)]
        for indices in _backwards(len(earlier)):
            settled = self._settled(earlier, indices, chain, entries)
            for index in reversed(indices):
                if index in settled:
                    return first
                first = earlier[index]
        return first

    def _settled(
        self, intervals: list[Interval], indices: Iterable[int], chain: list[Partition], entries: list[Entry]
    ) -> Decisions:
        """Return those decisions that today's code, data and settings would make again, and are carried out.

        A decision would be made again if its transform, training and evaluation have the keys they would get
        now, `forced_by` aside.

        :param chain: the cleaned data of all intervals before the first one without any
        """
        decisions = {
            index: last_decision(entries, intervals[index].end) for index in indices if index < len(chain)
        }
        standing: Decisions = {
            i: decision for i, decision in decisions.items() if decision and is_concluded(entries, decision)
        }

        def transform(index: int, _: Entry) -> KeyRecord:
            return self._record("transform", intervals[index], clean=content_digest(chain[: index + 1]))

        standing = self._made_from(standing, lambda decision: key_of(decision.transform_uri), transform)
        rows = self._transformed(standing)

        def train(index: int, _: Entry) -> KeyRecord:
            return self._record("train", intervals[index], train=rows[index], validation=rows[index])

        standing = self._made_from(standing, lambda decision: decision.key, train)

        def evaluate(index: int, decision: Entry) -> KeyRecord:
            return self._evaluation(intervals[index], decision, rows[index], entries)

        return self._made_from(standing, lambda decision: key_of(decision.evaluation_uri), evaluate)

    def _transformed(self, decisions: Decisions) -> dict[int, str]:
        """Return the digest of the transform behind each decision; an empty one if it is gone."""
        uris = {index: decision.transform_uri for index, decision in decisions.items()}
        manifests = self._outputs.manifests({uri: key_of(uri) for uri in uris.values()})
        return {index: manifests[uri].digest if uri in manifests else "" for index, uri in uris.items()}

    def _evaluation(self, interval: Interval, decision: Entry, rows: str, entries: list[Entry]) -> KeyRecord:
        inputs = {"train": rows, "holdout": rows, "challenger": decision.model_uri}
        champion = champion_as_of(entries, interval.end, inclusive=False)
        if champion:
            inputs["champion"] = champion.model_uri
        return self._record("evaluate", interval, **inputs)

    def _record(self, step: str, interval: Interval, **inputs: str) -> KeyRecord:
        return step_record(step, self.cycle, interval, inputs, self.settings)

    def _made_from(
        self,
        decisions: Decisions,
        made: Callable[[Entry], str],
        record_of: Callable[[int, Entry], KeyRecord],
    ) -> Decisions:
        """Return the decisions whose key was made from the record it would get now, by force or not."""
        records = {index: record_of(index, decision) for index, decision in decisions.items()}
        keys = {index: made(decision) for index, decision in decisions.items()}
        kept = self._outputs.key_records(key for i, key in keys.items() if key != records[i].key)

        def is_same(index: int) -> bool:
            record = kept.get(keys[index])
            is_forced = record is not None and replace(record, forced_by=None) == records[index]
            return keys[index] == records[index].key or is_forced

        return {index: decision for index, decision in decisions.items() if is_same(index)}

    # Who works on it

    def _is_alive(self, interval: Interval, entries: list[Entry], since: float) -> bool:
        """Whether anything happened lately that lets one expect a decision about the interval."""
        limit = time.time() - self.patience.total_seconds()
        decision = last_decision(entries, interval.end)
        is_asked = decision is not None and decision.needs_approval and not is_concluded(entries, decision)
        is_moving = any(entry.at.timestamp() > limit for entry in entries)
        return since > limit or is_asked or is_moving or self._has_jobs(interval, limit)

    def _has_jobs(self, interval: Interval, limit: float) -> bool:
        """Whether a job of the interval runs, or has changed since `limit`."""
        day = job_day(interval)
        for kind in (PROCESSING, TRAINING):
            for job in self.hook.jobs(kind, f"-{day}-"):
                name = parse_job_name(job[kind.name_field])
                is_ours = name is not None and (name.cycle, name.day) == (self.cycle.name, day)
                if is_ours and (kind.is_active(job) or job["LastModifiedTime"].timestamp() > limit):
                    return True
        return False


def _backwards(count: int) -> Iterator[range]:
    """Yield the indices below `count` from the end on, in ranges of 1, 2, 4 and so on.

    Usually the last interval or the one before it is settled; if none is, all are read in few requests.
    """
    size = 1
    while count > 0:
        yield range(max(count - size, 0), count)
        count, size = count - size, size * 2
