"""The append-only record of decisions and promotions, as objects in S3.

An entry is `<cycle>/ledger/<8 digits>.json`, written with `If-None-Match: *`: whoever takes a number first
has it, the other reads again and decides again. Nothing is ever changed or removed. Production is the
promotion with the latest data end, so it can only move forward: a promotion for older data (a backfill)
becomes part of the history, which evaluations and scorings of that time look up, and leaves production where
it is.

A rollback is an entry, too. It withdraws every promotion that is newer than the version it goes back to; what
is promoted afterwards stands, so that production moves forward with the next challenger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from include.core.documents.ledger import Entry
from include.core.exceptions import PromotionLost, RollbackRefused
from include.core.journal import Journal
from include.core.layout import split_uri, version_number
from include.core.places import Places


def now() -> datetime:
    """Return the time as entries write it, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def champion_as_of(entries: list[Entry], moment: datetime, *, inclusive: bool) -> Entry | None:
    """Return the promotion with the latest data end before `moment`, or up to it if `inclusive`.

    Rollbacks are respected. Of several for the same data the last one counts: it knew the others.
    """

    def is_known(entry: Entry) -> bool:
        when = entry.effective or entry.data_end
        return when < moment or (inclusive and when == moment)

    return production([entry for entry in entries if is_known(entry)])


def production(entries: list[Entry]) -> Entry | None:
    """Return the promotion that the endpoint should serve: the newest data of all that stand."""
    standing = [e for e in entries if e.kind == "promotion" and not is_withdrawn(entries, e)]
    return max(standing, key=lambda e: (e.data_end, e.number), default=None)


def is_withdrawn(entries: list[Entry], promotion: Entry) -> bool:
    """Whether production was rolled back from a promotion."""
    return any(_goes_behind(e, promotion) for e in entries if e.kind == "rollback")


def _goes_behind(rollback: Entry, promotion: Entry) -> bool:
    """Whether a rollback went back behind a promotion; one that came after it stands."""
    is_newer = promotion.data_end > rollback.data_end
    is_other = promotion.data_end == rollback.data_end and promotion.version != rollback.version
    return promotion.number < rollback.number and (is_newer or is_other)


def last_decision(entries: list[Entry], data_end: datetime) -> Entry | None:
    """Return the decision that counts for an interval: the last one about its data."""
    decisions = [e for e in entries if e.kind == "decision" and e.data_end == data_end]
    return decisions[-1] if decisions else None


def is_concluded(entries: list[Entry], decision: Entry) -> bool:
    """Whether nothing is to come of a decision any more: it was carried out, rejected, or to do nothing."""
    if not decision.promotes:
        return True
    about = [e for e in entries if e.kind != "decision" and e.data_end == decision.data_end]
    promoted = [e for e in about if e.kind == "promotion"]
    is_carried_out = bool(promoted) and _same(promoted[-1], decision)
    outcomes = [e for e in about if e.kind in {"promotion", "rejection"}]
    return is_carried_out or any(e.number > decision.number for e in outcomes)


def rejection_of(entries: list[Entry], decision: Entry) -> Entry | None:
    """Return the rejection of what a decision called for, if that was the last word about it."""
    outcomes = [e for e in entries if e.kind in {"promotion", "rejection"} and _same(e, decision)]
    return outcomes[-1] if outcomes and outcomes[-1].kind == "rejection" else None


class Ledger(Journal[Entry]):
    """The ledger of one cycle in one bucket.

    :param s3: a boto3 client for S3
    """

    def __init__(self, s3: Any, bucket: str, cycle: str) -> None:  # noqa: ANN401 - boto3 makes its clients' types at run time
        super().__init__(s3, *split_uri(Places(bucket, cycle).ledger), kind=Entry, title=f"ledger of {cycle}")
        self._cycle = cycle

    def decide(self, entry: Entry) -> Entry:
        """Append a decision, unless this very decision was recorded before; return the recorded one."""

        def propose(entries: list[Entry]) -> Entry:
            # A later decision about other evidence for the same data outdates it: then it is made anew.
            last = last_decision(entries, entry.data_end)
            return last if last and _same(last, entry) else entry

        return self.append(propose)

    def promote(self, entry: Entry, decision: Entry) -> Entry:
        """Append a promotion that `decision` called for, once; return the recorded one.

        :raises PromotionLost: since `decision`, another version was promoted for the same data end
        """

        def propose(entries: list[Entry]) -> Entry:
            rivals = [e for e in entries if e.kind == "promotion" and e.data_end == entry.data_end]
            if rivals and _same(rivals[-1], entry):
                return rivals[-1]
            if rivals and rivals[-1].number > decision.number:
                raise PromotionLost(_lost(self._cycle, entry, decision, rivals[-1]))
            return entry

        return self.append(propose)

    def reject(self, entry: Entry, decision: Entry) -> Entry:
        """Append that a person rejected what `decision` called for, once; return the recorded one."""

        def propose(entries: list[Entry]) -> Entry:
            return rejection_of(entries, decision) or entry

        return self.append(propose)


def _same(one: Entry, other: Entry) -> bool:
    """Whether two entries are about the same model and the same evidence."""
    return (one.model_uri, one.evaluation_uri) == (other.model_uri, other.evaluation_uri)


def _lost(cycle: str, entry: Entry, decision: Entry, winner: Entry) -> str:
    return (
        f"Not promoted: for the data of {cycle} up to {entry.data_end.isoformat()}, run "
        f"{winner.by.get('run_id')} has promoted {winner.version} at {winner.at.isoformat()} "
        f"(entry {winner.number}), after this run had decided (entry {decision.number}). "
        "Clear `decide` if this run's version should replace that one."
    )


# Rolling back


def rollback(entries: list[Entry], to: str | None, reason: str, by: Mapping[str, str]) -> Entry:
    """Return the entry that takes production back, or the one that the same run has written before.

    :param to: ARN or number of a version that was in production; None: the last good one before the current
    :param by: who the run is, with `triggered_at` in ISO 8601: a run that is triggered again is another run
    :raises RollbackRefused: there is no such version
    """
    mine = [e for e in entries if e.kind == "rollback" and _is_by(e, by)]
    if mine:
        return mine[-1]
    current = production(entries)
    if current is None:
        raise RollbackRefused("There is nothing in production, so there is nothing to roll back.")
    target = _target(entries, current, to)
    return replace(
        target,
        kind="rollback",
        at=now(),
        by=dict(by),
        verdict=None,
        reasons=(reason,),
        replaces=current.version,
        effective=max(e.data_end for e in entries if e.kind == "decision"),
        number=0,
    )


def _is_by(entry: Entry, by: Mapping[str, str]) -> bool:
    """Whether a run wrote an entry; those of version 0.1.0 lack the time at which it was triggered."""
    triggered = by["triggered_at"]
    is_old = "triggered_at" not in entry.by and entry.at >= datetime.fromisoformat(triggered)
    return ({**entry.by, "triggered_at": triggered} if is_old else entry.by) == by


def promotion_of(entries: list[Entry], entry: Entry) -> Entry:
    """Return the promotion of the version that a rollback goes back to."""
    promotions = [e for e in entries if e.kind == "promotion" and e.version == entry.version]
    return max(promotions, key=lambda e: e.number)


def _target(entries: list[Entry], current: Entry, to: str | None) -> Entry:
    older = _older(entries, current)
    wanted = [e for e in older if to in {None, str(e.version), version_number(str(e.version))}]
    if wanted:
        return wanted[0]
    known = ", ".join(str(e.version) for e in older) or "none"
    asked = "There is no version" if to is None else f"{to!r} is no version"
    raise RollbackRefused(
        f"{asked} that production, which is {current.version} now, could go back to. Before it: {known}."
    )


def _older(entries: list[Entry], current: Entry) -> list[Entry]:
    """Return what would be in production without the current version, then without the next, and so on."""
    left, older = list(entries), []
    latest: Entry | None = current
    while latest is not None:
        left = [e for e in left if e.version != latest.version or e.kind != "promotion"]
        latest = production(left)
        older += [latest] if latest else []
    return older
