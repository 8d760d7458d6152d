"""The steps that score a window with the champion and monitor both: batch_transform to report, and expire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.links import REPORT_PAGE, cycle_page, file_url
from flywheel.operators.base import CycleOperator, Result
from flywheel.operators.job import JobOperator, TableOperator, input_of
from flywheel.operators.serving import ServingOperator
from include.core.documents.codec import digest
from include.core.documents.ledger import Entry
from include.core.documents.monitoring import Evidence
from include.core.documents.reports import Coverage, Provenance
from include.core.documents.results import DecideRetrainingResult, ExpireResult, JobResult
from include.core.exceptions import NoChampion, OutputMissing
from include.core.history import check_output
from include.core.layout import (
    COVERAGE,
    DISTRIBUTIONS,
    EVIDENCE,
    MODEL_CARD_PAGE,
    REPORT,
    REPORT_INPUT,
    Interval,
    training_dag,
)
from include.core.ledger import champion_as_of
from include.core.retraining.late_labels import LateLabels
from include.core.retraining.records import MonitoringLog, Snapshot
from include.core.retraining.report_input import report_input
from include.core.sagemaker.captures import Expiry, as_input, captured_files, truth_files
from include.core.sagemaker.inputs import check_objects, record_output
from include.core.sagemaker.requests import ApiRequest, JobSpec, Source, StepInput, StepInputs, transform
from include.core.sagemaker.runner import AttachedJob
from include.core.schedule import starting_at


class BatchTransformOperator(ServingOperator, JobOperator):
    """Score the interval's records with the champion as of the interval's start."""

    step = "batch_transform"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """Return the prepared records and the champion, which none of them helped to train."""
        prepared, champion = self.output_of(context, "prepare"), champion_of(self, interval)
        return StepInputs({"batch": input_of(prepared, "batch/"), "model": StepInput.at(champion.model_uri)})

    def request(self, spec: JobSpec, given: StepInputs) -> ApiRequest:
        """Return a transform job by the champion's model, after a look at what it is to score."""
        check_objects(self.hook, given.inputs["batch"].source.uri, given.inputs["batch"].digest)
        model_name = self.put_model(given.inputs["model"].source.uri, spec.interval)
        batch_uri = given.inputs["batch"].source.uri
        is_json = any(name.endswith(".jsonl") for name in self.hook.sizes(batch_uri))
        return transform(spec, model_name, batch_uri, "application/jsonlines" if is_json else "text/csv")

    def outcome(self, attached: AttachedJob, description: Mapping[str, Any]) -> dict[str, Any]:
        """One answer file per file of records, and a manifest of them, which a transform job cannot write."""
        batch = description["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        record_output(self.hook, attached.uri, self.key_record(attached))
        manifest = check_output(self.hook, attached.uri, attached.key)
        answers = {file.name for file in manifest.files}
        missing = sorted(f"{name}.out" for name in self.hook.sizes(batch) if f"{name}.out" not in answers)
        if missing:
            raise OutputMissing(f"{attached.uri} lacks {', '.join(missing)}. Clear the task.")
        return {"digest": manifest.digest, "counts": {"files": len(answers)}, "metrics": {}}


class MonitorOperator(JobOperator):
    """Compare the interval's data with the champion's baseline, and its predictions with the labels."""

    step = "monitor"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """Return what was prepared and predicted, and the predicting model's baseline and own evaluation."""
        champion = champion_of(self, interval)
        return StepInputs(
            {
                "prepared": input_of(self.output_of(context, "prepare")),
                "scored": input_of(self.output_of(context, "batch_transform")),
                "collected": input_of(self.output_of(context, "collect")),
                "baseline": StepInput.at(f"{champion.transform_uri}baseline/", champion.transform_digest),
                "evaluated": StepInput.at(champion.evaluation_uri, champion.evaluation_digest),
            },
            {
                "champion-version": champion.version or "",
                "champion-data-end": champion.data_end.isoformat(),
                "champion-evaluation-uri": champion.evaluation_uri,
            },
        )


def champion_of(operator: CycleOperator, interval: Interval) -> Entry:
    """Return the version that was in production when an interval began.

    :raises AirflowSkipException: a window that begins before the first training interval ends
    :raises NoChampion: any other without one
    """
    champion = champion_as_of(operator.ledger.entries(), interval.start, inclusive=True)
    if champion is not None:
        return champion
    cycle = operator.cycle
    first = starting_at(cycle, cycle.start.isoformat())
    if interval.start < first.end:
        raise AirflowSkipException(
            f"No model was before {interval}: the first of {cycle.name} is of {first}."
        )
    raise NoChampion(
        f"No version of {cycle.name} was promoted on data up to {interval.start.isoformat()}, so there is "
        f"nothing to score {interval} with. Run {training_dag(cycle.name)} for an earlier interval first."
    )


class CollectOperator(TableOperator):
    """Bring together what was predicted for the window's events and what has become known of them."""

    step = "collect"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """Return the batch answers, what the endpoint captured, and every label that can be seen now.

        Labels keep the time at which they became known, so that seeing more of them than a window did
        changes nothing about what was known at its end.
        """
        tasks = {"prepared": "prepare", "scored": "batch_transform"}
        inputs = {name: input_of(self.output_of(context, task)) for name, task in tasks.items()}
        where = (self.hook, self.settings, self.cycle)
        lists = {
            "captured": (self.places.captured, captured_files(*where, interval)),
            "truth": (self.places.ground_truth, truth_files(*where, interval)),
        }
        for name, (root, files) in lists.items():
            self.log.info("%s: %d files below %s", name, len(files), root)
            if files:
                inputs[name] = as_input(*where, root, files)
        return StepInputs(inputs, {"model": champion_of(self, interval).model_uri})


class MatureOperator(JobOperator):
    """Judge earlier windows of the same champion again, if labels came after they were monitored.

    Skipped where no ground truth has come since, which is told by the lists that the windows' collects read.
    """

    step = "mature"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - nothing of this run is read
        """Return the predictions of the windows before, and the labels delivered by the window's end.

        :raises AirflowSkipException: there is nothing new
        """
        version = champion_of(self, interval).version
        late = LateLabels(self.hook, self.settings, self.cycle)
        windows = late.windows(interval, version)
        files = late.truth(interval, [item.earlier.window for item in windows])
        if not files:
            raise AirflowSkipException(
                f"No labels have come late: nothing before {interval} is judged again."
            )
        where = (self.hook, self.settings, self.cycle)
        collected = [file for item in windows for file in item.files]
        self.log.info("Judging %s again", ", ".join(str(item.earlier.window) for item in windows))
        return StepInputs(
            {
                "plan": late.put_plan(interval, windows),
                # their manifests name these files, other than what endpoints and people deliver
                "earlier": replace(as_input(*where, self.places.step("collect"), collected), listed=None),
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
        return self.result(
            ExpireResult,
            interval=self.interval(context),
            uri=self.places.captured,
            counts={"removed": count},
        )


class ReportOperator(JobOperator):
    """Make the window's report: one HTML page of what drifted, how good the model is, and what was decided.

    Comes after `decide`. It takes from the results of this run

    - `monitor`: `uri` and `digest` of its output (evidence.json, distributions.json,
      constraint_violations.json), which becomes the job's input `monitored`;
    - `decide`: `decision` (the decision record), `uri` (the record's) and `record` (the watch record's URI);
    - `collect`: `uri`, below which coverage.json is; without that task the report tells no coverage.

    The watch records of the last windows and the ledger it reads itself, and puts all that with the decision
    to S3 as `<cycle>/report-inputs/<digest>/report_input.json`, the job's input `report_input`: the same
    content gives the same report.
    """

    step = "report"
    is_of_window = True
    operator_extra_links = (*JobOperator.operator_extra_links, REPORT_PAGE)

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - the decision knows it
        """Return what was found in the window, and what lies around it."""
        monitored = self.output_of(context, "monitor")
        decided = self.result_of(context, "decide", DecideRetrainingResult)
        collected = self.optional_output(context, "collect")
        content = report_input(
            self.cycle,
            snapshot=Snapshot(MonitoringLog(self.hook.s3, self.settings.bucket, self.cycle.name)),
            entries=self.ledger.entries(),
            decision=decided.decision,
            coverage=self.document_of(collected, COVERAGE, Coverage) if collected else None,
            provenance=self._provenance(monitored, decided, collected),
        )
        name = digest(content.as_json())
        folder = self.places.report_input(name)
        self.hook.put_document(f"{folder}{REPORT_INPUT}", content)
        return StepInputs({"monitored": input_of(monitored), "report_input": StepInput(Source(folder), name)})

    def extra_links(self, attached: AttachedJob) -> dict[str, str]:
        """Return the page."""
        return {"Report": file_url(self.cycle.name, f"{attached.uri}{REPORT}")}

    def _provenance(
        self, monitored: JobResult, decided: DecideRetrainingResult, collected: JobResult | None
    ) -> Iterator[Provenance]:
        """Yield all that the report is made from, as addresses."""
        for what, file in (("evidence", EVIDENCE), ("distributions", DISTRIBUTIONS)):
            yield Provenance(what=what, uri=f"{monitored.uri}{file}", digest=monitored.digest)
        if collected is not None:
            yield Provenance(what="labels by age", uri=f"{collected.uri}{COVERAGE}", digest=collected.digest)
        yield Provenance(what="watch record", uri=decided.record, digest="")
        yield Provenance(what="decision", uri=decided.uri, digest="")
        evaluated = self.document_of(monitored, EVIDENCE, Evidence).champion.evaluation_uri
        yield Provenance(what="the champion's evaluation", uri=f"{evaluated}{REPORT}", digest="")
        yield Provenance(what="the champion's model card", uri=f"{evaluated}{MODEL_CARD_PAGE}", digest="")
