"""Who asks for retraining, and what a request is: one at a time, by the newest window, never by a backfill.

Pure, as `rule.py`, but a matter of the moment: it depends on what else was monitored, asked for and trained.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from include.core.documents.retraining import Emission, RetrainingJudgement, RetrainingRequest
from include.core.layout import Interval
from include.core.retraining.rule import Past


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What counts when a run asks whether it may ask: the only part that depends on who runs when."""

    is_backfill: bool = False
    #: the newest window that was monitored so far
    newest: Interval
    requests: Sequence[RetrainingRequest]
    #: dag_id and run_id of the run; a request of its own does not stand in its way
    by: Mapping[str, str]
    #: data ends of all trainings that were decided
    trainings: Collection[datetime]
    #: whether the decision is made again because an earlier window was monitored late
    is_again: bool = False


def emission(judgement: RetrainingJudgement, past: Past, moment: Moment) -> Emission:
    """Return whether a decision leads to a request, and why or why not."""
    refusal = _refusal(judgement, past, moment)
    why = "It is due, in the newest window, and nobody is answering yet."
    return Emission(is_emitted=refusal is None, why=refusal or why)


def _refusal(judgement: RetrainingJudgement, past: Past, moment: Moment) -> str | None:
    """Return the first reason that forbids asking."""
    window, newest, wanted = past.last[-1], moment.newest, past.train_interval
    if not judgement.due or wanted is None:
        return "Nothing is due."
    others = [r for r in moment.requests if is_open(r, past, moment.trainings) and r.by != moment.by]
    is_trained = any(end >= wanted.end for end in moment.trainings)
    reasons = {
        "An earlier window was monitored late: deciding again asks for nothing.": moment.is_again,
        "A backfill records its decisions and asks for nothing.": moment.is_backfill,
        f"The newer window {newest} was monitored before: only the newest asks.": newest > window,
        f"The training for {wanted} has been decided already.": is_trained,
        f"Request {_numbers(others)} is still open.": bool(others),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _numbers(requests: Sequence[RetrainingRequest]) -> str:
    return ", ".join(f"{r.number} of {r.window}" for r in requests)


def is_open(request: RetrainingRequest, past: Past, trainings: Collection[datetime]) -> bool:
    """Return whether a request waits for its answer, as of a window: neither answered nor given up."""
    is_recent = request.window.start >= past.last[0].start
    return is_recent and not any(end >= request.data_end for end in trainings)


def answered(
    requests: Sequence[RetrainingRequest], run_after: datetime, named: Collection[int]
) -> list[RetrainingRequest]:
    """Return the requests that a run answers, the one it trains for last.

    :param run_after: when Airflow made the run
    :param named: numbers of the requests whose events started it; their clock may be ahead of Airflow's
    """
    newest = max(named, default=0)
    known = [r for r in requests if r.number <= newest or r.at <= run_after]
    return sorted(known, key=lambda request: (request.data_end, request.number))
