"""monitor: compare a window's data and answers with the champion's baseline, and decide if it is an alarm."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from include.core.layout import EVIDENCE
from include.ml.monitoring.alarms import AlarmRule, judge_evidence
from include.steps.contract import Step, run
from include.steps.manifest import write_json, write_manifest
from include.steps.monitoring.data import monitor_data
from include.steps.monitoring.quality import monitor_quality

#: parameters that describe the champion, by their names in evidence.json
CHAMPION = {
    "version": "champion-version",
    "data_end": "champion-data-end",
    "evaluation_uri": "champion-evaluation-uri",
}


def monitor(step: Step) -> dict[str, float]:
    """Write the findings about data and quality, and evidence.json, which joins them."""
    data, quality = monitor_data(step), monitor_quality(step)
    metrics = {**data.pop("metrics"), **quality.pop("metrics")}
    n_rows = data["rows"]
    evidence = {
        "version": 1,
        "window": [step.start.isoformat(), step.end.isoformat()],
        "champion": {name: step.parameters.get(parameter) for name, parameter in CHAMPION.items()},
        **data,
        **quality,
        "alarm": judge_window(step, data, quality),
    }
    write_json(step.output / EVIDENCE, evidence)
    counts = {"rows_in": n_rows, "rows_out": n_rows, "rows_quarantined": 0, "rows_duplicate": 0}
    metrics["alarm"] = int(evidence["alarm"]["is_alarm"])
    write_manifest(step, counts=counts, metrics=metrics)
    return {"rows_in": n_rows, **metrics}


def judge_window(step: Step, data: dict[str, Any], quality: dict[str, Any]) -> dict[str, Any]:
    """Return the `alarm` of evidence.json, by the cycle's rule and what was known at the window's end.

    Labels that became known later count for later decisions only, so a window gives the same alarm whenever
    it is monitored.
    """
    known = [each for each in quality["quality"] if datetime.fromisoformat(each["cutoff"]) <= step.end]
    rules = step.description.monitoring
    rule = AlarmRule(
        minimum_rows=rules.minimum_rows,
        minimum_importance=rules.minimum_importance,
        separability_limit=rules.separability_limit,
        matured_share=rules.matured_share,
    )
    return judge_evidence(
        rule,
        rows=data["rows"],
        broken=data["broken"],
        features=data["features"],
        separability=data["separability"],
        predictions=data["predictions"],
        quality=known,
    )


def main() -> None:
    """Run the step in its container."""
    run("monitor", monitor)
