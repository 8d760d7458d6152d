"""monitor: compare a window's data and answers with the champion's baseline, and decide if it is an alarm."""

from __future__ import annotations

from include.core.documents.monitoring import (
    Alarm,
    DataEvidence,
    Evidence,
    MonitoredChampion,
    QualityEvidence,
)
from include.core.layout import EVIDENCE, Interval
from include.ml.exceptions import InvalidInput
from include.ml.monitoring.alarms import AlarmRule, judge_evidence
from include.steps.contract import Step, parse_time, run
from include.steps.manifest import write_document, write_manifest
from include.steps.monitoring.data import monitor_data
from include.steps.monitoring.quality import monitor_quality


def monitor(step: Step) -> dict[str, float]:
    """Write the findings about data and quality, and evidence.json, which joins them."""
    (data, compared), (quality, judged) = monitor_data(step), monitor_quality(step)
    evidence = Evidence(
        version=1,
        window=Interval(step.start, step.end),
        champion=read_champion(step),
        alarm=judge_window(step, data, quality),
        **vars(data),
        **vars(quality),
    )
    write_document(step.output / EVIDENCE, evidence)
    counts = {"rows_in": data.rows, "rows_out": data.rows, "rows_quarantined": 0, "rows_duplicate": 0}
    metrics = {**compared, **judged, "alarm": int(evidence.alarm.is_alarm)}
    write_manifest(step, counts=counts, metrics=metrics)
    return {"rows_in": data.rows, **metrics}


def read_champion(step: Step) -> MonitoredChampion:
    """Return the champion that the job's parameters describe."""
    given = step.parameters
    missing = sorted({"champion-version", "champion-data-end"} - set(given))
    if missing:
        raise InvalidInput(f"The job has no --{' and no --'.join(missing)}. Name the champion to it.")
    return MonitoredChampion(
        version=given["champion-version"],
        data_end=parse_time("champion-data-end", given["champion-data-end"]),
        evaluation_uri=given.get("champion-evaluation-uri"),
    )


def judge_window(step: Step, data: DataEvidence, quality: QualityEvidence) -> Alarm:
    """Return whether the window alarms, by the cycle's rule and what was known at the window's end.

    Labels that became known later count for later decisions only, so a window gives the same alarm whenever
    it is monitored.
    """
    rules = step.description.monitoring
    rule = AlarmRule(
        minimum_rows=rules.minimum_rows,
        minimum_importance=rules.minimum_importance,
        matured_share=rules.matured_share,
    )
    return judge_evidence(rule, data, [known for known in quality.quality if known.cutoff <= step.end])


def main() -> None:
    """Run the step in its container."""
    run("monitor", monitor)
