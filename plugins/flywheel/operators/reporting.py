"""The step that shows a window to people: report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk import Context

from flywheel.links import ReportLink, object_url
from flywheel.operators.base import Result
from flywheel.operators.job import JobOperator
from include.core.exceptions import OutputMissing
from include.core.keys import canonical, digest
from include.core.layout import (
    COVERAGE,
    DISTRIBUTIONS,
    EVIDENCE,
    MODEL_CARD_PAGE,
    REPORT,
    REPORT_INPUT,
    Interval,
)
from include.core.report_input import story
from include.core.retraining.records import Snapshot, WatchLog
from include.core.sagemaker.requests import Source, StepInput, StepInputs
from include.core.sagemaker.runner import AttachedJob


class ReportOperator(JobOperator):
    """Make the window's report: one HTML page of what drifted, how good the model is, and what was decided.

    Comes after `decide`. It takes from the results of this run

    - `monitor`: `uri` and `digest` of its output (evidence.json, distributions.json,
      constraint_violations.json), which becomes the job's input `monitored`;
    - `decide`: `decision` (the decision record), `uri` (the record's) and `record` (the watch record's URI);
    - `collect`: `uri`, below which coverage.json is; without that task the report tells no coverage.

    The watch records of the last windows and the ledger it reads itself, and puts all that with the decision
    to S3 as `<cycle>/stories/<digest>/story.json`, the job's input `story`: an unchanged story gives the
    same report.
    """

    step = "report"
    is_of_window = True
    operator_extra_links = (*JobOperator.operator_extra_links, ReportLink())

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """What was found in the window, and the story around it."""
        monitored = self.result_of(context, "monitor")
        told = story(
            self.cycle,
            interval,
            snapshot=Snapshot(WatchLog(self.hook.s3, self.settings.bucket, self.cycle.name)),
            entries=self.ledger.entries(),
            decision=self.result_of(context, "decide")["decision"],
            coverage=self._coverage(context),
            provenance=self._provenance(context, monitored),
        )
        name = digest(told)
        folder = self.places.report_input(name)
        self.hook.put_once(f"{folder}{REPORT_INPUT}", canonical(told).encode())
        return StepInputs(
            {
                "monitored": StepInput(Source(monitored["uri"]), monitored["digest"]),
                "story": StepInput(Source(folder), name),
            }
        )

    def extra_links(self, attached: AttachedJob) -> dict[str, str]:
        """The page."""
        return {"Report": object_url(self.hook, f"{attached.uri}{REPORT}")}

    def _collected(self, context: Context) -> Result | None:
        """What `collect` handed on, in DAGs that have it."""
        found = context["ti"].xcom_pull(task_ids=self.results_from.get("collect", "collect"))
        return dict(found) if isinstance(found, Mapping) else None

    def _coverage(self, context: Context) -> dict[str, Any] | None:
        collected = self._collected(context)
        if collected is None:
            return None
        uri = f"{collected['uri']}{COVERAGE}"
        coverage = self.hook.read_json(uri)
        if coverage is None:
            raise OutputMissing(f"The job {collected['job']} left no {uri}. Clear `collect`.")
        return coverage

    def _provenance(self, context: Context, monitored: Result) -> Iterator[dict[str, str]]:
        """All that the report is made from, as addresses."""
        decided, collected = self.result_of(context, "decide"), self._collected(context)
        files = {"evidence": EVIDENCE, "distributions": DISTRIBUTIONS}
        for what, file in files.items():
            yield {"what": what, "uri": f"{monitored['uri']}{file}", "digest": monitored["digest"]}
        if collected is not None:
            uri = f"{collected['uri']}{COVERAGE}"
            yield {"what": "labels by age", "uri": uri, "digest": collected["digest"]}
        yield {"what": "watch record", "uri": decided["record"], "digest": ""}
        yield {"what": "decision", "uri": decided["uri"], "digest": ""}
        place = self._evidence(monitored)["champion"]["evaluation_uri"]
        yield {"what": "the champion's evaluation", "uri": f"{place}{REPORT}", "digest": ""}
        yield {"what": "the champion's model card", "uri": f"{place}{MODEL_CARD_PAGE}", "digest": ""}

    def _evidence(self, monitored: Result) -> dict[str, Any]:
        uri = f"{monitored['uri']}{EVIDENCE}"
        evidence = self.hook.read_json(uri)
        if evidence is None:
            raise OutputMissing(f"The job {monitored['job']} left no {uri}. Clear `monitor`.")
        return evidence
