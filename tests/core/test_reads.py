"""A look at what an interval waits for takes few requests, however long the history is."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.cycle import Cycle
from include.core.dependencies import IntervalDependencies
from include.core.documents.ledger import Entry
from include.core.documents.manifest import KeyRecord
from include.core.history import clean_record, cleaned, content_digest, fetch_record, step_record
from include.core.layout import Interval, split_uri
from include.core.ledger import Ledger
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.schedule import history
from include.core.settings import Settings
from tests.examples import manifest, verdict

START = datetime(2020, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2013, 1, 1, tzinfo=UTC)
LONG = timedelta(days=36500)
#: connections that write an installation's objects
WRITERS = 8


class Installation:
    """A daily cycle with outputs and a ledger as its runs would have left them, and clients that count."""

    def __init__(self, s3: Any, cycle: Cycle, settings: Settings, count: int) -> None:
        self.s3, self.settings = s3, settings
        end = START + timedelta(days=count + 1)
        self.cycle = replace(cycle, schedule="0 0 * * *", start=START, end=end)
        *self.earlier, self.last = history(self.cycle, Interval(end - timedelta(days=1), end))
        self.places = Places(settings.bucket, cycle.name)
        self.ledger = Ledger(s3, settings.bucket, cycle.name)
        self.asked: Counter[str] = Counter()

    def hook(self) -> SageMaker:
        """What a process of its own would have: clients that count their requests."""
        hook = SageMakerHook(self.settings.aws_conn_id)
        hook.s3.meta.events.register("before-call.s3", self._count)
        return hook

    def _count(self, model: Any, **_: Any) -> None:
        self.asked[model.name] += 1

    def dependencies(self, hook: SageMaker, **settings: Any) -> IntervalDependencies:
        """What a process without a memory looks with."""
        return IntervalDependencies(hook, self.cycle, replace(self.settings, **settings), LONG)

    def reads(self, look: Callable[[], Any]) -> Counter[str]:
        """How often a look asks for what."""
        self.asked.clear()
        look()
        return Counter(self.asked)

    def clean(self, intervals: list[Interval]) -> None:
        """Leave the outputs of fetch and clean."""
        records = [fetch_record(self.cycle, each, self.settings) for each in intervals]
        records += [clean_record(self.cycle, each, "d-fetch", self.settings) for each in intervals]
        self._put(list(zip([*intervals, *intervals], records, strict=True)))

    def decide(self, intervals: list[Interval]) -> None:
        """Leave transforms, decisions and promotions of a model for each interval."""
        found = cleaned(self.hook(), self.cycle, intervals[-1], self.settings)
        transforms, entries, champion = [], list[Entry](), ""
        for number, each in enumerate(intervals, 1):
            transform = self.record("transform", each, clean=content_digest(found[:number]))
            train = self.record("train", each, train="d-transform", validation="d-transform")
            model = f"{self.places.output('train', each, train.key)}model.tar.gz"
            inputs = {"train": "d-transform", "holdout": "d-transform", "challenger": model}
            evaluate = self.record("evaluate", each, **inputs, **({"champion": champion} if champion else {}))
            transforms.append((each, transform))
            entries += self._entries(each, model, transform, evaluate, train)
            champion = model
        self._put(transforms)
        self._write(entries)

    def record(self, step: str, interval: Interval, **inputs: str) -> KeyRecord:
        """The identity of a step."""
        return step_record(step, self.cycle, interval, inputs, self.settings)

    def _entries(self, interval: Interval, model: str, *records: KeyRecord) -> list[Entry]:
        """A decision and its promotion."""
        transform, evaluate, train = records
        decision = Entry(
            kind="decision",
            at=LONG_AGO,
            by={},
            interval=interval,
            key=train.key,
            model_uri=model,
            transform_uri=self.places.output("transform", interval, transform.key),
            evaluation_uri=self.places.output("evaluate", interval, evaluate.key),
            data_end=interval.end,
            verdict=verdict(promote=True),
            reasons=(),
        )
        return [decision, replace(decision, kind="promotion", version=f"arn:{train.key}")]

    def _write(self, entries: list[Entry]) -> None:
        """Append to the ledger; up to the last full hundred side by side, which saves time."""
        early = len(entries) // 100 * 100 - 1
        self._put_all(
            {
                f"{self.places.ledger}{number:08d}.json": replace(each, number=number).as_json()
                for number, each in enumerate(entries[:early], 1)
            }
        )
        for each in entries[early:]:
            self.ledger.append(partial(lambda new, _: new, each))

    def _put(self, made: list[tuple[Interval, KeyRecord]]) -> None:
        """Write the manifest and the key record of each output, beside its data."""
        objects: dict[str, Any] = {}
        for interval, record in made:
            place = self.places.output(record.step, interval, record.key)
            written = manifest(record.key, f"d-{record.step}", step=record.step)
            objects |= {f"{place}manifest.json": written.as_json(), f"{place}data.parquet": {}}
            objects[self.places.key_record(record.key)] = record.as_json()
        self._put_all(objects)

    def _put_all(self, objects: dict[str, Any]) -> None:
        """Write objects of JSON by their URIs, side by side and without boto3, which takes longer."""
        address = urlsplit(self.s3.meta.endpoint_url).netloc

        def put(uris: list[str]) -> None:
            with closing(HTTPConnection(address)) as connection:
                for uri in uris:
                    bucket, key = split_uri(uri)
                    connection.request("PUT", f"/{bucket}/{quote(key)}", json.dumps(objects[uri]))
                    with connection.getresponse() as answer:
                        assert (answer.status, answer.read()) == (HTTPStatus.OK, b"")

        uris = list(objects)
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(put, [uris[first::WRITERS] for first in range(WRITERS)]))


@pytest.fixture
def made(service: Any, cycle: Cycle, installed: Settings) -> Callable[[int], Installation]:
    """Makes an installation of a number of intervals before the last."""
    return lambda count: Installation(service.s3, cycle, installed, count)


@pytest.mark.parametrize("count", [120, pytest.param(400, marks=pytest.mark.long)])
def test_a_look_takes_few_requests(made: Callable[[int], Installation], count: int) -> None:
    """Whether all is settled, the last intervals are not, or all would be decided anew by other settings."""
    world = made(count)
    world.clean(world.earlier)
    world.decide(world.earlier[:-1])
    undecided, other = world.earlier[-1], {"threads": 7}
    now = time.time()

    # The first look ever leaves what later ones read; it too asks for each object once.
    first = world.dependencies(world.hook())
    reads = world.reads(lambda: first.awaited("decided", world.last, now))
    assert reads["GetObject"] <= 3 * count
    again = world.reads(lambda: first.awaited("decided", world.last, now))
    assert (again["GetObject"], again["HeadObject"], again["ListObjectsV2"]) == (0, 0, 1)

    def look(need: Any, expected: Interval | None, **settings: Any) -> int:
        fresh = world.dependencies(world.hook(), **settings)
        found: list[Interval | None] = []
        reads = world.reads(lambda: found.append(fresh.awaited(need, world.last, now)))
        assert found == [expected]
        assert reads["ListObjectsV2"] <= 2 + count // 20
        return reads["GetObject"] + reads["HeadObject"]

    assert look("cleaned", None) <= 20
    assert look("decided", undecided) <= 20
    assert look("cleaned", world.earlier[0], **other) <= 20
    assert look("decided", world.earlier[0], **other) <= 20
