"""The steps that make data: fetch, clean, transform and prepare."""

from __future__ import annotations

from airflow.sdk import Context

from flywheel.history import (
    Partition,
    cleaned,
    content_digest,
    fetch_sources,
    own_partition,
    put_manifest_file,
)
from flywheel.names import Interval
from flywheel.operators.job import JobOperator
from flywheel.operators.ordered import OrderedOperator
from flywheel.requests import Source
from flywheel.work import Input, Work


class FetchOperator(JobOperator):
    """Take the interval's data from its source, as Parquet."""

    step = "fetch"

    def work(self, context: Context, interval: Interval) -> Work:  # noqa: ARG002 - nothing comes before it
        """The objects of a source in S3; any other source the cycle's own package knows."""
        sources = fetch_sources(self.cycle, interval)
        return Work({name: Input(Source(uri), uri) for name, uri in sources.items()})


class CleanOperator(JobOperator):
    """Validate, unify and deduplicate what was fetched; bad rows go to quarantine."""

    step = "clean"

    def work(self, context: Context, interval: Interval) -> Work:  # noqa: ARG002 - the fetch knows its interval
        """What was fetched for the interval."""
        fetched = self.result_of(context, "fetch")
        return Work({"fetch": Input(Source(fetched["uri"]), fetched["digest"])})


class TransformOperator(OrderedOperator):
    """Join and combine attributes, and split by time into train, validation and holdout.

    Waits for the cleaned data of the intervals before.
    """

    step = "transform"
    need = "cleaned"

    def work(self, context: Context, interval: Interval) -> Work:
        """One list of all cleaned partitions, none of them later than the interval."""
        own = own_partition(self.hook, interval, self.result_of(context, "clean"))
        return list_of(self, cleaned(self.hook, self.cycle, interval, self.settings, own=own))


class PrepareOperator(JobOperator):
    """Make the interval's records ready for scoring, and collect the labels known by its end."""

    step = "prepare"

    def work(self, context: Context, interval: Interval) -> Work:
        """The interval's own cleaned partition; scoring needs no history."""
        return list_of(self, [own_partition(self.hook, interval, self.result_of(context, "clean"))])


def list_of(operator: JobOperator, partitions: list[Partition]) -> Work:
    """One input for all partitions, however many: a list of their files."""
    uri = put_manifest_file(operator.hook, operator.cycle, partitions, operator.settings)
    operator.log.info("Reading %d cleaned intervals by %s", len(partitions), uri)
    return Work({"clean": Input(Source(uri, "ManifestFile"), content_digest(partitions))})
