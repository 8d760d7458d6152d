"""The SageMaker job that compares the models of a replay and writes its report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from include.cli.aws import client
from include.core.cycle import Cycle
from include.core.documents.codec import canonical, digest
from include.core.keys import key_record
from include.core.layout import REPLAY_INPUT, Interval, split_uri
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import kind_of
from include.core.sagemaker.requests import Source, processing
from include.core.sagemaker.runner import JobRunner, prepare_job
from include.core.settings import Settings

STEP = "compare"
LOOK_INTERVAL_S = 0.5


class ReplayJob:
    """Find or make the output of `include/steps/compare.py` for one story."""

    def __init__(
        self, settings: Settings, cycle: Cycle, interval: Interval, heal: Callable[[], None]
    ) -> None:
        self.settings, self.cycle, self.interval, self.heal = settings, cycle, interval, heal
        self.sagemaker = SageMaker(partial(client, settings))
        self.places = Places(settings.bucket, cycle.name)

    def run(self, story: Mapping[str, Any]) -> str:
        """The URI of the job's output; the same story is compared once.

        :raises JobFailed: with the job's own reason
        """
        inputs = {
            "story": self._put(REPLAY_INPUT, story),
            "prepared": self._list("prepare", (month["prepared"] for month in story["months"])),
            "models": self._list(
                "train", sorted({story["frozen"], *(month["champion"] for month in story["months"])})
            ),
        }
        record = key_record(
            step=STEP,
            cycle=self.cycle,
            interval=self.interval,
            # story.json and the lists are named by their content
            inputs={name: source.uri for name, source in inputs.items()},
            parameters={},
            settings=self.settings,
        )
        runner = JobRunner(
            self.sagemaker, kind_of(STEP), poll_interval_s=LOOK_INTERVAL_S, on_look=lambda _: self.heal()
        )
        spec = prepare_job(self.sagemaker, self.cycle, record, self.settings)
        attached = runner.start(spec, lambda named: processing(named, inputs, {}))
        runner.finish(attached)
        return attached.uri

    def fetch(self, uri: str, name: str, target: Path) -> Path:
        """Copy a file of the output to `target`, whole or not at all."""
        bucket, prefix = split_uri(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(".part")
        draft.write_bytes(self.sagemaker.s3.get_object(Bucket=bucket, Key=f"{prefix}{name}")["Body"].read())
        return draft.replace(target)

    # Inputs

    def _put(self, name: str, content: Mapping[str, Any]) -> Source:
        folder = self.places.replay_input(digest(content))
        self._put_object(folder + name, canonical(content).encode())
        return Source(folder)

    def _list(self, step: str, places: Iterable[str]) -> Source:
        """One input for all files at `places` below a step's outputs, kept as SageMaker reads it."""
        bucket, root = split_uri(self.places.step(step))
        pages = self.sagemaker.s3.get_paginator("list_objects_v2")
        keys = [
            item["Key"].removeprefix(root)
            for place in places
            for page in pages.paginate(Bucket=bucket, Prefix=root + place)
            for item in page.get("Contents", [])
        ]
        content: list[Any] = [{"prefix": self.places.step(step)}, *keys]
        uri = self.places.manifest_list(digest(content))
        self._put_object(uri, canonical(content).encode())
        return Source(uri, "ManifestFile")

    def _put_object(self, uri: str, body: bytes) -> None:
        bucket, key = split_uri(uri)
        self.sagemaker.s3.put_object(Bucket=bucket, Key=key, Body=body)
