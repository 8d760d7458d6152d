"""What earlier steps left in S3, found by computing keys: nothing here looks for "the latest"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from include.core.cycle import Cycle, FileSource
from include.core.documents.codec import D, digest
from include.core.documents.manifest import InputFile, InputList, KeyRecord, Manifest
from include.core.documents.results import StepResult
from include.core.exceptions import HistoryIncomplete, OutputMissing
from include.core.journal import ImmutableObjects
from include.core.keys import key_record
from include.core.layout import MANIFEST, Interval, is_s3, split_uri, training_dag
from include.core.places import Places, below_step
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.inputs import manifest_files, read_manifest
from include.core.sagemaker.requests import Source, StepInput
from include.core.schedule import history
from include.core.settings import Settings

# One output


def check_output(hook: SageMaker, uri: str, key: str) -> Manifest:
    """Return the manifest of an output after checking that all its files exist in their full size.

    :raises OutputMissing: naming what is missing
    """
    manifest = read_manifest(hook, uri, key)
    sizes = hook.sizes(uri)
    wrong = [file.name for file in manifest.files if sizes.get(file.name) != file.bytes]
    if wrong:
        raise OutputMissing(
            f"{uri} lacks {', '.join(wrong)}, or has them in another size than its manifest says. "
            "Something removed or changed them: clear the task to make them again."
        )
    return manifest


# Cleaned data


@dataclass(frozen=True)
class Partition:
    """One interval's cleaned data."""

    interval: Interval
    key: str
    manifest: Manifest


def fetch_sources(cycle: Cycle, interval: Interval) -> dict[str, str]:
    """Return the S3 objects a fetch reads, by input; the job itself opens sources of other kinds."""
    if not isinstance(cycle.source, FileSource):
        return {}
    uris = {t: uri.format(start=interval.start, end=interval.end) for t, uri in cycle.source.tables.items()}
    return {f"source/{table}": uri for table, uri in uris.items() if is_s3(uri)}


def fetch_record(cycle: Cycle, interval: Interval, settings: Settings) -> KeyRecord:
    """Return the identity of a fetch: the data it reads. What that contains is the digest's part."""
    return step_record("fetch", cycle, interval, fetch_sources(cycle, interval), settings)


def clean_record(cycle: Cycle, interval: Interval, fetched: str, settings: Settings) -> KeyRecord:
    """Return the identity of a clean, by the digest of what was fetched."""
    return step_record("clean", cycle, interval, {"fetch": fetched}, settings)


def step_record(
    step: str, cycle: Cycle, interval: Interval, inputs: Mapping[str, str], settings: Settings
) -> KeyRecord:
    """Return the identity of a step without parameters that nobody forces."""
    return key_record(
        step=step, cycle=cycle, interval=interval, inputs=inputs, parameters={}, settings=settings
    )


class OutputReader:
    """The manifests and key records of one cycle, each read once for as long as the reader lives."""

    def __init__(self, hook: SageMaker, cycle: Cycle, settings: Settings) -> None:
        self._hook, self._cycle, self._settings = hook, cycle, settings
        self._places = Places(settings.bucket, cycle.name)
        self._folders: dict[str, ImmutableObjects] = {}

    def partitions(self, intervals: Sequence[Interval]) -> dict[Interval, Partition]:
        """Return the cleaned data of those intervals that have it by the code, data and settings of now.

        The fetch's key leads to its digest, and that to the clean's key.
        """
        fetches = [fetch_record(self._cycle, interval, self._settings) for interval in intervals]
        cleans = [
            clean_record(self._cycle, interval, fetched.digest, self._settings)
            for interval, fetched in self._made(fetches).items()
        ]
        keys = {record.interval: record.key for record in cleans}
        return {i: Partition(i, keys[i], manifest) for i, manifest in self._made(cleans).items()}

    def _made(self, records: list[KeyRecord]) -> dict[Interval, Manifest]:
        """Return the manifests of those outputs that exist, by the intervals of their keys' records."""
        outputs = {self._places.output(r.step, r.interval, r.key): r for r in records}
        manifests = self.manifests({uri: record.key for uri, record in outputs.items()})
        return {outputs[uri].interval: manifest for uri, manifest in manifests.items()}

    def manifests(self, keys: Mapping[str, str]) -> dict[str, Manifest]:
        """Return the manifests of those outputs that exist.

        :param keys: the key of each output by its folder
        """
        manifests = self._read({uri: uri + MANIFEST for uri in keys}, Manifest)
        return {uri: manifest for uri, manifest in manifests.items() if manifest.key == keys[uri]}

    def key_records(self, keys: Iterable[str]) -> dict[str, KeyRecord]:
        """Return the records of those keys that have one."""
        return self._read({key: self._places.key_record(key) for key in keys}, KeyRecord)

    def _read(self, uris: Mapping[str, str], kind: type[D]) -> dict[str, D]:
        """Return the documents that exist among `uris`, by the same names; one folder at a time."""
        folders: dict[tuple[str, str], dict[str, str]] = {}
        for name, uri in uris.items():
            bucket, key = split_uri(uri)
            prefix = "/".join([*key.split("/")[:2], ""])
            folders.setdefault((bucket, prefix), {})[key] = name
        return {
            names[key]: kind.from_text(body)
            for (bucket, prefix), names in folders.items()
            for key, body in self._objects(bucket, prefix).read(names).items()
        }

    def _objects(self, bucket: str, prefix: str) -> ImmutableObjects:
        folder = f"{bucket}/{prefix}"
        if folder not in self._folders:
            self._folders[folder] = ImmutableObjects(self._hook.s3, bucket, prefix)
        return self._folders[folder]


def own_partition(hook: SageMaker, clean: StepResult) -> Partition:
    """Return the interval's cleaned data as the clean of its own run handed it on.

    :raises OutputMissing: it no longer exists
    """
    return Partition(clean.interval, clean.key, check_output(hook, clean.uri, clean.key))


def cleaned(
    hook: SageMaker, cycle: Cycle, interval: Interval, settings: Settings, *, own: Partition | None = None
) -> list[Partition]:
    """Return the cleaned partition of every interval from the cycle's start through `interval`.

    :param own: the partition of `interval` itself, if it is known; a forced one has another key
    :raises HistoryIncomplete: naming the intervals that this code has not cleaned, and what to run
    """
    intervals = list(history(cycle, interval))
    unknown = [earlier for earlier in intervals if own is None or earlier != interval]
    partitions = OutputReader(hook, cycle, settings).partitions(unknown)
    if own is not None:
        partitions[interval] = own
    missing = [earlier for earlier in intervals if earlier not in partitions]
    if missing:
        raise HistoryIncomplete(incomplete(cycle, interval, missing, "cleaned", timedelta()))
    return [partitions[earlier] for earlier in intervals]


def incomplete(
    cycle: Cycle, interval: Interval, missing: list[Interval], need: str, patience: timedelta
) -> str:
    """Return the message about intervals that are missing, and on which nobody works."""
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


def content_digest(partitions: Sequence[Partition]) -> str:
    """Return the digest of a list of partitions, independent of their places."""
    return digest([[str(p.interval), p.manifest.digest] for p in partitions])


def partitions_input(
    hook: SageMaker, cycle: Cycle, partitions: list[Partition], settings: Settings
) -> StepInput:
    """Write the list of all partitions' files, as SageMaker reads it, and return it as one input.

    One job takes at most ten inputs, but one of them may be such a list. It is named by its content.
    """
    places = Places(settings.bucket, cycle.name)
    root = places.step("clean")
    content: list[Mapping[str, str] | str] = [{"prefix": root}]
    files: list[InputFile] = []
    for partition in partitions:
        output = places.output("clean", partition.interval, partition.key)
        folder = below_step(output)
        listed = manifest_files(partition.manifest, output)
        files += [replace(file, name=folder + file.name) for file in listed]
        content += [f"{folder}{name}" for name in (*(file.name for file in listed), MANIFEST)]
    uri = places.manifest_list(digest(content))
    hook.put_document(uri, content)
    listed_input = InputList(uri=root, files=tuple(files))
    return StepInput(Source(uri, "ManifestFile"), content_digest(partitions), listed_input)
