"""monitor: the interval's rows against the champion's baseline, its predictions against known labels."""

from __future__ import annotations

from include.jobs.contract import Step, run
from include.jobs.manifest import write_manifest
from include.jobs.watch_data import watch_data
from include.jobs.watch_quality import watch_quality


def monitor(step: Step) -> dict[str, float]:
    """Write statistics, constraints, violations and model quality."""
    drifted, n_rows = watch_data(step)
    quality = watch_quality(step)
    counts = {"rows_in": n_rows, "rows_out": n_rows, "rows_quarantined": 0, "rows_duplicate": 0}
    metrics = {**drifted, **quality["metrics"]}
    write_manifest(step, counts=counts, metrics=metrics)
    return {"rows_in": n_rows, **metrics}


def main() -> None:
    """Run the step in its container."""
    run("monitor", monitor)
