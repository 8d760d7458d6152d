"""The SageMaker job that compares the models of a replay and writes its report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.cli.aws import client
from include.core.code import archive, archive_files, digest_of
from include.core.cycle import Cycle
from include.core.keys import KeyRecord, canonical, digest, key_record
from include.core.layout import REPLAY_INPUT, Interval, Places, job_name, split_uri
from include.core.sagemaker.kinds import PROCESSING, judge
from include.core.sagemaker.requests import Job, Source, processing
from include.core.settings import Settings

STEP = "compare"
LOOK_INTERVAL_S = 0.5


class ReplayJob:
    """Finds or makes the output of `include/steps/compare.py` for one story."""

    def __init__(
        self, settings: Settings, cycle: Cycle, interval: Interval, heal: Callable[[], None]
    ) -> None:
        self.settings, self.cycle, self.interval, self.heal = settings, cycle, interval, heal
        self.s3, self.sagemaker = client(settings, "s3"), client(settings, "sagemaker")
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
        files = archive_files(self.cycle.name)
        code_uri = self.places.code(digest_of(files))
        self._put_object(code_uri, archive(files))
        uri = self.places.output(STEP, self.interval, record.key)
        self._wait(self._start(record, inputs, code_uri, uri))
        return uri

    def fetch(self, uri: str, name: str, target: Path) -> Path:
        """Copy a file of the output to `target`, whole or not at all."""
        bucket, prefix = split_uri(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(".part")
        draft.write_bytes(self.s3.get_object(Bucket=bucket, Key=f"{prefix}{name}")["Body"].read())
        return draft.replace(target)

    # Inputs

    def _put(self, name: str, content: Mapping[str, Any]) -> Source:
        folder = self.places.replay_input(digest(content))
        self._put_object(folder + name, canonical(content).encode())
        return Source(folder)

    def _list(self, step: str, places: Iterable[str]) -> Source:
        """One input for all files at `places` below a step's outputs, kept as SageMaker reads it."""
        bucket, root = split_uri(self.places.step(step))
        pages = self.s3.get_paginator("list_objects_v2")
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
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)

    # The job

    def _start(self, record: KeyRecord, inputs: Mapping[str, Source], code_uri: str, uri: str) -> str:
        """The name of the job: one that was started before, unless it failed, or a new one."""
        for generation in count(1):
            name = job_name(self.cycle.name, STEP, self.interval, record.key, generation)
            job = Job(
                name=name,
                step=STEP,
                cycle=self.cycle,
                interval=self.interval,
                key=record.key,
                code_uri=code_uri,
                output_uri=uri,
                settings=self.settings,
            )
            try:
                self.sagemaker.create_processing_job(**processing(job, inputs, {}))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceInUse":
                    raise
                description = self.sagemaker.describe_processing_job(ProcessingJobName=name)
                if not (PROCESSING.is_ok(description) or PROCESSING.is_active(description)):
                    continue
            return name
        raise AssertionError("unreachable: count() has no end")

    def _wait(self, name: str) -> None:
        while True:
            self.heal()
            description = self.sagemaker.describe_processing_job(ProcessingJobName=name)
            if not PROCESSING.is_active(description):
                judge(PROCESSING, name, description)
                return
            time.sleep(LOOK_INTERVAL_S)
