"""The input of a window's report beside its own evidence, `report_input.json`, from the records in S3.

Nothing in it says when or by whom it was put together, so that a report is made anew only where it would say
something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from include.core.cycle import Cycle
from include.core.documents.codec import narrow
from include.core.documents.ledger import Entry
from include.core.documents.monitoring import Evidence, FeatureShift, PredictionShift, SeparabilityShift
from include.core.documents.reports import (
    Coverage,
    DecisionSummary,
    PromotionMark,
    Provenance,
    ReportInput,
    WindowSummary,
)
from include.core.documents.retraining import RetrainingDecision
from include.core.layout import Interval
from include.core.ledger import is_withdrawn
from include.core.retraining.records import Snapshot
from include.core.retraining.rule import Finding
from include.core.schedule import last_windows

#: windows in a report, its own included
WINDOWS = 24
VERSION = 1


def report_input(
    cycle: Cycle,
    *,
    snapshot: Snapshot,
    entries: list[Entry],
    decision: RetrainingDecision,
    coverage: Coverage | None,
    provenance: Iterable[Provenance],
) -> ReportInput:
    """Return the input of the report about the window of a decision.

    :param snapshot: the watch records, the window's own among them
    :param entries: the ledger
    :param coverage: of the window, if its DAG has collect
    :param provenance: all that the report is made from
    """
    windows = last_windows(cycle, decision.window, WINDOWS)
    findings = snapshot.findings(windows[0].start)
    records = [record for window in windows if (record := snapshot.record(window)) is not None]
    return ReportInput(
        version=VERSION,
        cycle=cycle.name,
        window=decision.window,
        windows=tuple(
            _summary(record.evidence, findings[record.evidence.window], decision.window)
            for _, record in records
        ),
        decision=narrow(DecisionSummary, decision),
        promotions=tuple(_promotions(entries, windows)),
        coverage=coverage,
        provenance=tuple(provenance),
    )


def _summary(evidence: Evidence, finding: Finding, window: Interval) -> WindowSummary:
    """Return a window's evidence as far as a strip and a curve show it, with its quality as known by now."""
    quality = finding.quality_at(window.end)
    separability, predictions = evidence.separability, evidence.predictions
    return WindowSummary(
        window=evidence.window,
        rows=evidence.rows,
        champion=evidence.champion,
        broken=tuple(replace(fault, description=None) for fault in evidence.broken),
        features=tuple(narrow(FeatureShift, feature) for feature in evidence.features),
        separability=narrow(SeparabilityShift, separability) if separability else None,
        predictions=narrow(PredictionShift, predictions) if predictions else None,
        quality=(quality,) if quality else (),
        estimate=evidence.estimate,
        alarm=replace(evidence.alarm, is_alarm=finding.alarms(window.end)),
    )


def _promotions(entries: list[Entry], windows: Sequence[Interval]) -> list[PromotionMark]:
    """Return the promotions that could become the champion of one of the windows, and were not withdrawn."""
    return [
        PromotionMark(number=entry.number, version=entry.version or "", data_end=entry.data_end)
        for entry in entries
        if entry.kind == "promotion"
        and windows[0].start <= entry.data_end <= windows[-1].start
        and not is_withdrawn(entries, entry)
    ]
