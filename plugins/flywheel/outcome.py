"""What a deployment knows of itself: how far an attempt has come, and how a trial ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow.sdk import Context

from flywheel.operators.base import task_digest
from include.core.keys import canonical
from include.core.layout import Places
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.rollout import Canary, Judgement, Seen


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

    :param hook: what the connection leads to
    :param places: the cycle's places
    :param context: the attempt's context
    :param final: name of the configuration on trial
    """

    def __init__(self, hook: SageMaker, places: Places, context: Context, final: str) -> None:
        self._hook = hook
        ti = context["ti"]
        self.uri = places.rollout(final, f"{task_digest(ti)}-{ti.max_tries}")
        kept = hook.read_json(self.uri) or {"is_good": True}
        #: why the version was refused, empty if it was not
        self.refusal: str = "" if kept["is_good"] else str(kept["text"])

    def keep(self, canary: Canary, judgement: Judgement) -> None:
        """Keep what the metrics said."""
        record: dict[str, Any] = {"is_good": judgement.is_good, "text": judgement.text}
        record |= {"canary": canary.config, "champion": canary.champion, "final": canary.final}
        self._hook.put_once(self.uri, canonical(record).encode())
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
