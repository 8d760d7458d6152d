"""The steps that use and watch the model in production: batch transform and monitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.operators.base import CycleOperator, Result
from flywheel.operators.job import JobOperator
from flywheel.operators.serving import ServingOperator
from include.core.documents.ledger import Entry
from include.core.exceptions import NoChampion, OutputMissing
from include.core.layout import Interval, training_dag
from include.core.ledger import champion_as_of
from include.core.sagemaker.requests import ApiRequest, JobSpec, Source, StepInput, StepInputs, transform
from include.core.sagemaker.runner import AttachedJob
from include.core.schedule import starting_at


class BatchTransformOperator(ServingOperator, JobOperator):
    """Score the interval's records with the champion as of the interval's start."""

    step = "batch_transform"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """The prepared records and the champion, which none of them helped to train."""
        prepared, champion = self.result_of(context, "prepare"), champion_of(self, interval)
        return StepInputs(
            {
                "batch": StepInput(Source(f"{prepared['uri']}batch/"), prepared["digest"]),
                "model": StepInput(Source(champion.model_uri), champion.model_uri),
            }
        )

    def request(self, spec: JobSpec, given: StepInputs) -> ApiRequest:
        """A transform job by the champion's model."""
        model_name = self.put_model(given.inputs["model"].source.uri, spec.interval)
        return transform(spec, model_name, given.inputs["batch"].source.uri)

    def outcome(self, attached: AttachedJob, description: Mapping[str, Any]) -> Result:
        """One answer file per file of records; its digest is the key: equal inputs give equal answers."""
        batch = description["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        answers = self.hook.sizes(attached.uri)
        missing = sorted(f"{name}.out" for name in self.hook.sizes(batch) if f"{name}.out" not in answers)
        if missing:
            raise OutputMissing(f"{attached.uri} lacks {', '.join(missing)}. Clear the task.")
        return {"digest": attached.key, "counts": {"files": len(answers)}, "metrics": {}}


class MonitorOperator(JobOperator):
    """Compare the interval's data with the champion's baseline, and its predictions with the labels."""

    step = "monitor"
    is_of_window = True

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """What was prepared and predicted, and the predicting model's baseline and own evaluation."""
        prepared, scored = self.result_of(context, "prepare"), self.result_of(context, "batch_transform")
        collected = self.result_of(context, "collect")
        champion = champion_of(self, interval)
        baseline = f"{champion.transform_uri}baseline/"
        return StepInputs(
            {
                "prepared": StepInput(Source(prepared["uri"]), prepared["digest"]),
                "scored": StepInput(Source(scored["uri"]), scored["digest"]),
                "collected": StepInput(Source(collected["uri"]), collected["digest"]),
                # The place of a step's output holds its key.
                "baseline": StepInput(Source(baseline), baseline),
                "evaluated": StepInput(Source(champion.evaluation_uri), champion.evaluation_uri),
            },
            {
                "champion-version": champion.version or "",
                "champion-data-end": champion.data_end.isoformat(),
                "champion-evaluation-uri": champion.evaluation_uri,
            },
        )


def champion_of(operator: CycleOperator, interval: Interval) -> Entry:
    """The version that was in production when an interval began.

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
