"""Decide about retraining for a window, and again for later windows, from what is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.core.cycle import Cycle
from include.core.documents.ledger import Entry
from include.core.layout import Interval
from include.core.ledger import Ledger
from include.core.retraining.records import CIRCUMSTANCES, MonitoringLog, RetrainingRequests, Snapshot, now
from include.core.retraining.requests import Moment, emission
from include.core.retraining.rule import Finding, Json, Past, judge_retraining
from include.core.schedule import last_windows, newest_complete


@dataclass(frozen=True)
class Decided:
    """A recorded decision and its URI."""

    uri: str
    decision: Json


class RetrainingDecisions:
    """The decisions about one cycle's windows on behalf of one run.

    :param s3: a boto3 client for S3
    :param by: dag_id and run_id of the run
    """

    def __init__(self, s3: Any, bucket: str, cycle: Cycle, by: Mapping[str, str]) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        self.cycle, self.by = cycle, dict(by)
        self.log = MonitoringLog(s3, bucket, cycle.name)
        self.requests = RetrainingRequests(s3, bucket, cycle.name)
        self._ledger = Ledger(s3, bucket, cycle.name)

    def record_window(self, window: Interval, record: Json) -> str:
        """Record what was found in a window, and return the record's URI."""
        return self.log.put_record(window, {**record, "at": now(), "by": self.by})

    def decide(self, window: Interval, *, is_backfill: bool) -> Decided:
        """Decide about a recorded window, and record the decision."""
        snapshot = Snapshot(self.log)
        past = self.past(window)
        judgement = self._judge(snapshot, past)
        moment = Moment(
            is_backfill=is_backfill,
            newest=snapshot.windows()[-1],
            requests=self.requests.entries(),
            by=self.by,
            trainings=past.trainings,
        )
        return self._put(window, judgement, emission(judgement, past, moment))

    def decide_again(self, window: Interval) -> Iterator[Decided]:
        """Decide again about later windows whose decision this window's record changes."""
        snapshot = Snapshot(self.log)
        for later in [each for each in snapshot.windows() if each > window]:
            known = snapshot.decision(later)
            if known is None:
                continue  # its own run is about to decide
            past = self.past(later)
            judgement = self._judge(snapshot, past)
            if judgement != _judgement(known[1]):
                moment = Moment(
                    is_backfill=False,
                    newest=snapshot.windows()[-1],
                    requests=(),
                    by=self.by,
                    trainings=past.trainings,
                    is_again=True,
                )
                yield self._put(later, judgement, emission(judgement, past, moment))

    def past(self, window: Interval) -> Past:
        """Return what the rule looks at besides the findings."""
        return past_of(self.cycle, window, self._ledger.entries())

    def _judge(self, snapshot: Snapshot, past: Past) -> Json:
        own = snapshot.record(past.last[-1])
        assert own is not None  # noqa: S101 - both callers look at windows that are recorded
        since = Finding.of(own[1]["evidence"]).data_end
        findings = snapshot.findings(min(since, past.last[0].start))
        return judge_retraining(self.cycle.monitoring, findings, past)

    def _put(self, window: Interval, judgement: Json, asks: Json) -> Decided:
        decision = {**judgement, "emission": asks, "at": now(), "by": self.by}
        return Decided(self.log.put_decision(window, decision), decision)


def past_of(cycle: Cycle, window: Interval, entries: Iterable[Entry]) -> Past:
    """Return what the rule looks at besides the findings.

    :param entries: the ledger
    """
    newest = newest_complete(cycle, window.end)
    return Past(
        last=tuple(last_windows(cycle, window, cycle.monitoring.windows)),
        train_interval=newest if newest.start >= cycle.start else None,
        trainings=frozenset(entry.data_end for entry in entries if entry.kind == "decision"),
    )


def _judgement(decision: Json) -> Json:
    """Return a decision without what depends on the moment."""
    return {n: value for n, value in decision.items() if n not in {"emission", *CIRCUMSTANCES}}
