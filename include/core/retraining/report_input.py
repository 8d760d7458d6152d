"""The input of a window's report beside its own evidence, `report_input.json`, from the records in S3.

See "The report" in docs/explanation/monitoring.md. Nothing in it says when or by whom it was put together, so
that a report is made anew only where it would say something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from include.core.cycle import Cycle
from include.core.documents.ledger import Entry
from include.core.layout import Interval
from include.core.ledger import is_withdrawn
from include.core.retraining.records import CIRCUMSTANCES, Snapshot
from include.core.retraining.rule import Finding, Json
from include.core.schedule import last_windows

#: windows in a report, its own included
WINDOWS = 24
VERSION = 1


def report_input(
    cycle: Cycle,
    window: Interval,
    *,
    snapshot: Snapshot,
    entries: Sequence[Entry],
    decision: Mapping[str, Any],
    coverage: Mapping[str, Any] | None,
    provenance: Iterable[Mapping[str, str]],
) -> Json:
    """Return the content of report_input.json.

    :param snapshot: the watch records, the window's own among them
    :param entries: the ledger
    :param decision: the decision record of the window
    :param coverage: coverage.json of the window, if there is one
    :param provenance: `what`, `uri` and `digest` (or "") of all that the report is made from
    """
    windows = last_windows(cycle, window, WINDOWS)
    findings = snapshot.findings(windows[0].start)
    told = [
        _brief(found[1]["evidence"], findings[each], window)
        for each in windows
        if (found := snapshot.record(each)) is not None
    ]
    return {
        "version": VERSION,
        "cycle": cycle.name,
        "window": window.iso,
        "windows": told,
        "decision": {name: value for name, value in decision.items() if name not in CIRCUMSTANCES},
        "promotions": _promotions(list(entries), windows),
        "coverage": coverage,
        "provenance": list(provenance),
    }


def _brief(evidence: Json, finding: Finding, window: Interval) -> Json:
    """Return a window's evidence as far as a strip and a curve show it, with its quality as known by now."""
    judged = finding.judged(window.end)
    names = ("name", "distance", "importance", "is_drifted")
    return {
        "window": evidence["window"],
        "rows": evidence["rows"],
        "champion": evidence["champion"],
        "broken": [{"feature": each["feature"], "check": each["check"]} for each in evidence["broken"]],
        "features": [{name: each[name] for name in names} for each in evidence["features"]],
        "separability": _part(evidence, "separability", ("value", "limit", "is_drifted")),
        "predictions": _part(evidence, "predictions", ("distance", "is_drifted")),
        "quality": [judged] if judged else [],
        "estimate": evidence["estimate"],
        "alarm": {**evidence["alarm"], "is_alarm": finding.alarms(window.end)},
    }


def _part(evidence: Json, name: str, fields: Sequence[str]) -> Json | None:
    found = evidence.get(name)
    return {field: found.get(field) for field in fields} if found else None


def _promotions(entries: list[Entry], windows: Sequence[Interval]) -> list[Json]:
    """Return the promotions that could become the champion of one of the windows, and were not withdrawn."""
    found = [
        entry
        for entry in entries
        if entry.kind == "promotion"
        and windows[0].start <= entry.data_end <= windows[-1].start
        and not is_withdrawn(entries, entry)
    ]
    return [
        {"number": e.number, "version": e.version or "", "data_end": e.data_end.isoformat()} for e in found
    ]
