"""The deployments of one cycle against the real service, and clients that invoke its endpoint meanwhile."""
# ruff: noqa: ANN401 - contexts, clients and results have no types

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from flywheel.operators import DeployOperator
from include.core.cycle import Cycle, Rollout
from include.core.documents.ledger import Entry
from include.core.layout import Interval
from tests.examples import archive, step_result

SHARE = 0.2
QUICK = Rollout(canary_share=SHARE, bake_s=2, minimum_invocations=1)
#: a trial that ends by an alarm, or by what the test does
ENDLESS = Rollout(canary_share=SHARE, bake_s=600, minimum_invocations=5)
PATIENCE_S = 60


@dataclass
class Load:
    """Clients that invoke an endpoint all the time."""

    url: str
    #: (status, label) -> how often
    seen: Counter[tuple[int, str]] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Invoke until it is over; a little slower than the machine can."""
        headers = {"content-type": "application/jsonlines"}
        with httpx.Client(timeout=60) as client:
            while not self.over.wait(0.005):
                answer = client.post(self.url, content=b"{}\n", headers=headers)
                label = answer.json()["label"] if answer.status_code == 200 else ""
                self.seen[answer.status_code, label] += 1

    def more(self, status: int, label: str) -> None:
        """Return when there were ten more answers of this kind."""
        wanted, deadline = self.seen[status, label] + 10, time.monotonic() + PATIENCE_S
        while self.seen[status, label] < wanted:
            assert time.monotonic() < deadline, f"no more {status} {label}: {self.seen}"
            time.sleep(0.02)


@dataclass
class Deployments:
    """The deployments of one cycle."""

    service: Any
    bucket: str
    cycle: Cycle
    attempt: Any

    def promoted(self, month: int, answer: dict[str, Any]) -> Any:
        """The context of the deployment of a version that is the ledger's newest."""
        start, end = datetime(2013, month, 1, tzinfo=UTC), datetime(2013, month + 1, 1, tzinfo=UTC)
        uri = f"s3://{self.bucket}/{self.cycle.name}/{month}/model.tar.gz"
        self.put_model(month, answer)
        entry = Entry(
            kind="decision",
            at=datetime(2013, 1, 1, tzinfo=UTC),
            by={"run_id": f"month {month}"},
            interval=Interval(start, end),
            key=f"{month}",
            model_uri=uri,
            transform_uri=uri,
            evaluation_uri=uri,
            data_end=end,
            verdict=None,
            reasons=(),
        )
        ledger = self.operator().ledger
        decision = ledger.decide(entry)
        promotion = ledger.promote(replace(entry, kind="promotion", version=f"arn-{month}"), decision)
        context = self.attempt(f"month {month}", task_id="deploy", interval_start=f"{start:%Y-%m-%d}")
        version = {"version": promotion.version, "promotion": promotion.number, "evaluation_uri": uri}
        context.results["register"] = step_result("register", uri, **version)
        return context

    def put_model(self, month: int, answer: dict[str, Any] | None) -> None:
        """Write the model of a version; None as its answer refuses to start."""
        key = f"{self.cycle.name}/{month}/model.tar.gz"
        self.service.s3.put_object(
            Bucket=self.bucket, Key=key, Body=archive("answer.json", json.dumps(answer).encode())
        )

    def operator(self, rollout: Rollout = QUICK, **more: Any) -> DeployOperator:
        """The operator of one attempt."""
        return DeployOperator(task_id="deploy", cycle=self.cycle, rollout=rollout, **more)

    def deploy(self, context: Any, rollout: Rollout = QUICK) -> Any:
        """Deploy to the end."""
        return self.operator(rollout).execute(context)

    @contextmanager
    def load(self) -> Iterator[Load]:
        """Invocations from several clients at once."""
        load = Load(f"{self.service.url}/endpoints/{self.cycle.name}/invocations")
        threads = [threading.Thread(target=load.run) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield load
        finally:
            load.over.set()
            for thread in threads:
                thread.join()

    @property
    def config(self) -> str:
        """The configuration the endpoint serves, once nothing is under way there."""
        waiter = self.service.sagemaker.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName=self.cycle.name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        found = self.service.sagemaker.describe_endpoint(EndpointName=self.cycle.name)
        return str(found["EndpointConfigName"])

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The configurations of all trials, in order."""
        found = self.service.sagemaker.list_endpoint_configs(
            NameContains=f"{self.cycle.name}-canary", SortOrder="Ascending"
        )["EndpointConfigs"]
        describe = self.service.sagemaker.describe_endpoint_config
        return [describe(EndpointConfigName=each["EndpointConfigName"]) for each in found]
