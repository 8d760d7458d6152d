"""report: one window for people, as one HTML page.

Reads `monitored` (the window's evidence, distributions and violations) and `report_input` (the last
windows, the decision, promotions and provenance); writes `report.html`.
"""

from __future__ import annotations

from include.core.documents.data import ConstraintViolations, Distributions
from include.core.documents.monitoring import Evidence
from include.core.documents.reports import ReportInput
from include.core.layout import DISTRIBUTIONS, EVIDENCE, REPORT, REPORT_INPUT, VIOLATIONS, version_of
from include.core.places import address_from_output
from include.ml.reports.window.page import WindowReport, render_window
from include.steps.contract import Step, read_document, run
from include.steps.manifest import write_manifest

AGAIN = "Run monitor and decide for the window again, then report."


def report(step: Step) -> dict[str, int]:
    """Write the page; return the metrics."""
    monitored, rule = step.required("monitored"), step.description.monitoring
    evidence = read_document(monitored / EVIDENCE, Evidence.from_text, AGAIN)
    given = read_document(step.required("report_input") / REPORT_INPUT, ReportInput.from_text, AGAIN)
    html = render_window(
        WindowReport(
            report_input=given,
            evidence=evidence,
            distributions=read_document(monitored / DISTRIBUTIONS, Distributions.from_text, AGAIN),
            violations=read_document(
                monitored / VIOLATIONS, ConstraintViolations.from_text, AGAIN
            ).violations,
            limits={"distance": rule.minimum_distance, "matured_share": rule.matured_share},
            version_of=version_of,
            address_of=address_from_output,
            private=frozenset(rule.private),
        )
    )
    (step.output / REPORT).write_text(html, encoding="utf-8")
    write_manifest(step, counts={"rows_in": evidence.rows, "rows_out": evidence.rows})
    return {"rows": evidence.rows, "bytes": len(html.encode())}


def main() -> None:
    """Run the step in its container."""
    run("report", report)
