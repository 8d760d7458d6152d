"""How long the page's application takes to tell of a cycle that has run a thousand times.

    python -m benchmarks.page [--runs 1000] [--versions 100]

Fills a bucket of the real local service with the records of so many runs: half of them trainings, each with
its decision, so many of them promoted to a version of the registry; half of them windows, each with its watch
record, its decision, its report and its labels; and, as the steps do, compacts the ledger. Then asks for the
overview and for the cycle's view: from an application that has read nothing yet (the first visitor after
Airflow was started), again when its short memory is over (every later visitor), and within it. Airflow's own
part, twenty runs and what waits for a person, is asked by the browser and is not in these times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.harness import PROJECT, local_service
from include.core.journal import SEGMENT_EVERY
from include.core.layout import (
    COVERAGE,
    MANIFEST,
    MODEL_ARCHIVE,
    REPORT,
    Interval,
    scoring_dag,
    split_uri,
    training_dag,
)
from include.core.places import Places, entry_name

CYCLE, BUCKET, KEY = "flights", "flywheel", "ab" * 32
ARN = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{CYCLE}"
PLACES = Places(BUCKET, CYCLE)
START = datetime(2013, 1, 1, tzinfo=UTC)
FEATURES = 28
ROUNDS = 5


def settle(folder: Path, url: str) -> None:
    """Set the environment of an Airflow whose connection leads to the service, before it is imported."""
    sys.path.insert(0, str(PROJECT / "plugins"))
    extra = {"region_name": "us-east-1", "endpoint_url": url}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "FLYWHEEL_BUCKET": BUCKET,
    }


def day(number: int) -> Interval:
    """Return the interval of a day."""
    start = START + timedelta(days=number)
    return Interval(start, start + timedelta(days=1))


def trainings(count: int, versions: int) -> Iterator[tuple[str, Any]]:
    """Yield the ledger: a decision for each day, and promotions spread over them."""
    number = 0
    for days in range(count):
        interval = day(days)
        bounds = interval.iso
        value = {"value": 0.7, "low": 0.68, "high": 0.72}
        verdict = {
            "promote": True,
            "metric": "roc_auc",
            "challenger": value,
            "champion": value,
            "gain": value,
        }
        entry = {
            "at": (START + timedelta(days=days + 1)).isoformat(),
            "by": {"dag_id": training_dag(CYCLE), "run_id": f"scheduled__{bounds[1]}"},
            "interval": bounds,
            "key": KEY,
            "model_uri": PLACES.output("train", interval, KEY) + MODEL_ARCHIVE,
            "transform_uri": PLACES.output("transform", interval, KEY),
            "evaluation_uri": PLACES.output("evaluate", interval, KEY),
            "data_end": bounds[1],
            "verdict": verdict | {"reasons": ["It is better by 0.02 [0.01, 0.03]."] * 3},
            "reasons": ["It is better by 0.02 [0.01, 0.03]."] * 3,
        }
        kinds: list[tuple[str, str | None]] = [("decision", None)]
        if days * versions // count != (days - 1) * versions // count:
            kinds.append(("promotion", f"{ARN}/{days * versions // count + 1}"))
        for kind, version in kinds:
            number += 1
            yield (
                PLACES.ledger + entry_name(number),
                {**entry, "kind": kind, "version": version, "number": number},
            )


def windows(count: int) -> Iterator[tuple[str, Any]]:
    """Yield watch records, decisions, reports and labels."""
    for days in range(count):
        interval = day(days + 1)
        bounds = interval.iso
        quality = {"value": 0.7, "low": 0.68, "high": 0.72, "metric": "roc_auc", "cutoff": bounds[1]}
        quality |= {"judged": 900, "coverage": 0.95, "is_worse": False, "reference": quality.copy()}
        feature = {"test": "ks", "distance": 0.12, "p_value": 1e-9, "importance": 0.03, "is_drifted": False}
        evidence = {
            "version": 1,
            "window": bounds,
            "rows": 950,
            "champion": {"version": f"{ARN}/1", "data_end": bounds[0], "evaluation_uri": "s3://x/y/"},
            "broken": [],
            "features": [feature | {"name": f"feature_{n}"} for n in range(FEATURES)],
            "quality": [quality],
            "estimate": quality,
            "alarm": {"is_alarm": False, "reasons": [], "held_back": None},
        }
        origin = {"at": bounds[1], "by": {"dag_id": scoring_dag(CYCLE), "run_id": f"scheduled__{days}"}}
        monitor = PLACES.output("monitor", interval, KEY)
        decision = {
            "window": bounds,
            "due": False,
            "reasons": [],
            "against": ["The newest window gives no alarm."],
        }
        decision |= {"emission": {"is_emitted": False, "why": "Nothing is due."}, "alarms": {}, **origin}
        record = {"key": KEY, "monitor_uri": monitor, "evidence": evidence, "matured": [], **origin}
        yield PLACES.watch_record(interval, KEY), record
        yield PLACES.watch_decision(interval, KEY), decision
        yield PLACES.output("report", interval, KEY) + REPORT, "<p>"
        yield PLACES.output("report", interval, KEY) + MANIFEST, {}
        answers = {"batch": 950, "online": 0, "repeated": 0}
        yield PLACES.output("collect", interval, KEY) + COVERAGE, {"answers": answers}


def fill(hook: Any, runs: int, versions: int) -> int:  # noqa: ANN401 - flywheel's, imported later
    """Write it all; return how many objects."""
    objects = [*trainings(runs // 2, versions), *windows(runs // 2)]
    hook.s3.create_bucket(Bucket=BUCKET)

    def put(item: tuple[str, Any]) -> None:
        bucket, key = split_uri(item[0])
        hook.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(item[1]).encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, objects))
    from include.core.ledger import Ledger  # noqa: PLC0415 - after the environment

    ledger, number = Ledger(hook.s3, BUCKET, CYCLE), 1
    while number % SEGMENT_EVERY:  # until an append leaves a segment
        number = ledger.append(lambda entries: replace(entries[-1], key=str(entries[-1].number))).number
    hook.api.create_model_package_group(ModelPackageGroupName=CYCLE, ModelPackageGroupDescription="x")
    container = {"Image": "flywheel:local", "ModelDataUrl": PLACES.root + MODEL_ARCHIVE}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    for _ in range(versions):
        hook.api.create_model_package(
            ModelPackageGroupName=CYCLE, InferenceSpecification=specification, ModelApprovalStatus="Approved"
        )
    return len(objects)


async def measure(runs: int, versions: int) -> dict[str, tuple[float, float]]:
    """Return seconds, and seconds of this process's CPU, by what was asked for, and in which state."""
    import httpx  # noqa: PLC0415 - after the environment
    from airflow.api_fastapi.app import create_auth_manager  # noqa: PLC0415 - after the environment
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser  # noqa: PLC0415 - as above
    from airflow.api_fastapi.core_api.security import get_user  # noqa: PLC0415 - after the environment

    from flywheel.ui import readers  # noqa: PLC0415 - after the environment
    from flywheel.ui.app import make_application  # noqa: PLC0415 - after the environment

    create_auth_manager()
    app = make_application()
    # who asks is not what is measured; rights are asked for all the same
    app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username="a", role="viewer")
    times_s: dict[str, list[tuple[float, float]]] = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airflow") as client:
        for address, name in (("/api/cycles", "overview"), (f"/api/cycles/{CYCLE}", "cycle")):
            for _ in range(ROUNDS):
                readers.reader.cache_clear()
                # clients and the service's connections are there before the first visitor comes
                readers.reader().hook.s3.list_buckets()
                for state, pause in (("first", 0.0), ("later", readers.FRESH_S), ("at once", 0.0)):
                    await asyncio.sleep(pause)
                    begun, busy = time.perf_counter(), time.process_time()
                    answer = await client.get(address)
                    took = time.perf_counter() - begun, time.process_time() - busy
                    times_s.setdefault(f"{name}, {state}", []).append(took)
                    check(answer.json(), runs, versions)
            print(f"{name}: {len(answer.content) / 1000:.0f} kB", flush=True)
    return {name: sorted(times)[len(times) // 2] for name, times in times_s.items()}


def check(answer: dict[str, Any], runs: int, versions: int) -> None:
    """Check that what was timed is the whole answer."""
    if "cycles" in answer:
        answer = next(cycle for cycle in answer["cycles"] if cycle["name"] == CYCLE)
        assert answer["parts"]["ledger"]["value"]["champion"]
        return
    parts = answer["parts"]
    assert [part["error"] for part in parts.values()] == [None] * len(parts)
    # the ledger was filled up until it left a segment
    assert parts["ledger"]["value"]["total"] == ((runs // 2 + versions) // SEGMENT_EVERY + 1) * SEGMENT_EVERY
    assert parts["watch"]["value"]["total"] == runs // 2
    assert len(parts["registry"]["value"]) == versions


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flywheel-page-") as name:
        folder = Path(name)
        with local_service(folder / "root") as (url, _):
            settle(folder, url)
            from flywheel.hooks.sagemaker import SageMakerHook  # noqa: PLC0415 - after the environment

            count = fill(SageMakerHook("aws_default"), options.runs, options.versions)
            print(f"{options.runs} runs, {options.versions} versions: {count} objects", flush=True)
            for what, (wall, busy) in asyncio.run(measure(options.runs, options.versions)).items():
                print(f"{what:<20} {1000 * wall:7.0f} ms, {1000 * busy:7.0f} ms of CPU")
            print(f"load: {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
