"""When a model is to be retrained: the rule of docs/explanation/monitoring.md.

A fold over what was found in the windows up to one of them. Pure: neither clock nor network, and nothing
depends on the order in which windows were watched. Of the ledger the rule sees what had been trained on data
up to the window's start, as the window's champion was chosen; whether somebody is answering already is a
matter of the moment, which `asking.py` looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from include.core.layout import Interval
from include.core.monitoring import Monitoring

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the rule reads of one window's watch record."""

    window: Interval
    #: ARN of the champion that was watched
    version: str
    #: end of the data that the champion was trained on
    data_end: datetime
    is_alarm: bool
    reasons: tuple[str, ...]
    #: why the window gives no alarm whatever it found: faults upstream, which alert and never retrain, or
    #: too few rows
    held_back: str | None
    #: entries of `quality`, by their cut-off
    quality: tuple[Json, ...]
    #: where the record is
    record: str

    @classmethod
    def of(cls, evidence: Mapping[str, Any], late: Sequence[Json] = (), *, record: str = "") -> Finding:
        """Return the finding of one `evidence.json`.

        :param late: entries of `quality` that later windows found about this one
        """
        champion, alarm = evidence["champion"], evidence["alarm"]
        quality = sorted([*evidence["quality"], *late], key=lambda entry: _time(entry["cutoff"]))
        return cls(
            window=Interval.from_iso(evidence["window"]),
            version=champion["version"],
            data_end=_time(champion["data_end"]),
            is_alarm=alarm["is_alarm"],
            reasons=tuple(alarm["reasons"]),
            held_back=alarm["held_back"],
            quality=tuple(quality),
            record=record,
        )

    def judged(self, cutoff: datetime) -> Json | None:
        """Return the quality as it could be known at a time, or None."""
        known = [entry for entry in self.quality if _time(entry["cutoff"]) <= cutoff]
        return known[-1] if known else None

    def alarms(self, cutoff: datetime) -> bool:
        """Whether the window asks for retraining, by what could be known at a time."""
        if self.held_back is not None:
            return False
        judged = self.judged(cutoff)
        return self.is_alarm or bool(judged and judged["is_worse"])

    def why(self, cutoff: datetime) -> str:
        """Return what it found, in one sentence or some."""
        if self.held_back is not None:
            return f"held back: {self.held_back}"
        judged, reasons = self.judged(cutoff), list(self.reasons)
        if judged and judged["is_worse"] and not self.is_alarm:
            reasons.append(f"{judged['metric']} has fallen to {judged['value']:.4f} by labels that came late")
        return "; ".join(reasons) or "nothing"


@dataclass(frozen=True, kw_only=True)
class Past:
    """What there is besides the findings, as of one window."""

    #: the last windows of the rule, the decided one at the end
    last: tuple[Interval, ...]
    #: the newest training interval complete at the window's end, if there is one
    train_interval: Interval | None
    #: data ends of all trainings that were decided
    trainings: frozenset[datetime]


def judge_retraining(rule: Monitoring, findings: Mapping[Interval, Finding], past: Past) -> Json:
    """Return what the rule says of the last of `past.last`: the decision record without its emission."""
    window = past.last[-1]
    newest = findings[window]
    counted = _counted(findings, past, newest)
    alarmed = [each for each in counted if each.alarms(window.end)]
    labels = _new_labels(findings, newest.data_end, window.end)
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
    return {
        "window": window.iso,
        "due": not against,
        "reasons": [f"{each.window}: {each.why(window.end)}." for each in alarmed],
        "against": against,
        "rule": _told(rule),
        "alarms": _alarms(rule, findings, past, counted, alarmed),
        "champion": {"version": newest.version, "data_end": newest.data_end.isoformat()},
        "new_labels": labels,
        "trainings_in_period": len(done),
        "train_interval": past.train_interval.iso if past.train_interval else None,
        "evidence": {str(each.window): _evidence(each, window.end) for each in counted},
    }


def _counted(findings: Mapping[Interval, Finding], past: Past, newest: Finding) -> list[Finding]:
    """Return the findings about the same champion among the last windows."""
    found = [findings[window] for window in past.last if window in findings]
    return [each for each in found if each.version == newest.version]


def _few_alarms(rule: Monitoring, window: Interval, newest: Finding, alarmed: list[Finding]) -> list[str]:
    """Why the alarms do not suffice, if they do not."""
    if newest.held_back is not None:
        return [f"The newest window is {newest.why(window.end)}."]
    if newest not in alarmed:
        return ["The newest window gives no alarm."]
    if len(alarmed) < rule.alarms:
        return [f"{len(alarmed)} of the last {rule.windows} windows alarmed; it takes {rule.alarms}."]
    return []


def _too_soon(rule: Monitoring, window: Interval, newest: Finding, labels: int) -> list[str]:
    """Cool-down, and labels to learn from."""
    told = []
    if window.end < newest.data_end + rule.cool_down:
        told.append(f"The cool-down lasts until {(newest.data_end + rule.cool_down).isoformat()}.")
    if labels < rule.minimum_new_labels:
        told.append(
            f"{labels} labels have become known since the champion's data; it takes "
            f"{rule.minimum_new_labels}."
        )
    return told


def _nothing_new(newest: Finding, past: Past) -> list[str]:
    """Why a training would see nothing that none has seen before."""
    wanted, start = past.train_interval, past.last[-1].start
    if wanted is None or wanted.end <= newest.data_end:
        return ["There is no complete training interval after the champion's data."]
    if wanted.end <= start and wanted.end in past.trainings:
        return [f"The training for {wanted} was decided before; there is no newer interval."]
    return []


def _new_labels(findings: Mapping[Interval, Finding], since: datetime, cutoff: datetime) -> int:
    """Labels of the windows from `since` to `cutoff`, of those that could be known then."""
    windows = [each for each in findings.values() if since <= each.window.start and each.window.end <= cutoff]
    judged = [each.judged(cutoff) for each in windows]
    return sum(entry["judged"] for entry in judged if entry)


def _alarms(
    rule: Monitoring,
    findings: Mapping[Interval, Finding],
    past: Past,
    counted: list[Finding],
    alarmed: list[Finding],
) -> Json:
    since = findings[past.last[-1]].data_end
    missing = [window for window in past.last if window.start >= since and window not in findings]
    return {
        "watched": len(counted),
        "alarmed": len(alarmed),
        "needed": rule.alarms,
        "of": rule.windows,
        "missing": [str(window) for window in missing],
        "held_back": [str(each.window) for each in counted if each.held_back is not None],
    }


def _evidence(finding: Finding, cutoff: datetime) -> Json:
    return {
        "record": finding.record,
        "is_alarm": finding.alarms(cutoff),
        "why": finding.why(cutoff),
        "quality": finding.judged(cutoff),
    }


def _told(rule: Monitoring) -> Json:
    """Return the part of a cycle's rules that decides about retraining."""
    names = ("alarms", "windows", "minimum_new_labels", "budget")
    spans = {f"{name}_s": getattr(rule, name).total_seconds() for name in ("cool_down", "budget_period")}
    return {name: value for name, value in asdict(rule).items() if name in names} | spans


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
