"""The steps that make and judge a model: train and evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context

from flywheel.links import CARD, REPORT_PAGE, evaluation_links
from flywheel.operators.job import JobOperator, OrderedOperator, input_of
from include.core.documents.ledger import Entry
from include.core.documents.results import TrainResult
from include.core.exceptions import OutputMissing
from include.core.layout import Interval, folder_of
from include.core.ledger import champion_as_of
from include.core.sagemaker.inputs import record_output
from include.core.sagemaker.requests import Source, StepInput, StepInputs
from include.core.sagemaker.runner import AttachedJob


def model_input(model_uri: str) -> StepInput:
    """Return the folder of a `model.tar.gz` as a step's input."""
    return StepInput(Source(folder_of(model_uri)), model_uri)


class TrainOperator(JobOperator):
    """Fit the challenger, on the training rows only."""

    step = "train"
    result_type = TrainResult

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - the transform knows its interval
        """Return the training and the validation rows; the holdout stays out of reach."""
        rows = self.output_of(context, "transform")
        return StepInputs({name: input_of(rows, f"{name}/") for name in ("train", "validation")})

    def outcome(self, attached: AttachedJob, description: Mapping[str, Any]) -> dict[str, Any]:
        """Return the model's place; its digest is its key, since a fitted model's bytes are not stable.

        Its archive is made by SageMaker, so that the manifest beside it is written here.
        """
        uri: str = description["ModelArtifacts"]["S3ModelArtifacts"]
        # A job of the same name may have written to another bucket, before the setting was changed.
        if not uri.startswith(attached.uri) or not self.hook.sizes(uri):
            raise OutputMissing(f"The model {uri} of {attached.job} is gone. Clear the task to train again.")
        record_output(self.hook, folder_of(uri), self.key_record(attached))
        values = description.get("FinalMetricDataList", [])
        metrics = {metric["MetricName"]: metric["Value"] for metric in values}
        return {"digest": attached.key, "counts": {}, "metrics": metrics, "model_uri": uri}


class EvaluateOperator(OrderedOperator):
    """Compare challenger, champion and baselines on the holdout that none of them has seen.

    Waits for the decision about the interval before: until then it is open who the champion is.
    """

    step = "evaluate"
    need = "decided"
    operator_extra_links = (*JobOperator.operator_extra_links, REPORT_PAGE, CARD)

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """Return the holdout, the challenger, and the champion as of the interval where there is one.

        The training rows are sampled for monitoring; no model is judged by them.
        """
        rows = self.output_of(context, "transform")
        inputs = {name: input_of(rows, f"{name}/") for name in ("train", "holdout")}
        inputs["challenger"] = model_input(self.result_of(context, "train", TrainResult).model_uri)
        if champion := self._champion(interval):
            inputs["champion"] = model_input(champion.model_uri)
        return StepInputs(inputs)

    def _champion(self, interval: Interval) -> Entry | None:
        champion = champion_as_of(self.ledger.entries(), interval.end, inclusive=False)
        if champion is None:
            self.log.info("No champion before %s: only the baselines to beat", interval.end.isoformat())
        else:
            self.log.info("Champion as of %s: %s", interval.end.isoformat(), champion.version)
        return champion

    def extra_links(self, attached: AttachedJob) -> dict[str, str]:
        """Return the report with its plots, and the model card."""
        return evaluation_links(self.cycle.name, attached.uri)
