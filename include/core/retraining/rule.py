"""When a model is to be retrained: the rule of docs/explanation/monitoring.md.

A fold over what was found in the windows up to one of them. Pure: neither clock nor network, and nothing
depends on the order in which windows were monitored. Of the ledger the rule sees what had been trained on
data up to the window's start, as the window's champion was chosen. Whether somebody is answering already is a
matter of the moment, which `requests.py` looks at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from include.core.documents.codec import narrow
from include.core.documents.monitoring import Evidence, MonitoredChampion, WindowQuality
from include.core.documents.retraining import AlarmCount, RetrainingJudgement, RetrainingRule, WindowFinding
from include.core.layout import Interval
from include.core.monitoring import Monitoring


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the rule reads of one window's watch record."""

    window: Interval
    #: ARN of the champion that was monitored
    version: str
    #: end of the data that the champion was trained on
    data_end: datetime
    is_alarm: bool
    reasons: tuple[str, ...]
    #: why the window gives no alarm whatever it found: faults upstream, which alert and never retrain, or
    #: too few rows
    held_back: str | None
    #: by their cut-off
    quality: tuple[WindowQuality, ...]
    #: URI of the watch record
    record: str

    @classmethod
    def of(cls, evidence: Evidence, late: Iterable[WindowQuality] = (), *, record: str = "") -> Finding:
        """Return the finding of a window.

        :param late: its quality as later windows found it
        """
        quality = [*evidence.quality, *(narrow(WindowQuality, entry) for entry in late)]
        return cls(
            window=evidence.window,
            version=evidence.champion.version,
            data_end=evidence.champion.data_end,
            is_alarm=evidence.alarm.is_alarm,
            reasons=evidence.alarm.reasons,
            held_back=evidence.alarm.held_back,
            quality=tuple(sorted(quality, key=lambda entry: entry.cutoff)),
            record=record,
        )

    def quality_at(self, cutoff: datetime) -> WindowQuality | None:
        """Return the quality as it could be known at a time, or None."""
        known = [entry for entry in self.quality if entry.cutoff <= cutoff]
        return known[-1] if known else None

    def alarms(self, cutoff: datetime) -> bool:
        """Return whether the window asks for retraining, by what could be known at a time."""
        quality = self.quality_at(cutoff)
        return self.held_back is None and (self.is_alarm or (quality is not None and quality.is_worse))

    def why(self, cutoff: datetime) -> str:
        """Return what was found, in one sentence or some."""
        if self.held_back is not None:
            return f"held back: {self.held_back}"
        quality, reasons = self.quality_at(cutoff), list(self.reasons)
        if quality and quality.is_worse and not self.is_alarm:
            reasons += [
                f"{name} is surely worse, {number.value:.4f}, by labels that came late"
                for name, (number, _) in quality.losses.items()
            ]
        return "; ".join(reasons) or "nothing"


#: findings by their windows
Findings = Mapping[Interval, Finding]


@dataclass(frozen=True, kw_only=True)
class Past:
    """What there is besides the findings, as of one window."""

    #: the last windows of the rule, the decided one at the end
    last: tuple[Interval, ...]
    #: the newest training interval complete at the window's end, if there is one
    train_interval: Interval | None
    #: data ends of all trainings that were decided
    trainings: frozenset[datetime]


def judge_retraining(rule: Monitoring, findings: Findings, past: Past) -> RetrainingJudgement:
    """Return what the rule says of the last of `past.last`."""
    window = past.last[-1]
    newest = findings[window]
    counted = [findings[past_window] for past_window in past.last if past_window in findings]
    counted = [finding for finding in counted if finding.version == newest.version]
    alarmed = [finding for finding in counted if finding.alarms(window.end)]
    since = [f for f in findings.values() if newest.data_end <= f.window.start and f.window.end <= window.end]
    known = [finding.quality_at(window.end) for finding in since]
    labels = sum(quality.judged for quality in known if quality)
    done = [end for end in past.trainings if window.start - rule.budget_period < end <= window.start]
    against = [
        *_few_alarms(rule, window, newest, alarmed),
        *_too_soon(rule, window, newest, labels),
        *_nothing_new(newest, past),
    ]
    if len(done) >= rule.budget:
        against.append(
            f"There were {len(done)} trainings in {rule.budget_period}, and the budget is {rule.budget}."
        )
    return RetrainingJudgement(
        window=window,
        due=not against,
        reasons=tuple(f"{finding.window}: {finding.why(window.end)}." for finding in alarmed),
        against=tuple(against),
        rule=_rule(rule),
        alarms=_alarms(rule, findings, past, counted, alarmed),
        champion=MonitoredChampion(version=newest.version, data_end=newest.data_end),
        new_labels=labels,
        trainings_in_period=len(done),
        train_interval=past.train_interval,
        evidence={str(finding.window): _evidence(finding, window.end) for finding in counted},
    )


def _few_alarms(rule: Monitoring, window: Interval, newest: Finding, alarmed: list[Finding]) -> list[str]:
    """Return why the alarms do not suffice, if they do not."""
    if newest.held_back is not None:
        return [f"The newest window is {newest.why(window.end)}."]
    if newest not in alarmed:
        return ["The newest window gives no alarm."]
    if len(alarmed) < rule.alarms:
        return [f"{len(alarmed)} of the last {rule.windows} windows alarmed; it takes {rule.alarms}."]
    return []


def _too_soon(rule: Monitoring, window: Interval, newest: Finding, labels: int) -> list[str]:
    """Return what the cool-down and the labels to learn from say against it."""
    against = []
    if window.end < newest.data_end + rule.cool_down:
        against.append(f"The cool-down lasts until {(newest.data_end + rule.cool_down).isoformat()}.")
    if labels < rule.minimum_new_labels:
        against.append(
            f"{labels} labels have become known since the champion's data; it takes "
            f"{rule.minimum_new_labels}."
        )
    return against


def _nothing_new(newest: Finding, past: Past) -> list[str]:
    """Return why a training would see nothing that none has seen before."""
    wanted, start = past.train_interval, past.last[-1].start
    if wanted is None or wanted.end <= newest.data_end:
        return ["There is no complete training interval after the champion's data."]
    if wanted.end <= start and wanted.end in past.trainings:
        return [f"The training for {wanted} was decided before; there is no newer interval."]
    return []


def _alarms(
    rule: Monitoring, findings: Findings, past: Past, counted: list[Finding], alarmed: list[Finding]
) -> AlarmCount:
    since = findings[past.last[-1]].data_end
    missing = [window for window in past.last if window.start >= since and window not in findings]
    return AlarmCount(
        watched=len(counted),
        alarmed=len(alarmed),
        needed=rule.alarms,
        of=rule.windows,
        missing=tuple(map(str, missing)),
        held_back=tuple(str(finding.window) for finding in counted if finding.held_back is not None),
    )


def _evidence(finding: Finding, cutoff: datetime) -> WindowFinding:
    return WindowFinding(
        record=finding.record,
        is_alarm=finding.alarms(cutoff),
        why=finding.why(cutoff),
        quality=finding.quality_at(cutoff),
    )


def _rule(rule: Monitoring) -> RetrainingRule:
    """Return the part of a cycle's rules that decides about retraining."""
    return RetrainingRule(
        alarms=rule.alarms,
        windows=rule.windows,
        minimum_new_labels=rule.minimum_new_labels,
        budget=rule.budget,
        cool_down_s=rule.cool_down.total_seconds(),
        budget_period_s=rule.budget_period.total_seconds(),
    )
