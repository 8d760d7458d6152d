"""Deployments against the real service: the trial of a version, its end, and whatever may come between."""
# ruff: noqa: ANN401 - contexts, clients and results have no types

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from airflow.sdk.exceptions import TaskDeferred

from flywheel.operators import DeployOperator
from flywheel.triggers.rollout import BakeTrigger
from include.core.cycle import Cycle, Rollout
from include.core.documents.ledger import Entry
from include.core.exceptions import DeploymentFailed, JobTimedOut
from include.core.layout import Interval
from include.core.sagemaker.endpoints import Endpoint
from include.core.sagemaker.rollout import Seen
from include.core.settings import Settings
from tests.examples import step_result

OLD, NEW = {"label": "old"}, {"label": "new"}
BROKEN, SLOW = {"label": "new", "status": 500}, {"label": "new", "seconds": 0.1}
SHARE = 0.2
QUICK = Rollout(canary_share=SHARE, bake_s=2, minimum_invocations=1)
#: a trial that ends by an alarm, or by what the test does
ENDLESS = Rollout(canary_share=SHARE, bake_s=600, minimum_invocations=5)
PATIENCE_S = 60


class KilledError(Exception):
    """What ends an attempt here without giving it a chance to tidy up."""


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
        """Write the model of a version."""
        key = f"{self.cycle.name}/{month}/model.tar.gz"
        self.service.s3.put_object(Bucket=self.bucket, Key=key, Body=archive(answer))

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


def archive(answer: dict[str, Any] | None) -> bytes:
    """A model that answers so; None refuses to start."""
    body, content = io.BytesIO(), json.dumps(answer).encode()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        entry = tarfile.TarInfo("answer.json")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return body.getvalue()


@pytest.fixture
def deployments(service: Any, installed: Settings, cycle: Cycle, attempt: Any) -> Iterator[Deployments]:
    """Deployments of a cycle with a name, and so an endpoint, of its own."""
    own = replace(cycle, name=f"c{uuid.uuid4().hex[:10]}")
    yield Deployments(service, installed.bucket, own, attempt)
    if service.sagemaker.list_endpoints(NameContains=own.name)["Endpoints"]:
        service.sagemaker.delete_endpoint(EndpointName=own.name)


@pytest.fixture
def old(deployments: Deployments) -> str:
    """The configuration of a version that is in service."""
    return str(deployments.deploy(deployments.promoted(1, OLD))["config"])


def in_trial(operator: DeployOperator, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen once, when an operator first sees its canary on trial."""
    look = operator.endpoint.look

    def looking() -> Seen:
        seen = look()
        if seen.canary is not None and not seen.is_active:
            monkeypatch.setattr(operator.endpoint, "look", look)
            act()
        return seen

    monkeypatch.setattr(operator.endpoint, "look", looking)


def kill() -> None:
    """End an attempt as a power cut would."""
    raise KilledError


def killed_in_trial(deployments: Deployments, context: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """End an attempt while its canary is on trial; the configuration that was to serve in the end."""
    operator = deployments.operator(ENDLESS)
    in_trial(operator, kill, monkeypatch)
    with pytest.raises(KilledError):
        operator.execute(context)
    trial = deployments.trials[-1]
    tags = deployments.service.sagemaker.list_tags(ResourceArn=trial["EndpointConfigArn"])["Tags"]
    return str(next(tag["Value"] for tag in tags if tag["Key"] == "flywheel:final"))


def test_a_good_version_takes_over_without_a_failed_request(deployments: Deployments, old: str) -> None:
    """The numbers that it was judged by are in the result and in S3."""
    with deployments.load() as load:
        load.more(200, "old")
        result = deployments.deploy(deployments.promoted(2, NEW))
        load.more(200, "new")
    assert set(load.seen) == {(200, "old"), (200, "new")}
    assert deployments.config == result["config"] != old
    assert result["rollout"].startswith("No alarm. After ")
    (trial,) = deployments.trials
    weights = [each["InitialVariantWeight"] for each in trial["ProductionVariants"]]
    assert weights == [1 - SHARE, SHARE]
    keys = deployments.service.s3.list_objects_v2(
        Bucket=deployments.bucket, Prefix=f"{deployments.cycle.name}/rollouts/{result['config']}/"
    )
    assert keys["KeyCount"] == 1


def test_a_version_that_fails_is_rolled_back_and_the_alarm_is_named(
    deployments: Deployments, old: str
) -> None:
    """Only the canary's share of the requests has failed, and after the rollback none does."""
    with deployments.load() as load:
        load.more(200, "old")
        with pytest.raises(DeploymentFailed, match="error_rate_limit: 1 "):
            deployments.deploy(deployments.promoted(2, BROKEN), ENDLESS)
        failed = load.seen[424, ""]
        load.more(200, "old")
    assert set(load.seen) == {(200, "old"), (424, "")}
    assert 0 < failed <= SHARE * load.seen.total() + 1
    assert load.seen[424, ""] == failed
    assert deployments.config == old


def test_a_version_that_is_slow_is_rolled_back_without_a_failed_request(
    deployments: Deployments, old: str
) -> None:
    """By the latency of the model."""
    with deployments.load() as load:
        load.more(200, "old")
        with pytest.raises(DeploymentFailed, match=r"latency_p99_limit_ms: \d"):
            deployments.deploy(deployments.promoted(2, SLOW), replace(ENDLESS, latency_p99_limit_ms=90.0))
    assert set(load.seen) == {(200, "old"), (200, "new")}
    assert deployments.config == old


def test_a_version_that_does_not_start_leaves_the_old_one(deployments: Deployments, old: str) -> None:
    """SageMaker's own rollback is told with its reason, and nothing is tried twice."""
    context = deployments.promoted(2, NEW)
    deployments.put_model(2, None)
    with pytest.raises(DeploymentFailed, match="The model has no answer"):
        deployments.deploy(context)
    assert deployments.config == old
    assert len(deployments.trials) == 1


def test_a_version_that_does_not_start_again_after_its_trial_gives_the_endpoint_back(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its canary was good, but it cannot take over."""
    operator, context = deployments.operator(ENDLESS), deployments.promoted(2, NEW)

    def end_trial() -> None:
        operator.rollout = replace(ENDLESS, bake_s=0)
        deployments.put_model(2, None)

    in_trial(operator, end_trial, monkeypatch)
    with pytest.raises(DeploymentFailed, match="The model has no answer"):
        operator.execute(context)
    assert deployments.config == old


def test_a_last_attempt_whose_time_is_up_in_the_trial_gives_the_endpoint_back(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt before it leaves the trial to the next one."""
    context = deployments.promoted(2, NEW)
    progress = {"final": killed_in_trial(deployments, context, monkeypatch), "deadline": 0.0}
    with pytest.raises(JobTimedOut, match="InService"):
        deployments.operator(ENDLESS).resume(context, {}, progress)
    assert deployments.config != old
    context["ti"].try_number = context["ti"].max_tries + 1
    with pytest.raises(JobTimedOut, match="InService"):
        deployments.operator(ENDLESS).resume(context, {}, progress)
    assert deployments.config == old


def test_a_trial_without_requests_says_so(deployments: Deployments, old: str) -> None:
    """And goes on, or not, as the cycle wants it."""
    strict = replace(QUICK, bake_s=0.2, minimum_invocations=5, too_few="roll back")
    with pytest.raises(DeploymentFailed, match=" 0 invocations"):
        deployments.deploy(deployments.promoted(2, NEW), strict)
    assert deployments.config == old
    result = deployments.deploy(deployments.promoted(3, NEW), replace(strict, too_few="go on"))
    assert "had only 0 invocations" in result["rollout"]
    assert deployments.config == result["config"]


def test_a_retry_goes_on_with_the_trial_of_a_killed_attempt(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one trial, not two."""
    context = deployments.promoted(2, NEW)
    killed_in_trial(deployments, context, monkeypatch)
    result = deployments.deploy(context.retried())
    assert deployments.config == result["config"] != old
    assert len(deployments.trials) == 1


@pytest.mark.parametrize("verb", ["mute", "update"])
def test_a_rollback_is_finished_by_the_retry_of_a_killed_attempt(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """With the alarm of the first; a person who clears the task gets a new trial."""
    context = deployments.promoted(2, BROKEN)
    original = getattr(Endpoint, verb)

    def dying(self: Endpoint, told: Any) -> None:
        if verb == "mute" or told == old:
            raise KilledError
        original(self, told)

    with deployments.load() as load:
        load.more(200, "old")
        monkeypatch.setattr(Endpoint, verb, dying)
        with pytest.raises(KilledError):
            deployments.deploy(context, ENDLESS)
    monkeypatch.setattr(Endpoint, verb, original)
    for attempt in (context.retried(), context.retried()):
        with pytest.raises(DeploymentFailed, match="error_rate_limit"):
            deployments.deploy(attempt)
        assert deployments.config == old
    assert len(deployments.trials) == 1
    deployments.deploy(context.cleared(), replace(QUICK, bake_s=0))
    assert len(deployments.trials) == 2


def test_a_killed_task_gives_the_endpoint_back(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Airflow ends it and it can still say a word."""
    operator = deployments.operator(ENDLESS)

    def end() -> None:
        operator.on_kill()
        kill()

    in_trial(operator, end, monkeypatch)
    with pytest.raises(KilledError):
        operator.execute(deployments.promoted(2, NEW))
    assert deployments.config == old


def test_the_canary_of_an_ended_task_does_not_become_the_champion(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next version is tried against what was in service before."""
    killed_in_trial(deployments, deployments.promoted(2, BROKEN), monkeypatch)
    result = deployments.deploy(deployments.promoted(3, NEW))
    assert deployments.config == result["config"]
    champions = [trial["ProductionVariants"][0]["ModelName"] for trial in deployments.trials]
    (model,) = deployments.service.sagemaker.describe_endpoint_config(EndpointConfigName=old)[
        "ProductionVariants"
    ]
    assert champions == [model["ModelName"]] * 2


def test_an_overtaken_deployment_leaves_no_canary(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version became production during the trial."""
    operator = deployments.operator(replace(QUICK, bake_s=0))
    in_trial(operator, lambda: deployments.promoted(3, NEW), monkeypatch)
    with pytest.raises(DeploymentFailed, match="arn-3"):
        operator.execute(deployments.promoted(2, NEW))
    assert deployments.config == old


def test_a_deferred_deployment_wakes_for_each_move(deployments: Deployments, old: str) -> None:
    """Its triggers go through Airflow's database, and the result is the same."""
    context, rollout = deployments.promoted(2, NEW), ENDLESS
    triggers: list[Any] = []
    told: dict[str, Any] = {}
    call: Callable[..., Any] = deployments.operator(rollout, deferrable=True).execute
    while True:
        try:
            result = call(context, **told)
            break
        except TaskDeferred as deferred:
            path, arguments = deferred.trigger.serialize()
            trigger = type(deferred.trigger)(**json.loads(json.dumps(arguments)))
            assert trigger.serialize() == (path, arguments)
            triggers.append(trigger)
            if isinstance(trigger, BakeTrigger):
                rollout = replace(ENDLESS, bake_s=0)
                trigger = BakeTrigger(**{**arguments, "rollout": asdict(rollout)})
            event = asyncio.run(asyncio.wait_for(anext(aiter(trigger.run())), PATIENCE_S))
            kwargs = json.loads(json.dumps(deferred.kwargs))
            call = deployments.operator(rollout, deferrable=True).resume
            told = {"event": event.payload, **kwargs}
    assert deployments.config == result["config"] != old
    assert [type(each) for each in triggers].count(BakeTrigger) == 1
    assert len(triggers) >= 2


def test_the_trigger_gives_the_endpoint_back_when_its_task_is_ended(
    deployments: Deployments, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the task itself would."""
    trigger = BakeTrigger(
        endpoint=deployments.cycle.name,
        final=killed_in_trial(deployments, deployments.promoted(2, NEW), monkeypatch),
        rollout={"bake_s": 600},
        aws_conn_id="aws_default",
        poll_interval_s=0.1,
    )
    asyncio.run(trigger.on_kill())
    assert deployments.config == old
