"""What is kept of a trial's outcome: the evidence, and the memory of a version that was refused."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from flywheel.hooks.sagemaker import SageMaker
from flywheel.keys import canonical
from flywheel.rollout import Canary, Judgement
from flywheel.work import task_digest


class Outcome:
    """How the trial of a version ended, in S3 before anything is done about it.

    An attempt that is killed before it has rolled back is followed by one that knows that it must. A task
    that a person clears begins a new trial: `max_tries` is the same over retries and other after a clear.

    :param hook: what the connection leads to
    :param place: `s3://` URI of the cycle's rollouts, with a closing slash
    :param context: the attempt's context
    :param final: name of the configuration on trial
    """

    def __init__(self, hook: SageMaker, place: str, context: Context, final: str) -> None:
        self._hook = hook
        ti = context["ti"]
        self.uri = f"{place}{final}/{task_digest(ti)}-{ti.max_tries}.json"
        kept = hook.read_json(self.uri) or {"is_good": True}
        #: why the version was refused, empty if it was not
        self.refusal: str = "" if kept["is_good"] else str(kept["text"])

    def keep(self, canary: Canary, judgement: Judgement) -> None:
        """Keep what the metrics said."""
        record: dict[str, Any] = {"is_good": judgement.is_good, "text": judgement.text}
        record |= {"canary": canary.config, "champion": canary.champion, "final": canary.final}
        self._hook.put_once(self.uri, canonical(record).encode())
        self.refusal = "" if judgement.is_good else judgement.text
