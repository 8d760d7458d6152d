"""From a verdict to a live endpoint: decide, register, deploy and verify, against the real service."""
# ruff: noqa: ANN401 - contexts, clients and results have no types

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.operators import (
    ApproveOperator,
    DecidePromotionOperator,
    DeployOperator,
    RegisterOperator,
    VerifyOperator,
)
from flywheel.ui.summaries import sentence
from include.core.documents.card import ModelCard
from include.core.documents.ledger import Entry
from include.core.exceptions import DeploymentFailed, InvalidDocument, OutputMissing, PredictionsDiffer
from include.core.ledger import is_concluded
from include.core.sagemaker.registry import find_version
from tests.examples import CARD, not_none

FEBRUARY = "2013-02-01"


def test_a_decision_is_recorded_once(run: Any) -> None:
    """Clearing the task gives the same number."""
    context = run.evaluated()
    first = run.do(DecidePromotionOperator, context)
    assert run.do(DecidePromotionOperator, context) == first
    assert first["decision"]["reasons"] == ["It beats the baselines."]
    digests = [first["decision"][f"{name}_digest"] for name in ("transform", "evaluation")]
    assert digests == [context.results[step]["digest"] for step in ("transform", "evaluate")]
    assert first["decision"]["data_end"] == "2013-02-01T00:00:00+00:00"


def test_a_missing_verdict_is_named(run: Any) -> None:
    """The evaluation left nothing to decide by."""
    context = run.evaluated()
    context.results["evaluate"] = {**context.results["evaluate"], "uri": f"s3://{run.bucket}/nowhere/"}
    with pytest.raises(OutputMissing, match=r"nowhere/verdict\.json"):
        run.do(DecidePromotionOperator, context)


def test_a_version_is_registered_once_with_its_evidence(run: Any) -> None:
    """The registry knows where it comes from."""
    context = run.registered()
    first = context.results["register"]
    assert run.do(RegisterOperator, context) == first
    number = first["version"].rpartition("/")[2]
    assert context.pushed["_link_PageLink"].endswith(f"/flywheel/cycles/{run.cycle.name}#version={number}")
    found = run.service.sagemaker.describe_model_package(ModelPackageName=first["version"])
    assert found["ModelApprovalStatus"] == "Approved"
    assert found["CustomerMetadataProperties"]["train_key"] == "2013-01-01-one"
    assert found["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("evaluation.json")
    assert found["ModelCard"]["ModelCardStatus"] == "Approved"
    card = ModelCard.from_text(found["ModelCard"]["ModelCardContent"])
    assert card == CARD.decided(Entry.from_json(context.results["decide"]["decision"]))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"additional_information": {"custom_details": {}}}, "lacks caveats_and_recommendations"),
        ({"additional_information": None}, "ModelCard.additional_information must be an object"),
        ({"model_overview": []}, "ModelCard.model_overview must be an object"),
        ({"evaluation_details": {}}, "ModelCard.evaluation_details must be a list"),
    ],
)
def test_a_card_with_a_wrong_field_is_refused_by_name(run: Any, change: dict[str, Any], fault: str) -> None:
    """Nothing is registered with a card that says only a part."""
    context = run.evaluated()
    place = context.results["evaluate"]["uri"]
    run.put(place, "model_card.json", json.dumps({**CARD.as_json(), **change}).encode())
    for operator in (DecidePromotionOperator, ApproveOperator):
        run.do(operator, context)
    with pytest.raises(InvalidDocument) as refusal:
        run.do(RegisterOperator, context)
    assert str(refusal.value).startswith(f"{place}model_card.json: ")
    assert fault in str(refusal.value)


def test_registering_again_describes_one_version_however_many_there_are(run: Any) -> None:
    """The list says which version is the model's; only its approval is looked up."""
    context = run.registered()
    for start in (FEBRUARY, "2013-03-01"):
        run.at(start).registered()
    register, described = run.make(RegisterOperator), []
    events = register.hook.api.meta.events
    events.register("before-call.sagemaker.DescribeModelPackage", lambda **asked: described.append(asked))
    assert register.execute(context)["version"] == context.results["register"]["version"]
    assert len(described) == 1


def test_a_version_whose_description_names_no_model_is_found(run: Any) -> None:
    """As version 0.1.0 described them."""
    context = run.registered()
    model = context.results["train"]["model_uri"]
    api, group = run.service.sagemaker, f"{run.cycle.name}old"
    api.create_model_package_group(ModelPackageGroupName=group, ModelPackageGroupDescription="x")
    specification = {
        "Containers": [{"Image": "probe:1", "ModelDataUrl": model}],
        "SupportedContentTypes": ["application/x-npy"],
        "SupportedResponseMIMETypes": ["application/x-npy"],
    }
    made = api.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification)
    now = datetime.now(UTC)
    assert find_version(api, group, model, now) == made["ModelPackageArn"]
    assert find_version(api, group, f"{model}x", now) is None
    assert find_version(api, group, model, now + timedelta(hours=2)) is None


def test_a_rejected_challenger_is_registered_but_not_promoted(run: Any) -> None:
    """Nor is it deployed: the task is skipped with the reason."""
    context = run.registered(promote=False)
    version = context.results["register"]["version"]
    found = run.service.sagemaker.describe_model_package(ModelPackageName=version)
    assert found["ModelApprovalStatus"] == "Rejected"
    assert context.results["register"]["promotion"] is None
    with pytest.raises(AirflowSkipException, match="`decide`"):
        run.do(DeployOperator, context)


def test_a_challenger_that_was_not_judged_is_a_decision_like_any_other(run: Any) -> None:
    """Nobody is asked, the version is registered as Rejected, and the ledger says that it was not judged."""
    context = run.registered(promote=False, undecided="few_events")
    version = context.results["register"]["version"]
    found = run.service.sagemaker.describe_model_package(ModelPackageName=version)
    assert found["ModelApprovalStatus"] == "Rejected"
    decision = Entry.from_json(context.results["decide"]["decision"])
    assert not_none(decision.verdict).undecided == "few_events"
    assert is_concluded([decision], decision)
    assert "was not judged" in sentence(decision)


def test_a_promoted_version_is_served_and_verified(run: Any) -> None:
    """The endpoint answers as offline."""
    context = run.registered()
    deployed = run.do(DeployOperator, context)
    assert deployed["endpoint"] == run.cycle.name
    assert run.served() == deployed["config"]
    assert run.do(VerifyOperator, context)["counts"] == {"rows": 1}


def test_deploying_again_changes_nothing(run: Any) -> None:
    """The endpoint serves this configuration already."""
    context = run.registered()
    first = run.do(DeployOperator, context)
    before = run.service.sagemaker.describe_endpoint(EndpointName=run.cycle.name)["LastModifiedTime"]
    assert run.do(DeployOperator, context) == first
    after = run.service.sagemaker.describe_endpoint(EndpointName=run.cycle.name)["LastModifiedTime"]
    assert after == before


def test_a_newer_version_takes_the_endpoint_over(run: Any) -> None:
    """By an update, under the same name."""
    old = run.do(DeployOperator, run.registered())
    new = run.at(FEBRUARY).do(DeployOperator, run.at(FEBRUARY).registered())
    assert old["config"] != new["config"]
    assert run.served() == new["config"]


def test_a_backfill_of_an_older_interval_leaves_production_alone(run: Any) -> None:
    """It is promoted in the history, and skipped with the reason."""
    newest = run.at(FEBRUARY).do(DeployOperator, run.at(FEBRUARY).registered())
    context = run.registered()
    assert context.results["register"]["promotion"] is not None
    with pytest.raises(AirflowSkipException, match=f"entry {newest['promotion']} "):
        run.do(DeployOperator, context)
    assert run.served() == newest["config"]


def test_a_run_can_be_told_not_to_deploy(run: Any) -> None:
    """It decides and registers all the same."""
    context = run.registered()
    context["params"]["deploy"] = False
    with pytest.raises(AirflowSkipException, match="deploy=false"):
        run.do(DeployOperator, context)


def test_an_endpoint_that_does_not_start_fails_the_task_with_the_reason(run: Any) -> None:
    """And a later version that does start is served after all."""
    with pytest.raises(DeploymentFailed) as caught:
        run.do(DeployOperator, run.registered(answer=None))
    endpoint = run.service.sagemaker.describe_endpoint(EndpointName=run.cycle.name)
    assert endpoint["FailureReason"] in str(caught.value)
    deployed = run.at(FEBRUARY).do(DeployOperator, run.at(FEBRUARY).registered())
    assert run.served() == deployed["config"]


@pytest.mark.parametrize("answer", [{"label": "0", "score": 0.75}, {"label": "1", "score": 0.7501}])
def test_a_different_answer_fails_the_verification(run: Any, answer: dict[str, Any]) -> None:
    """The row, both answers and the tolerance are named."""
    context = run.registered(answer=answer)
    run.do(DeployOperator, context)
    with pytest.raises(PredictionsDiffer, match=r'Row 1 .* label 1, score 0\.75; .* {"a": 1}'):
        run.do(VerifyOperator, context)


def test_an_evaluation_without_golden_rows_verifies_nothing(run: Any) -> None:
    """That is no success."""
    context = run.registered()
    run.do(DeployOperator, context)
    run.put(context.results["evaluate"]["uri"], "golden.jsonl", b"\n")
    with pytest.raises(OutputMissing, match=r"golden\.jsonl"):
        run.do(VerifyOperator, context)
