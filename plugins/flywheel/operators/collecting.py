"""The steps about captured traffic and ground truth: collect, mature and expire."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.links import cycle_page
from flywheel.operators.base import CycleOperator, Result
from flywheel.operators.job import JobOperator, TableOperator
from flywheel.operators.scoring import champion_of
from include.core.layout import Interval
from include.core.retraining.late_labels import Lateness
from include.core.sagemaker.captures import as_input, captured_files, truth_files
from include.core.sagemaker.requests import Source, StepInput, StepInputs
from include.core.sagemaker.retention import Expiry


class CollectOperator(TableOperator):
    """Bring together what was predicted for the window's events and what has become known of them."""

    step = "collect"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """The batch answers, what the endpoint captured, and every label that can be seen now.

        Labels keep the time at which they became known, so that seeing more of them than a window did
        changes nothing about what was known at its end.
        """
        prepared, scored = self.result_of(context, "prepare"), self.result_of(context, "batch_transform")
        inputs = {
            "prepared": StepInput(Source(prepared["uri"]), prepared["digest"]),
            "scored": StepInput(Source(scored["uri"]), scored["digest"]),
            **self._traffic(interval),
        }
        return StepInputs(inputs, {"model": champion_of(self, interval).model_uri})

    def _traffic(self, window: Interval) -> dict[str, StepInput]:
        """The lists of capture files and of ground-truth files; none for what there is none of."""
        where = (self.hook, self.settings, self.cycle)
        found = {
            "captured": (self.places.captured, captured_files(*where, window)),
            "truth": (self.places.ground_truth, truth_files(*where, window)),
        }
        for name, (root, files) in found.items():
            self.log.info("%s: %d files below %s", name, len(files), root)
        return {name: as_input(*where, root, files) for name, (root, files) in found.items() if files}


class MatureOperator(JobOperator):
    """Judge earlier windows of the same champion again, if labels came after they were watched.

    Skipped where no ground truth has come since, which is told by the lists that the windows' collects read.
    """

    step = "mature"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - nothing of this run is read
        """The predictions of the windows before, and the labels that were delivered by the window's end.

        :raises AirflowSkipException: there is nothing new
        """
        version = champion_of(self, interval).version
        late = Lateness(self.hook, self.settings, self.cycle)
        found = late.windows(interval, version)
        files = late.truth(interval, [each.window for each in found])
        if not files:
            raise AirflowSkipException(
                f"No labels have come late: nothing before {interval} is judged again."
            )
        where = (self.hook, self.settings, self.cycle)
        collected = [file for each in found for file in each.files]
        self.log.info("Judging %s again", ", ".join(str(each.window) for each in found))
        return StepInputs(
            {
                "plan": late.put_plan(interval, found),
                "earlier": as_input(*where, self.places.step("collect"), collected),
                "truth": as_input(*where, self.places.ground_truth, files),
            }
        )


class ExpireOperator(CycleOperator):
    """Remove captured traffic that is older than the cycle keeps it, whatever the interval of the run."""

    step = "expire"

    def execute(self, context: Context) -> Result:
        """Delete files of hours that are over for long enough; ground truth and all else stays.

        :raises AirflowSkipException: captured traffic is kept for ever
        """
        self.publish(context, cycle_page(self.cycle.name))
        retention = self.cycle.monitoring.retention
        if retention is None:
            raise AirflowSkipException(f"Captured traffic of {self.cycle.name} is kept for ever.")
        count = Expiry(self.hook, self.settings, self.cycle, datetime.now(UTC)).remove()
        self.log.info("Removed %d captured files older than %s", count, retention)
        return {
            "cycle": self.cycle.name,
            "step": self.step,
            "interval": self.interval(context).iso,
            "uri": self.places.captured,
            "counts": {"removed": count},
        }
