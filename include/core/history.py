"""What earlier steps left in S3, found by computing keys: nothing here ever looks for "the latest"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from include.core.cycle import Cycle, FileSource
from include.core.exceptions import HistoryIncomplete, OutputMissing
from include.core.keys import KeyRecord, canonical, digest, key_record
from include.core.layout import MANIFEST, Interval, Places, below_step, is_s3, training_dag
from include.core.sagemaker.client import SageMaker
from include.core.schedule import history
from include.core.settings import Settings

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Partition:
    """One interval's cleaned data."""

    interval: Interval
    key: str
    manifest: Manifest


def fetch_sources(cycle: Cycle, interval: Interval) -> dict[str, str]:
    """The S3 objects a fetch reads, by the name of the input; sources of other kinds the job opens itself."""
    if not isinstance(cycle.source, FileSource):
        return {}
    uris = {t: uri.format(start=interval.start, end=interval.end) for t, uri in cycle.source.tables.items()}
    return {f"source/{table}": uri for table, uri in uris.items() if is_s3(uri)}


def fetch_record(cycle: Cycle, interval: Interval, settings: Settings) -> KeyRecord:
    """Identity of a fetch: which data it reads, not what it turns out to be; that is the digest's part."""
    return key_record(
        step="fetch",
        cycle=cycle,
        interval=interval,
        inputs=fetch_sources(cycle, interval),
        parameters={},
        settings=settings,
    )


def clean_record(cycle: Cycle, interval: Interval, fetched: str, settings: Settings) -> KeyRecord:
    """Identity of a clean, by the digest of what was fetched."""
    return key_record(
        step="clean",
        cycle=cycle,
        interval=interval,
        inputs={"fetch": fetched},
        parameters={},
        settings=settings,
    )


def read_manifest(hook: SageMaker, uri: str, key: str) -> Manifest | None:
    """The manifest of an output, or None where there is none for that key."""
    manifest = hook.read_json(f"{uri}{MANIFEST}")
    return manifest if manifest is not None and manifest.get("key") == key else None


def check_output(hook: SageMaker, uri: str, key: str) -> Manifest:
    """The manifest of an output whose files are all there, in their full size.

    :raises OutputMissing: naming what is not
    """
    manifest = read_manifest(hook, uri, key)
    if manifest is None:
        raise OutputMissing(f"{uri} has no manifest for the key {key}. Clear the task to redo it.")
    sizes = hook.sizes(uri)
    wrong = [f["name"] for f in manifest["files"] if sizes.get(f["name"]) != f["bytes"]]
    if wrong:
        raise OutputMissing(
            f"{uri} lacks {', '.join(wrong)}, or has them in another size than its manifest says. "
            "Something removed or changed them: clear the task to make them again."
        )
    return manifest


def own_partition(hook: SageMaker, interval: Interval, result: Mapping[str, Any]) -> Partition:
    """The interval's cleaned data as its own run's clean has handed it on.

    :param result: the XCom of clean
    :raises OutputMissing: it is no longer there
    """
    return Partition(interval, result["key"], check_output(hook, result["uri"], result["key"]))


def cleaned(
    hook: SageMaker, cycle: Cycle, interval: Interval, settings: Settings, *, own: Partition | None = None
) -> list[Partition]:
    """The cleaned partition of every interval from the cycle's start up to and including `interval`.

    :param own: the partition of `interval` itself, where it is known; one that was forced has another key
    :raises HistoryIncomplete: naming the intervals that were not cleaned by this code, and what to run
    """
    partitions: list[Partition] = []
    missing: list[Interval] = []
    for each in history(cycle, interval):
        found = own if own and each == interval else find_cleaned(hook, cycle, each, settings)
        if found is None:
            missing.append(each)
        else:
            partitions.append(found)
    if missing:
        raise HistoryIncomplete(incomplete(cycle, interval, missing, "cleaned", timedelta()))
    return partitions


def find_cleaned(hook: SageMaker, cycle: Cycle, interval: Interval, settings: Settings) -> Partition | None:
    """One interval's cleaned data: the fetch's key leads to its digest, and that to the clean's key."""

    def manifest_of(step: str, record: KeyRecord) -> Manifest | None:
        place = Places(settings.bucket, cycle.name).output(step, interval, record.key)
        return read_manifest(hook, place, record.key)

    fetched = manifest_of("fetch", fetch_record(cycle, interval, settings))
    if fetched is None:
        return None
    record = clean_record(cycle, interval, fetched["digest"], settings)
    manifest = manifest_of("clean", record)
    return Partition(interval, record.key, manifest) if manifest else None


def incomplete(
    cycle: Cycle, interval: Interval, missing: list[Interval], need: str, patience: timedelta
) -> str:
    """What to tell about intervals that are missing, and on which nobody works."""
    first, last = missing[0].start, missing[-1].start
    return (
        f"The interval {interval} of cycle {cycle.name} needs every interval before it, but, by the code, "
        f"data and settings of now, these are not {need}: {', '.join(map(str, missing))}; nor has anything "
        f"happened to them for {patience}. Run\n"
        f"    airflow backfill create --dag-id {training_dag(cycle.name)} "
        f"--from-date {first:%Y-%m-%d} --to-date {last:%Y-%m-%d} --reprocess-behavior completed\n"
        "and then clear this task. If a backfill of it is queued behind this run, give that more "
        "--max-active-runs, or backfill forwards."
    )


def content_digest(partitions: list[Partition]) -> str:
    """What a list of partitions is, wherever they are."""
    return digest([[str(p.interval), p.manifest["digest"]] for p in partitions])


def put_manifest_file(hook: SageMaker, cycle: Cycle, partitions: list[Partition], settings: Settings) -> str:
    """Write the list of all partitions' files, as SageMaker reads it, and return its URI.

    One job takes at most ten inputs, but one of them may be such a list. It is named by its content.
    """
    places = Places(settings.bucket, cycle.name)
    content: list[Mapping[str, str] | str] = [{"prefix": places.step("clean")}]
    for partition in partitions:
        folder = below_step(places.output("clean", partition.interval, partition.key))
        names = [*(file["name"] for file in partition.manifest["files"]), MANIFEST]
        content.extend(f"{folder}{name}" for name in names)
    uri = places.manifest_list(digest(content))
    hook.put_once(uri, canonical(content).encode())
    return uri
