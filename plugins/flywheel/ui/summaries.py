"""Ledger entries and watch records as the page tells them: short names, one sentence, no addresses of S3."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from include.core.documents.ledger import Entry
from include.core.layout import version_number, version_of
from include.core.ledger import is_withdrawn
from include.core.places import below_cycle, output_path
from include.core.retraining.rule import Finding, Json

#: later than anything that could become known
FOREVER = datetime.max.replace(tzinfo=UTC)
#: fields of an entry that the page shows as they are
ENTRY = ("number", "kind", "at", "by", "interval", "data_end", "reasons")
#: parts of a verdict that the page shows
VERDICT = ("promote", "metric", "challenger", "champion", "baselines", "gain")
#: parts of a decision about retraining that the page shows
DECISION = (
    "due",
    "reasons",
    "against",
    "alarms",
    "new_labels",
    "trainings_in_period",
    "rule",
    "emission",
    "at",
    "by",
)


def short(version: str | None) -> str | None:
    """`flights/3` for the ARN of a model package."""
    return version_of(version) if version else None


def path(uri: str | None) -> str | None:
    """Return an object as the page addresses it: what follows the cycle's name; None if there is none."""
    return below_cycle(uri) if uri else None


def entry(entries: list[Entry], each: Entry) -> Json:
    """One line of the ledger."""
    kept = each.as_json()
    return {name: kept[name] for name in ENTRY} | {
        "version": short(each.version),
        "version_number": version_number(each.version) if each.version else None,
        "arn": each.version,
        "replaces": short(each.replaces),
        "verdict": kept["verdict"] and {name: kept["verdict"][name] for name in VERDICT},
        "is_withdrawn": each.kind == "promotion" and is_withdrawn(entries, each),
        "evaluation": output_path(each.evaluation_uri),
        "says": sentence(each),
    }


def sentence(each: Entry) -> str:
    """Return what an entry says, in one sentence and the first of its reasons."""
    name = short(each.version) or f"The model of the data up to {each.data_end:%Y-%m-%d}"
    why = " ".join(each.reasons[:1])
    if each.kind == "decision":
        word = "is to be promoted" if each.promotes else "is not to be promoted"
        return f"{name} {word}. {why}"
    if each.kind == "rollback":
        return f"Production went back from {short(each.replaces)} to {name}. {why}"
    return f"{name} was {'promoted' if each.kind == 'promotion' else 'rejected'}. {why}"


def finding(found: Finding) -> Json:
    """Return what one window showed, by all that has become known of it."""
    judged = found.judged(FOREVER)
    return {
        "window": found.window.iso,
        "name": str(found.window),
        "champion": short(found.version),
        "data_end": found.data_end.isoformat(),
        "is_alarm": found.alarms(FOREVER),
        "why": found.why(FOREVER),
        "held_back": found.held_back,
        "quality": judged,
        "judgements": len(found.quality),
    }


def features(evidence: Json) -> list[Json]:
    """Each feature's drift in a window, the weightiest first."""
    names = ("name", "test", "distance", "p_value", "importance", "is_drifted")
    return [{name: each.get(name) for name in names} for each in evidence["features"]]


def decision(found: tuple[str, Json] | None) -> Json | None:
    """Return a decision about retraining, in short; given with the URI of its record."""
    if found is None:
        return None
    uri, record = found
    told = {name: record.get(name) for name in DECISION}
    return told | {"says": _decided(record), "record": path(uri)}


def _decided(record: Json) -> str:
    end = record["window"][1][:10]
    if not record["due"]:
        return f"After the window up to {end}: retraining is not due. {' '.join(record['against'][:1])}"
    asked = "It was asked for." if record["emission"]["is_emitted"] else record["emission"]["why"]
    alarmed = f"{len(record['reasons'])} of the last windows alarmed."
    return f"After the window up to {end}: retraining is due. {alarmed} {asked}"


def last(*told: Sequence[Json | None]) -> Json | None:
    """Of several things that have an `at`, the latest."""
    found = [each for group in told for each in group if each]
    return max(found, key=lambda each: datetime.fromisoformat(each["at"]), default=None)
