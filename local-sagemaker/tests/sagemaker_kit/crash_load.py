"""A mixed load on a service that is killed again and again, and what must be true of it after each restart.

Every client notes what it asks for before it asks, and what was acknowledged. After a restart a thing that
was acknowledged must be there; of what was asked for and not acknowledged, all or nothing.
"""
# ruff: noqa: ANN401, S311 (boto3 makes its clients at run time; the load must be the same again for a seed)

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sagemaker_kit.connections import Lost, answered
from sagemaker_kit.crash_hosting import Hosted, Later, Notebook
from sagemaker_kit.crash_processing import BUCKET, Jobs
from sagemaker_kit.service import Service

KEYS, PARTS = 12, 3
PART_BYTES = 5 * 1024 * 1024


class Objects:
    """Puts, deletions and multipart uploads; each key has one writer, so its history is a line."""

    def __init__(self) -> None:
        #: by key: digests (None: no object) that may be found
        self.possible: dict[str, set[str | None]] = {}

    def write(self, s3: Any, dice: random.Random, writer: int) -> None:
        """Write one object of this writer's, or delete it."""
        key = f"{'folder/' * dice.randrange(3)}{writer}-{dice.randrange(KEYS)}"
        possible = self.possible.setdefault(key, {None})
        if dice.random() < 0.15:
            possible.add(None)
            with answered():
                s3.delete_object(Bucket=BUCKET, Key=key)
            possible.intersection_update({None})
            return
        body = dice.randbytes(dice.choice([0, 10, 1000, 300_000]))
        self._put(key, body, lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=body))

    def upload(self, s3: Any, dice: random.Random) -> None:
        """Put an object in parts."""
        key, body = f"large-{dice.randrange(PARTS)}", dice.randbytes(PART_BYTES + 1000)

        def put() -> None:
            upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
            pieces = (body[:PART_BYTES], body[PART_BYTES:])
            parts = []
            for number, piece in enumerate(pieces, start=1):
                part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)
                parts.append({"PartNumber": number, "ETag": part["ETag"]})
            s3.complete_multipart_upload(
                Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )

        self._put(key, body, put)

    def _put(self, key: str, body: bytes, put: Callable[[], Any]) -> None:
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        possible = self.possible.setdefault(key, {None})
        possible.add(digest)
        with answered():
            put()
        possible.intersection_update({digest})

    def check(self, s3: Any) -> None:
        """Every key holds what was acknowledged last, or, whole, what was asked for since."""
        listed: dict[str, Any] = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            listed |= {item["Key"]: item for item in page.get("Contents", [])}
        assert listed.keys() <= self.possible.keys()
        for key, possible in self.possible.items():
            found: str | None = None
            if key in listed:
                answer = s3.get_object(Bucket=BUCKET, Key=key)
                with answer["Body"] as stream:
                    body = stream.read()
                assert len(body) == listed[key]["Size"]
                found = hashlib.md5(body, usedforsecurity=False).hexdigest()
                tag = answer["ETag"].strip('"')
                assert tag == found or ("-" in tag and key.startswith("large-")), key
            assert found in possible, f"{key} holds {found}, and was acknowledged as {possible}"
            possible.intersection_update({found})


class Load:
    """Clients that ask without pause until the service is gone."""

    def __init__(self, service: Service, marks: Path, *, has_notebook: bool) -> None:
        service.s3.create_bucket(Bucket=BUCKET)
        service.s3.create_bucket(Bucket=f"{BUCKET}-results")
        self.objects, self.jobs, self.hosted = Objects(), Jobs(marks), Hosted(service)
        self.later = Later(service)
        self.notebook = Notebook(service) if has_notebook else None
        self.failures: list[BaseException] = []

    def start(self, service: Service, dice: random.Random) -> list[threading.Thread]:
        """One thread for each kind of request."""
        clients = {name: service.client(name) for name in ("s3", "sagemaker", "sagemaker-runtime")}
        works = [
            lambda d: self.objects.write(clients["s3"], d, 0),
            lambda d: self.objects.write(clients["s3"], d, 1),
            lambda d: self.objects.upload(clients["s3"], d),
            lambda d: self.jobs.create(clients["sagemaker"], d),
            lambda _: self.hosted.invoke(clients["sagemaker-runtime"]),
            lambda d: self.later.ask(clients["sagemaker-runtime"], d),
        ]
        if dice.random() < 0.2:
            works.append(lambda _: self.hosted.update(clients["sagemaker"]))
        notebook = self.notebook
        if notebook is not None and dice.random() < 0.2:
            works.append(lambda _: notebook.turn(clients["sagemaker"]))
        threads = [
            threading.Thread(target=self._work, args=(work, random.Random(dice.random()))) for work in works
        ]
        for thread in threads:
            thread.start()
        return threads

    def _work(self, work: Callable[[random.Random], None], dice: random.Random) -> None:
        # not without end: a round's jobs have to fit into the time between two kills
        for _ in range(30):
            try:
                work(dice)
            except Lost:
                return
            except BaseException as error:  # noqa: BLE001 - told by the test
                self.failures.append(error)
                return

    def check(self, service: Service) -> None:
        """What must be true after each restart."""
        for failure in self.failures:
            raise failure
        self.objects.check(service.s3)
        self.jobs.check(service.sagemaker)
        self.hosted.check(service)
        if self.notebook is not None:
            self.notebook.check(service)

    def finish(self, service: Service) -> None:
        """What must be true when all has come to its end."""
        self.jobs.finish(service)
        self.objects.check(service.s3)
        self.later.finish(service.s3)
        if self.notebook is not None:
            self.notebook.finish(service)
