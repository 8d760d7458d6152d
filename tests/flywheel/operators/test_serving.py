"""Deployments against the real service: the trial of a version, its end, and whatever may come between."""
# ruff: noqa: ANN401 - contexts, clients and results have no types

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from flywheel.operators import DeployOperator
from flywheel.triggers.rollout import BakeTrigger
from include.core.cycle import Cycle
from include.core.exceptions import DeploymentFailed, JobTimedOut
from include.core.sagemaker.endpoints import Endpoint
from include.core.sagemaker.rollout import Seen
from include.core.settings import Settings
from tests.flywheel.operators.deployments import ENDLESS, PATIENCE_S, QUICK, SHARE, Deployments

OLD, NEW = {"label": "old"}, {"label": "new"}
BROKEN, SLOW = {"label": "new", "status": 500}, {"label": "new", "seconds": 0.1}


class KilledError(Exception):
    """What ends an attempt here without giving it a chance to tidy up."""


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
