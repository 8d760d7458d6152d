"""Decide about retraining for a window, and again for later windows, from what is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.core.cycle import Cycle
from include.core.documents.codec import narrow
from include.core.documents.ledger import Entry
from include.core.documents.monitoring import Evidence, MaturedQuality, WatchRecord
from include.core.documents.retraining import RetrainingDecision, RetrainingJudgement, RetrainingRequest
from include.core.layout import Interval
from include.core.ledger import Ledger
from include.core.retraining.records import MonitoringLog, RetrainingRequests, Snapshot
from include.core.retraining.requests import Moment, emission
from include.core.retraining.rule import Past, judge_retraining
from include.core.schedule import last_windows, newest_complete


@dataclass(frozen=True)
class Decided:
    """A recorded decision and its URI."""

    uri: str
    decision: RetrainingDecision


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

    def record_window(
        self, key: str, monitor_uri: str, evidence: Evidence, matured: Iterable[MaturedQuality] = ()
    ) -> str:
        """Record what was found in a window, and return the record's URI.

        :param key: of monitor
        :param monitor_uri: the output of monitor
        :param matured: what was found about earlier windows
        """
        record = WatchRecord(
            key=key,
            monitor_uri=monitor_uri,
            evidence=evidence,
            matured=tuple(matured),
            at=datetime.now(UTC),
            by=self.by,
        )
        return self.log.put_record(record)

    def decide(self, window: Interval, *, is_backfill: bool) -> Decided:
        """Decide about a recorded window, and record the decision."""
        return self._decide(Snapshot(self.log), window, self.requests.entries(), is_backfill=is_backfill)

    def decide_again(self, window: Interval) -> Iterator[Decided]:
        """Decide again about later windows whose decision this window's record changes."""
        snapshot = Snapshot(self.log)
        for later in [judged for judged in snapshot.windows() if judged > window]:
            known = snapshot.decision(later)
            if known is None:
                continue  # its own run is about to decide
            if self._judge(snapshot, self.past(later)) != narrow(RetrainingJudgement, known[1]):
                yield self._decide(snapshot, later, (), is_again=True)

    def past(self, window: Interval) -> Past:
        """Return what the rule looks at besides the findings."""
        return past_of(self.cycle, window, self._ledger.entries())

    def _judge(self, snapshot: Snapshot, past: Past) -> RetrainingJudgement:
        own = snapshot.record(past.last[-1])
        assert own is not None  # noqa: S101 - both callers look at windows that are recorded
        findings = snapshot.findings(min(own[1].evidence.champion.data_end, past.last[0].start))
        return judge_retraining(self.cycle.monitoring, findings, past)

    def _decide(
        self, snapshot: Snapshot, window: Interval, requests: Sequence[RetrainingRequest], **kind: bool
    ) -> Decided:
        """Judge a window, and record the decision.

        :param kind: `is_backfill` or `is_again`
        """
        past = self.past(window)
        judgement = self._judge(snapshot, past)
        moment = Moment(
            newest=snapshot.windows()[-1],
            requests=requests,
            by=self.by,
            trainings=past.trainings,
            **kind,
        )
        decision = RetrainingDecision(
            **vars(judgement), emission=emission(judgement, past, moment), at=datetime.now(UTC), by=self.by
        )
        return Decided(self.log.put_decision(decision), decision)


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
