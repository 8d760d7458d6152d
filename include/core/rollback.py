"""Going back from the version in production to one that was there before.

A rollback is an entry of the ledger. It withdraws every promotion that was newer than the version it goes
back to; what is promoted afterwards stands, so that production moves forward with the next challenger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from include.core.documents.ledger import Entry
from include.core.exceptions import RollbackRefused
from include.core.layout import version_number
from include.core.ledger import production


def rollback(entries: list[Entry], to: str | None, reason: str, by: Mapping[str, str]) -> Entry:
    """The entry that takes production back, or the one that the same run has written before.

    :param to: ARN or number of a version that was in production; None: the last good one before the current
    :raises RollbackRefused: there is no such version
    """
    mine = [e for e in entries if e.kind == "rollback" and e.by == by]
    if mine:
        return mine[-1]
    current = production(entries)
    if current is None:
        raise RollbackRefused("There is nothing in production, so there is nothing to roll back.")
    target = _target(entries, current, to)
    newest = max(e.data_end for e in entries if e.kind == "decision")
    return replace(
        target,
        kind="rollback",
        at=datetime.now(UTC).replace(microsecond=0),
        by=dict(by),
        verdict=None,
        reasons=(reason,),
        replaces=current.version,
        effective=newest,
        number=0,
    )


def promotion_of(entries: list[Entry], entry: Entry) -> Entry:
    """The promotion of the version that a rollback goes back to."""
    found = [e for e in entries if e.kind == "promotion" and e.version == entry.version]
    return max(found, key=lambda e: e.number)


def _target(entries: list[Entry], current: Entry, to: str | None) -> Entry:
    older = _older(entries, current)
    wanted = older if to is None else [e for e in older if _is_called(e, to)]
    if wanted:
        return wanted[0]
    known = ", ".join(str(e.version) for e in older) or "none"
    asked = "There is no version" if to is None else f"{to!r} is no version"
    raise RollbackRefused(
        f"{asked} that production, which is {current.version} now, could go back to. Before it: {known}."
    )


def _older(entries: list[Entry], current: Entry) -> list[Entry]:
    """What would be in production if the current version, then the one before it, and so on, were not."""
    left, found = list(entries), []
    latest: Entry | None = current
    while latest is not None:
        left = [e for e in left if e.version != latest.version or e.kind != "promotion"]
        latest = production(left)
        found += [latest] if latest else []
    return found


def _is_called(entry: Entry, name: str) -> bool:
    version = str(entry.version)
    return name in {version, version_number(version)}
