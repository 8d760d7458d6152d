"""The step that brings a version into service, deploy, and what it knows of a trial."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

from airflow.sdk import Context, conf
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.links import version_page
from flywheel.operators.base import CycleOperator, Result, task_digest
from flywheel.triggers.job import JobEndedTrigger
from flywheel.triggers.rollout import BakeTrigger
from include.core.cycle import Rollout
from include.core.documents.codec import digest
from include.core.documents.ledger import Entry
from include.core.documents.results import DeployResult, RegisterResult, RolloutOutcome
from include.core.exceptions import DeploymentFailed, JobTimedOut, PermanentError
from include.core.layout import Interval, job_name
from include.core.ledger import production
from include.core.places import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.endpoints import Endpoint
from include.core.sagemaker.inputs import check_objects
from include.core.sagemaker.kinds import ENDPOINT
from include.core.sagemaker.readings import judge_by_metrics
from include.core.sagemaker.requests import endpoint_config, model
from include.core.sagemaker.rollout import Canary, Judgement, Move, Seen, next_move
from include.core.sagemaker.runner import FIRST_POLL_S, POLL_GROWTH


@dataclass
class Progress:
    """How far one attempt has come; all of it can be written as JSON, for the time of a deferral."""

    #: the configuration that is to serve in the end
    final: str
    #: seconds since 1970 at which to give up
    deadline: float | None
    #: what the endpoint was told to serve last
    asked: str | None = None
    #: what the canary's metrics said
    judgement: str = "no trial"


class Outcome:
    """How the trial of a version ended, in S3 before anything is done about it.

    An attempt that is killed before it has rolled back is followed by one that knows that it must. A task
    that a person clears begins a new trial: `max_tries` is the same over retries and other after a clear.
    So does a run that was deleted and triggered again under its id: `run_after` is when Airflow made the run.

    :param hook: what the connection leads to
    :param places: the cycle's places
    :param context: the attempt's context
    :param final: name of the configuration on trial
    """

    def __init__(self, hook: SageMaker, places: Places, context: Context, final: str) -> None:
        self._hook = hook
        ti = context["ti"]
        triggered = f"{context['dag_run'].run_after.timestamp():.0f}"
        self.uri = places.rollout(final, f"{task_digest(ti)}-{triggered}-{ti.max_tries}")
        kept = hook.read_document(self.uri, RolloutOutcome)
        #: why the version was refused, empty if it was not
        self.refusal = "" if kept is None or kept.is_good else kept.text

    def keep(self, canary: Canary, judgement: Judgement) -> None:
        """Keep what the metrics said."""
        outcome = RolloutOutcome(
            is_good=bool(judgement.is_good),
            text=judgement.text,
            canary=canary.config,
            champion=canary.champion,
            final=canary.final,
        )
        self._hook.put_document(self.uri, outcome)
        self.refusal = "" if judgement.is_good else judgement.text


def failure(endpoint: str, final: str, seen: Seen, refusal: str) -> str:
    """Why a deployment has failed, with what to do."""
    logs = f"The containers' logs are in the group /aws/sagemaker/Endpoints/{endpoint}."
    if seen.status is None:
        return f"The endpoint {endpoint} was deleted meanwhile. Clear the task to make it again."
    if refusal:
        return (
            f"Rolled back: {refusal} The endpoint {endpoint} serves {seen.config} again, not {final}. {logs} "
            "Clear the task to try again, or correct the version and run the next interval."
        )
    return (
        f"The endpoint {endpoint} should serve {final}, but is {seen.status} with {seen.config}: "
        f"{seen.reason or 'SageMaker gives no reason'}. {logs}"
    )


class ServingOperator(CycleOperator):
    """A step that needs a SageMaker model."""

    def put_model(self, model_uri: str, interval: Interval) -> str:
        """Return the name of the model made from an archive; it follows from what the model is.

        :raises InputChanged: the archive is not the one that was trained
        """
        check_objects(self.hook, model_uri)
        name = job_name(self.cycle.name, "model", interval, digest(model("", model_uri, self.settings)))
        self.hook.create_once("create_model", model(name, model_uri, self.settings))
        return name


class DeployOperator(ServingOperator):
    """Bring the promoted version into service on the cycle's endpoint, and take it back if it does worse.

    Skipped unless this run's version is the ledger's newest: production only moves forward, whichever kind of
    run this is and in whichever order runs come. How the version takes over is the rule of
    `include.core.sagemaker.rollout` and the cycle's `rollout`. What to do next is read from the endpoint
    itself each time, so that a retry goes on where the attempt before it was ended.

    :param version_from: task whose result names the version: `register`, or `roll_back` for an earlier one
    :param rollout: how versions take over; by default the cycle's own way
    :param deferrable: wait in the triggerer, holding no worker
    """

    step = "deploy"

    def __init__(
        self,
        *,
        version_from: str = "register",
        rollout: Rollout | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.version_from = version_from
        self.rollout = rollout or self.cycle.rollout
        self._progress: Progress | None = None

    @cached_property
    def endpoint(self) -> Endpoint:
        """The cycle's endpoint."""
        return Endpoint(self.hook, self.cycle.name)

    def execute(self, context: Context) -> Result:
        """Make model and configuration, and let the endpoint have them."""
        # of the version, which a rollback takes from another run's interval
        registered = self._registered(context)
        interval = registered.interval
        self.publish(context, version_page(self.cycle.name, registered.version))
        self._check_gate(context, registered)
        model_name = self.put_model(registered.uri, interval)
        identity = digest(endpoint_config("", self.cycle, model_name, self.settings))
        final = job_name(self.cycle.name, "endpoint", interval, identity)
        request = endpoint_config(final, self.cycle, model_name, self.settings)
        self.hook.create_once("create_endpoint_config", request)
        timeout = self.execution_timeout
        deadline = time.time() + timeout.total_seconds() if timeout else None
        return self._go_on(context, Progress(final, deadline))

    def resume(self, context: Context, event: Mapping[str, Any], progress: Mapping[str, Any]) -> Result:  # noqa: ARG002 - its word does not count
        """Go on after the trigger fired: the endpoint is asked again."""
        self.publish(context, version_page(self.cycle.name, self._registered(context).version))
        return self._go_on(context, Progress(**progress))

    def on_kill(self) -> None:
        """Give the endpoint back to the champion, if this version's canary is on trial there."""
        if self._progress is not None:
            self.hook.forget_clients()
            self.endpoint.abandon(self._progress.final)

    # The rollout

    def _go_on(self, context: Context, progress: Progress) -> Result:
        """Roll out; where no other attempt will go on, leave no canary behind."""
        self._progress = progress
        try:
            return self._roll_out(context, progress)
        except Exception as error:
            if isinstance(error, PermanentError) or context["ti"].try_number > context["ti"].max_tries:
                self.endpoint.abandon(progress.final)
            raise

    def _roll_out(self, context: Context, progress: Progress) -> Result:
        """Make one move after the other until the version serves, or must not."""
        outcome, pause = Outcome(self.hook, self.places, context, progress.final), FIRST_POLL_S
        while True:
            seen = self.endpoint.look()
            move = self._next(seen, progress, outcome)
            if move is Move.DONE:
                self._check_overtaken(context)
                name, config = self.cycle.name, progress.final
                self.log.info("The endpoint %s is in service with %s", name, config)
                served = {"endpoint": name, "config": config, "rollout": progress.judgement}
                return self.result(DeployResult, **vars(self._registered(context)), **served)
            if move is Move.FAIL:
                raise DeploymentFailed(failure(self.cycle.name, progress.final, seen, outcome.refusal))
            if move in {Move.WAIT, Move.BAKE}:
                self._wait(context, seen, progress, pause)
                pause = min(pause * POLL_GROWTH, self.settings.poll_interval_s)
            else:
                self._make(move, context, seen, progress)
                pause = FIRST_POLL_S

    def _next(self, seen: Seen, progress: Progress, outcome: Outcome) -> Move:
        """Return the next move; for a canary that has baked it depends on how it was judged."""
        rule = partial(next_move, seen, self.rollout, final=progress.final, asked=progress.asked)
        move = rule(is_refused=bool(outcome.refusal))
        if move is not Move.BAKE or seen.canary is None:
            return move
        judgement = judge_by_metrics(self.hook, self.cycle.name, seen.canary, self.rollout)
        if judgement.is_good is None:
            return move
        progress.judgement = judgement.text
        self.log.info("%s", judgement.text)
        outcome.keep(seen.canary, judgement)
        return Move.REPLACE if judgement.is_good else rule(is_refused=True)

    def _make(self, move: Move, context: Context, seen: Seen, progress: Progress) -> None:
        """Tell SageMaker what comes next."""
        if move not in {Move.MUTE, Move.RETURN}:
            self._check_overtaken(context)
        self.log.info("Endpoint %s serves %s: %s", self.cycle.name, seen.config or "nothing", move.name)
        if move is Move.DELETE:
            self.endpoint.delete()
        elif move is Move.MUTE and seen.canary is not None:
            self.endpoint.mute(seen.canary)
        else:
            progress.asked = self._config_after(move, context, seen, progress.final)
            (self.endpoint.create if move is Move.CREATE else self.endpoint.update)(progress.asked)

    def _config_after(self, move: Move, context: Context, seen: Seen, final: str) -> str:
        """Return what the endpoint is to serve after a move."""
        if move is Move.RETURN and seen.canary is not None:
            return seen.canary.champion
        if move is Move.START and seen.config is not None:
            return self.endpoint.put_canary(
                self.cycle.name, self.interval(context), seen.config, final, self.rollout.canary_share
            )
        return final

    def _wait(self, context: Context, seen: Seen, progress: Progress, pause: float) -> None:
        """Wait a little, or in the triggerer until there is something to do."""
        if progress.deadline is not None and time.time() > progress.deadline:
            raise JobTimedOut(
                f"The endpoint {self.cycle.name} is still {seen.status} with {seen.config} after the task's "
                f"execution_timeout of {self.execution_timeout}. A retry goes on from there."
            )
        if self.deferrable:
            self._defer(context, seen, progress)
        time.sleep(pause)

    def _defer(self, context: Context, seen: Seen, progress: Progress) -> None:
        polling = self.polling(progress.deadline)
        trigger: JobEndedTrigger | BakeTrigger
        if seen.is_active:
            task, attempt = task_digest(context["ti"]), str(context["ti"].id)
            trigger = JobEndedTrigger(
                kind=ENDPOINT.name, job=self.cycle.name, task=task, attempt=attempt, **polling
            )
        else:
            trigger = BakeTrigger(
                endpoint=self.cycle.name,
                final=progress.final,
                rollout=asdict(self.rollout),
                **polling,
            )
        self.defer(trigger=trigger, method_name="resume", kwargs={"progress": asdict(progress)})

    # What is around it

    def _registered(self, context: Context) -> RegisterResult:
        """Return the version that is to be served."""
        return self.result_of(context, self.version_from, RegisterResult)

    def _check_gate(self, context: Context, registered: RegisterResult) -> None:
        """Skip the deployment of what is not, or no longer, to be in production."""
        if registered.promotion is None:
            raise AirflowSkipException("Not deployed: the challenger was not promoted, see `decide`.")
        if not context["params"].get("deploy", True):
            raise AirflowSkipException("Not deployed: this run was told deploy=false.")
        champion = production(self.ledger.entries())
        if champion is None or champion.number != registered.promotion:
            raise AirflowSkipException(f"Not deployed: production is {_named(champion)}, which is newer.")

    def _check_overtaken(self, context: Context) -> None:
        """Fail when another version became production while this ran."""
        champion = production(self.ledger.entries())
        if champion is None or champion.number == self._registered(context).promotion:
            return
        raise DeploymentFailed(
            f"While this ran, {_named(champion)} became production. Clear `deploy` of its run "
            f"{champion.by.get('run_id')}, in case its deployment came before this one."
        )


def _named(champion: Entry | None) -> str:
    if champion is None:
        return "nothing"
    until = champion.data_end.isoformat()
    return f"{champion.version} (data up to {until}, entry {champion.number} of the ledger)"
