"""The steps that make data: fetch, clean, transform and prepare."""

from __future__ import annotations

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.intervals import BY_ASSET, run_requests
from flywheel.operators.base import Result, run_identity
from flywheel.operators.job import JobOperator, OrderedOperator, TableOperator, input_of
from include.core.exceptions import IntervalError
from include.core.history import (
    Partition,
    cleaned,
    fetch_sources,
    own_partition,
    partitions_input,
)
from include.core.layout import Interval
from include.core.sagemaker.requests import StepInput, StepInputs


class FetchOperator(TableOperator):
    """Take the interval's data from its source, as Parquet.

    As the first step it tells what a run that monitoring asked for answers, and skips one that has nothing
    new to answer.
    """

    step = "fetch"

    def execute(self, context: Context) -> Result:
        """Look at what was asked for, if anything was; then do the step's job."""
        if context["dag_run"].run_type == BY_ASSET:
            self.check_requests(context)
        return super().execute(context)

    def check_requests(self, context: Context) -> None:
        """Skip the run if another one has answered since, or nobody has asked."""
        try:
            requests = run_requests(context["dag_run"], self.cycle, self.requests.entries())
        except IntervalError as error:
            raise AirflowSkipException(str(error)) from error
        ours = run_identity(context)
        decisions = [e for e in self.ledger.entries() if e.kind == "decision" and dict(e.by) != ours]
        answer = next((e for e in decisions if e.data_end >= requests[-1].data_end), None)
        if answer is not None:
            raise AirflowSkipException(
                f"Nothing new is asked for: entry {answer.number} of the ledger, by {answer.by['run_id']}, "
                f"is a decision about data up to {answer.data_end.isoformat()}."
            )
        for request in requests:
            if all(entry.data_end < request.data_end for entry in decisions):
                self.log.info(
                    "Request %d, of window %s: %s", request.number, request.window, " ".join(request.reasons)
                )

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - nothing comes before it
        """Return the objects of a source in S3; any other source the cycle's own package knows."""
        sources = fetch_sources(self.cycle, interval)
        return StepInputs({name: StepInput.at(uri) for name, uri in sources.items()})


class CleanOperator(TableOperator):
    """Validate, unify and deduplicate what was fetched; bad rows go to quarantine."""

    step = "clean"

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - the fetch knows its interval
        """Return what was fetched for the interval."""
        return StepInputs({"fetch": input_of(self.output_of(context, "fetch"))})


class TransformOperator(TableOperator, OrderedOperator):
    """Join and combine attributes, and split by time into train, validation and holdout.

    Waits for the cleaned data of the intervals before.
    """

    step = "transform"
    need = "cleaned"

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:
        """One list of all cleaned partitions, none of them later than the interval."""
        own = own_partition(self.hook, self.output_of(context, "clean"))
        return list_of(self, cleaned(self.hook, self.cycle, interval, self.settings, own=own))


class PrepareOperator(TableOperator):
    """Make the interval's records ready for scoring, and collect the labels known by its end."""

    step = "prepare"

    def step_inputs(self, context: Context, interval: Interval) -> StepInputs:  # noqa: ARG002 - the clean knows its interval
        """Return the interval's own cleaned partition; scoring needs no history."""
        return list_of(self, [own_partition(self.hook, self.output_of(context, "clean"))])


def list_of(operator: JobOperator, partitions: list[Partition]) -> StepInputs:
    """One input for all partitions, however many: a list of their files."""
    given = partitions_input(operator.hook, operator.cycle, partitions, operator.settings)
    operator.log.info("Reading %d cleaned intervals by %s", len(partitions), given.source.uri)
    return StepInputs({"clean": given})
