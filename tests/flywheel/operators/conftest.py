"""The last steps of a run, after an evaluation whose outputs are there, against the real service."""
# ruff: noqa: ANN401 - contexts, clients and results have no types

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from flywheel.operators import ApproveOperator, DecidePromotionOperator, RegisterOperator
from include.core.cycle import Cycle, Rollout
from include.core.documents.ledger import Entry
from include.core.ledger import Ledger
from include.core.settings import Settings
from tests.attempt import run_outside_airflow
from tests.examples import CARD, archive, step_result

ANSWER = {"label": "1", "score": 0.75}
JANUARY = "2013-01-01"


@dataclass
class Run:
    """The last steps of one run, after an evaluation whose outputs are there."""

    service: Any
    bucket: str
    cycle: Cycle
    attempt: Any
    start: str

    def evaluated(
        self,
        *,
        promote: bool = True,
        undecided: str | None = None,
        answer: Any = ANSWER,
        name: str = "one",
    ) -> Any:
        """The context after an evaluation."""
        place = f"s3://{self.bucket}/{self.start}/{name}/"
        verdict = {
            "promote": promote,
            "undecided": undecided,
            "reasons": ["It beats the baselines."],
            "metric": "roc_auc",
            "challenger": {"value": 0.71234, "low": 0.7, "high": 0.72},
            "champion": None,
            "baselines": {"constant": {"value": 0.5, "low": None, "high": None}},
        }
        self.put(place, "verdict.json", json.dumps(verdict).encode())
        self.put(place, "model_card.json", json.dumps(CARD.as_json()).encode())
        self.put(place, "golden.jsonl", json.dumps({"row": {"a": 1}, **ANSWER}).encode())
        self.put(place, "model.tar.gz", archive("answer.json", json.dumps(answer).encode()))
        context = self.attempt(f"run {self.start} {name}", interval_start=self.start, deploy=True)
        for step in ("transform", "train", "evaluate"):
            context.results[step] = step_result(step, place, key=f"{self.start}-{name}")
        context.results["train"]["model_uri"] = f"{place}model.tar.gz"
        return context

    def put(self, place: str, name: str, body: bytes) -> None:
        """Write an object of the evaluation."""
        key = place.removeprefix(f"s3://{self.bucket}/") + name
        self.service.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def registered(self, **changes: Any) -> Any:
        """The context after decide and register."""
        context = self.evaluated(**changes)
        for operator in (DecidePromotionOperator, ApproveOperator, RegisterOperator):
            self.do(operator, context)
        return context

    def do(self, operator: Any, context: Any) -> Any:
        """Do one step, and keep its result for the next ones."""
        made = self.make(operator)
        context.results[operator.step] = made.execute(context)
        return context.results[operator.step]

    def make(self, operator: Any, **given: Any) -> Any:
        """An operator of the cycle."""
        return operator(task_id=operator.step, cycle=self.cycle, **given)

    def entries(self) -> list[Entry]:
        """The cycle's ledger."""
        return Ledger(self.service.s3, self.bucket, self.cycle.name).entries()

    def approval_of(self, version: str) -> str:
        """What the registry says of a version."""
        found = self.service.sagemaker.describe_model_package(ModelPackageName=version)
        return str(found["ModelApprovalStatus"])

    def served(self) -> str:
        """The configuration the endpoint serves."""
        found = self.service.sagemaker.describe_endpoint(EndpointName=self.cycle.name)
        return str(found["EndpointConfigName"])

    def at(self, start: str) -> Run:
        """The same for another interval."""
        return replace(self, start=start)


@pytest.fixture(autouse=True)
def _outside_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let operators run outside of a task."""
    run_outside_airflow(monkeypatch)


@pytest.fixture
def run(service: Any, installed: Settings, cycle: Cycle, attempt: Any) -> Iterator[Run]:
    """January's run of a cycle with a name, and so an endpoint, of its own."""
    own = replace(cycle, name=f"c{uuid.uuid4().hex[:10]}", rollout=Rollout(bake_s=0.5))
    yield Run(service, installed.bucket, own, attempt, JANUARY)
    endpoints = service.sagemaker.list_endpoints(NameContains=own.name)["Endpoints"]
    for endpoint in endpoints:
        service.sagemaker.delete_endpoint(EndpointName=endpoint["EndpointName"])
