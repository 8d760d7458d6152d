"""The steps that make and judge a model: train and evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context

from flywheel.links import ModelCardLink, ReportLink, object_url
from flywheel.operators.base import Result
from flywheel.operators.job import JobOperator, OrderedOperator
from include.core.documents.ledger import Entry
from include.core.exceptions import OutputMissing
from include.core.layout import MODEL_CARD_PAGE, REPORT, Interval, folder_of
from include.core.ledger import champion_as_of
from include.core.sagemaker.requests import Source, StepInput, StepInputs
from include.core.sagemaker.runner import AttachedJob


def model_folder(model_uri: str) -> Source:
    """Return the folder of a `model.tar.gz`."""
    return Source(folder_of(model_uri))


class TrainOperator(JobOperator):
    """Fit the challenger, on the training rows only."""

    step = "train"

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - the transform knows its interval
        """Return the training and the validation rows; the holdout stays out of reach."""
        made = self.result_of(context, "transform")
        channels = ("train", "validation")
        return StepInputs(
            {name: StepInput(Source(f"{made['uri']}{name}/"), made["digest"]) for name in channels}
        )

    def outcome(self, attached: AttachedJob, description: Mapping[str, Any]) -> Result:
        """Return the model's place; its digest is its key, since a fitted model's bytes are not stable."""
        uri: str = description["ModelArtifacts"]["S3ModelArtifacts"]
        # A job of the same name may have written to another bucket, before the setting was changed.
        if not uri.startswith(attached.uri) or not self.hook.sizes(uri):
            raise OutputMissing(f"The model {uri} of {attached.job} is gone. Clear the task to train again.")
        values = description.get("FinalMetricDataList", [])
        metrics = {metric["MetricName"]: metric["Value"] for metric in values}
        return {"digest": attached.key, "counts": {}, "metrics": metrics, "model_uri": uri}


class EvaluateOperator(OrderedOperator):
    """Compare challenger, champion and baselines on the holdout that none of them has seen.

    Waits for the decision about the interval before: until then it is open who the champion is.
    """

    step = "evaluate"
    need = "decided"
    operator_extra_links = (*JobOperator.operator_extra_links, ReportLink(), ModelCardLink())

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """Return the holdout, the challenger, and the champion as of the interval where there is one.

        The training rows are sampled for those who will watch the model; no model is judged by them.
        """
        transformed, trained = self.result_of(context, "transform"), self.result_of(context, "train")
        inputs = {
            "train": StepInput(Source(f"{transformed['uri']}train/"), transformed["digest"]),
            "holdout": StepInput(Source(f"{transformed['uri']}holdout/"), transformed["digest"]),
            "challenger": StepInput(model_folder(trained["model_uri"]), trained["model_uri"]),
        }
        champion = self._champion(interval)
        if champion:
            inputs["champion"] = StepInput(model_folder(champion.model_uri), champion.model_uri)
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
        pages = {"Report": REPORT, "Model card": MODEL_CARD_PAGE}
        return {name: object_url(self.hook, f"{attached.uri}{page}") for name, page in pages.items()}
