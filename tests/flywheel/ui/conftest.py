"""The page's application with real users of Airflow's own auth manager, and a cycle's records in real S3."""
# ruff: noqa: ANN401 - boto3 clients and the service's test class have no types

from __future__ import annotations

import asyncio
import json
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from flywheel.ui.readers import reader
from include.core.cycle import find_cycles
from include.core.documents.ledger import Entry
from include.core.documents.monitoring import FeatureDrift
from include.core.documents.retraining import RetrainingRequest
from include.core.layout import Interval
from include.core.retraining.decisions import RetrainingDecisions
from include.core.settings import Settings
from tests.examples import evidence, month, verdict

#: as long as its algorithm wants it
os.environ.setdefault("AIRFLOW__API_AUTH__JWT_SECRET", "of these tests alone " * 4)

with warnings.catch_warnings():
    # a library of Airflow's imports a module of starlette's that is deprecated
    warnings.simplefilter("ignore")
    import airflow.api_fastapi.app  # noqa: F401

KEY = "ab" * 32
BY = {"dag_id": "flights_train_and_deploy", "run_id": "manual__1"}
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights"


class User:
    """Somebody with a session, or without one, who asks for addresses."""

    def __init__(self, app: Starlette, cookies: dict[str, str]) -> None:
        self.app, self._cookies = app, cookies

    def get(self, address: str, **asked: Any) -> httpx.Response:
        """What the application answers, without a network in between."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            where = {"base_url": "http://airflow", "cookies": self._cookies}
            async with httpx.AsyncClient(transport=transport, **where) as client:  # type: ignore[arg-type] # names
                return await client.get(address, **asked)

        return asyncio.run(ask())


Browser = Callable[..., User]


@pytest.fixture(scope="session")
def token() -> Callable[[str | None], str]:
    """Makes tokens of users with a role, signed as Airflow signs them."""
    from airflow import settings as airflow_settings  # noqa: PLC0415 - after the environment
    from airflow.api_fastapi.app import create_auth_manager  # noqa: PLC0415 - after the environment
    from airflow.api_fastapi.auth.managers.simple.user import (  # noqa: PLC0415 - after the environment
        SimpleAuthManagerUser,
    )
    from airflow.models.revoked_token import RevokedToken  # noqa: PLC0415 - after the environment

    RevokedToken.metadata.create_all(airflow_settings.engine, tables=[RevokedToken.__table__])
    manager: Any = create_auth_manager()

    def make(role: str | None) -> str:
        return str(manager.generate_jwt(SimpleAuthManagerUser(username=f"a {role}", role=role)))

    return make


@pytest.fixture
def browser(installed: Settings, token: Callable[[str | None], str]) -> Iterator[Browser]:
    """Makes browsers of users with a role; `signed_in=False`: of nobody."""
    from flywheel.ui.app import make_application  # noqa: PLC0415 - after the environment

    assert installed.bucket
    reader.cache_clear()
    airflow = Starlette(routes=[Mount("/flywheel", make_application())])

    def make(role: str | None = "admin", *, signed_in: bool = True) -> User:
        return User(airflow, {"_token": token(role)} if signed_in else {})

    yield make
    reader.cache_clear()


def entry(kind: Any, number: int, data: int, **more: Any) -> Entry:
    """A line of the ledger about the data up to the end of a month."""
    given: dict[str, Any] = {
        "at": datetime(2026, 1, 1, 0, 0, number, tzinfo=UTC),
        "by": BY,
        "interval": month(data),
        "key": KEY,
        "model_uri": f"s3://b/flights/train/{month(data)}/{KEY}/model.tar.gz",
        "transform_uri": f"s3://b/flights/transform/{month(data)}/{KEY}/",
        "evaluation_uri": f"s3://b/flights/evaluate/{month(data)}/{KEY}/",
        "data_end": month(data).end,
        "verdict": verdict(promote=True),
        "reasons": ("It is better.",),
    }
    return Entry(kind=kind, number=number, **(given | more))


class Written:
    """A bucket with the records of the cycle flights."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket

    def put(self, key: str, value: Any) -> None:
        """Write an object: bytes as they are, all else as JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.s3.put_object(Bucket=self.bucket, Key=f"flights/{key}", Body=body)

    def ledger(self, *entries: Entry) -> None:
        """Write lines of the ledger."""
        for each in entries:
            self.put(f"ledger/{each.number:08d}.json", each.as_json())

    def watched(self, window: Interval, **told: Any) -> None:
        """Watch and decide about a window, as a run does."""
        cycle = find_cycles()["flights"]
        deciding = RetrainingDecisions(
            self.s3, self.bucket, cycle, {"dag_id": "flights_score_and_monitor", "run_id": "w"}
        )
        monitor = f"s3://{self.bucket}/flights/monitor/{window}/{KEY}/"
        feature = FeatureDrift(
            name="temp", test="ks", distance=0.4, p_value=0.0, importance=0.2, is_drifted=True
        )
        found = replace(evidence(window, **told), features=(feature,))
        deciding.record_window(KEY, monitor, found)
        deciding.decide(window, is_backfill=False)

    def asked(self, request: RetrainingRequest) -> None:
        """Write a request for retraining."""
        self.put(f"requests/{request.number:08d}.json", request.as_json())


@pytest.fixture
def written(service: Any, installed: Settings) -> Written:
    """A ledger with a promotion for January, and the same bucket to write more to."""
    made = Written(service.s3, installed.bucket)
    made.ledger(entry("decision", 1, 1), entry("promotion", 2, 1, version=f"{ARN}/1"))
    return made
