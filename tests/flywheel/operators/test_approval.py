"""A person between the decision and what follows from it."""
# ruff: noqa: ANN401 - contexts and the helper of conftest have no types

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from flywheel.operators import ApproveOperator, DecidePromotionOperator, DeployOperator, RegisterOperator
from flywheel.params import answer_form
from include.core.ledger import is_concluded, last_decision, production
from tests.examples import not_none

FEBRUARY_1 = datetime(2013, 2, 1, tzinfo=UTC)
ANNA = {"id": "7", "name": "anna"}


def answer(option: str, user: Any = ANNA, reason: str | None = "as seen") -> dict[str, Any]:
    """What Airflow wakes the task with."""
    return {
        "chosen_options": [option],
        "params_input": {"reason": reason},
        "responded_at": datetime.now(UTC),
        "responded_by_user": user,
        "timedout": user is None,
    }


def decided(run: Any, *, name: str = "one", approval: bool = True, promote: bool = True) -> Any:
    """The context of a run that was told to ask, after its decision."""
    context = run.evaluated(name=name, promote=promote)
    context["params"]["approval"] = approval
    run.do(DecidePromotionOperator, context)
    return context


def respond(run: Any, context: Any, event: dict[str, Any]) -> dict[str, Any]:
    """Wake the task, and register what came of it."""
    result = run.make(ApproveOperator).execute_complete(context, event)
    context.results["approve"] = result
    run.do(RegisterOperator, context)
    return dict(result)


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The forms that were asked for; outside of a task there is nobody to show them."""
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **form: shown.append(form))
    return shown


def park(run: Any, context: Any) -> TaskAwaitingInput:
    """Ask, and wait without holding a worker."""
    context["task_instance"] = context["ti"]
    with pytest.raises(TaskAwaitingInput) as parked:
        run.make(ApproveOperator, params=answer_form()).execute(context)
    return parked.value


def test_by_default_nobody_is_asked(run: Any, forms: list[dict[str, Any]]) -> None:
    """The decision is handed on as it is."""
    context = decided(run, approval=False)
    result = run.do(ApproveOperator, context)
    assert (result["promote"], result["approval"], forms) == (True, [], [])


def test_nobody_is_asked_about_what_is_not_to_be_promoted(run: Any, forms: list[dict[str, Any]]) -> None:
    """There is nothing to approve."""
    assert run.do(ApproveOperator, decided(run, promote=False))["promote"] is False
    assert forms == []


def test_the_form_offers_both_answers_and_rejects_without_one(run: Any, forms: list[dict[str, Any]]) -> None:
    """The task is parked until then; a reason is optional."""
    parked = park(run, decided(run))
    (form,) = forms
    assert (form["options"], form["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert list(form["params"]) == ["reason"]
    assert parked.timeout == run.make(ApproveOperator).response_timeout


def test_the_evidence_is_in_the_form(run: Any) -> None:
    """Metrics with their intervals, and the reasons; rendered from what `decide` handed on."""
    context = decided(run)
    operator = run.make(ApproveOperator)
    operator.render_template_fields({**context, "task": operator})
    assert "| challenger | 0.7123 | 0.7000 to 0.7200 |" in operator.body
    assert "| baseline: constant | 0.5000 | undefined to undefined |" in operator.body
    assert "- It beats the baselines." in operator.body
    assert run.cycle.name in operator.subject


def test_an_approved_version_is_promoted_with_who_approved_it(run: Any) -> None:
    """The ledger keeps the name and the reason."""
    context = decided(run)
    assert respond(run, context, answer("Approve"))["promote"] is True
    promotion = production(run.entries())
    assert promotion is not None
    assert promotion.reasons[-1] == "Approved by anna: as seen."
    assert run.approval_of(context.results["register"]["version"]) == "Approved"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (answer("Reject"), "Rejected by anna: as seen."),
        (answer("Reject", None, None), "Rejected since nobody answered in time."),
    ],
)
def test_a_rejected_version_is_registered_and_not_promoted(
    run: Any, event: dict[str, Any], told: str
) -> None:
    """Nor deployed; the ledger keeps who and why, and the next interval need not wait any more."""
    context = decided(run)
    assert not is_concluded(run.entries(), not_none(last_decision(run.entries(), FEBRUARY_1)))
    respond(run, context, event)
    entry = run.entries()[-1]
    assert (entry.kind, entry.reasons) == ("rejection", (told,))
    assert production(run.entries()) is None
    assert is_concluded(run.entries(), not_none(last_decision(run.entries(), FEBRUARY_1)))
    assert run.approval_of(context.results["register"]["version"]) == "Rejected"
    with pytest.raises(AirflowSkipException, match="`decide`"):
        run.do(DeployOperator, context)


def test_what_was_rejected_stays_rejected(run: Any, forms: list[dict[str, Any]]) -> None:
    """A backfill that asks nobody does not promote it after all."""
    respond(run, decided(run), answer("Reject"))
    again = run.do(ApproveOperator, decided(run, approval=False))
    assert (again["promote"], again["approval"]) == (False, ["Rejected by anna: as seen."])
    assert forms == []


def test_what_was_rejected_can_be_approved_when_asked_again(run: Any, forms: list[dict[str, Any]]) -> None:
    """The last word counts."""
    respond(run, decided(run), answer("Reject"))
    context = decided(run)
    context["ti"].max_tries += 1
    park(run, context)
    respond(run, context, answer("Approve"))
    assert len(forms) == 1
    assert not_none(production(run.entries())).model_uri.endswith("/one/model.tar.gz")


def test_a_retry_does_not_ask_again_what_was_rejected(run: Any, forms: list[dict[str, Any]]) -> None:
    """The worker died after the answer was recorded."""
    context = decided(run)
    respond(run, context, answer("Reject"))
    assert run.do(ApproveOperator, context)["promote"] is False
    assert forms == []


def test_what_was_carried_out_is_not_asked_again(run: Any, forms: list[dict[str, Any]]) -> None:
    """Clearing the run changes nothing."""
    respond(run, decided(run), answer("Approve"))
    assert run.do(ApproveOperator, decided(run))["promote"] is True
    assert forms == []
