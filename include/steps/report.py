"""report: one window for people, as one HTML page.

Reads `monitored` (the window's evidence, distributions and violations) and `report_input` (the last
windows, the decision, promotions and provenance); writes `report.html`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from include.core.layout import DISTRIBUTIONS, EVIDENCE, REPORT, REPORT_INPUT, VIOLATIONS
from include.ml.exceptions import InvalidInput
from include.ml.reports.window.page import WindowReport, render_window
from include.steps.contract import Step, run
from include.steps.manifest import write_manifest


def report(step: Step) -> dict[str, int]:
    """Write the page; return the metrics."""
    monitored, rule = step.required("monitored"), step.description.monitoring
    evidence = read_document(monitored / EVIDENCE)
    page = render_window(
        WindowReport(
            report_input=read_document(step.required("report_input") / REPORT_INPUT),
            evidence=evidence,
            distributions=read_document(monitored / DISTRIBUTIONS),
            violations=read_document(monitored / VIOLATIONS)["violations"],
            limits={"distance": rule.minimum_distance, "matured_share": rule.matured_share},
            private=frozenset(rule.private),
        )
    )
    (step.output / REPORT).write_text(page, encoding="utf-8")
    rows = int(evidence["rows"])
    write_manifest(step, counts={"rows_in": rows, "rows_out": rows})
    return {"rows": rows, "bytes": len(page.encode())}


def read_document(path: Path) -> dict[str, Any]:
    """Read a JSON file of an input."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path.name} cannot be read ({error}). Run monitor and decide for the window again, then report."
        ) from error
    return found


def main() -> None:
    """Run the step in its container."""
    run("report", report)
