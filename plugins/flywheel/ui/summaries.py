"""Ledger entries and watch records as the page tells them: short names, one sentence, no addresses of S3."""

from __future__ import annotations

from datetime import UTC, datetime

from flywheel.ui.objects import Json
from include.core.documents.codec import to_json
from include.core.documents.ledger import Entry
from include.core.documents.retraining import RetrainingDecision
from include.core.layout import version_number, version_of
from include.core.ledger import is_withdrawn
from include.core.places import below_cycle, output_path
from include.core.retraining.rule import Finding

#: later than anything that could become known
FOREVER = datetime.max.replace(tzinfo=UTC)
#: fields of an entry that the page shows as they are
ENTRY = ("number", "kind", "at", "by", "interval", "data_end", "reasons")
#: parts of a verdict that the page shows
VERDICT = ("promote", "metric", "challenger", "champion", "baselines", "gain", "operating", "confusion")
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


def entry(entries: list[Entry], of: Entry) -> Json:
    """One line of the ledger."""
    kept = of.as_json()
    return {name: kept[name] for name in ENTRY} | {
        "version": short(of.version),
        "version_number": version_number(of.version) if of.version else None,
        "arn": of.version,
        "replaces": short(of.replaces),
        "verdict": kept["verdict"] and {name: kept["verdict"].get(name) for name in VERDICT},
        "is_withdrawn": of.kind == "promotion" and is_withdrawn(entries, of),
        "returned": returned(entries, of),
        "evaluation": output_path(of.evaluation_uri),
        "says": sentence(of),
    }


def returned(entries: list[Entry], promotion: Entry) -> Json | None:
    """Return when and from which version production went back to a promotion; None if it did not."""
    back = [
        e
        for e in entries
        if e.kind == "rollback" and e.number > promotion.number and e.version == promotion.version
    ]
    if promotion.kind != "promotion" or not back:
        return None
    kept = back[-1].as_json()
    return {"at": kept["at"], "by": kept["by"], "replaces": short(back[-1].replaces)}


def sentence(of: Entry) -> str:
    """Return what an entry says, in one sentence and the first of its reasons."""
    name = short(of.version) or f"The model of the data up to {of.data_end:%Y-%m-%d}"
    why = " ".join(of.reasons[:1])
    if of.kind == "decision":
        word = "is to be promoted" if of.promotes else "is not to be promoted"
        if of.verdict and of.verdict.undecided:
            word = "was not judged"
        return f"{name} {word}. {why}"
    if of.kind == "rollback":
        return f"Production went back from {short(of.replaces)} to {name}. {why}"
    return f"{name} was {'promoted' if of.kind == 'promotion' else 'rejected'}. {why}"


def finding(of_window: Finding) -> Json:
    """Return what one window showed, by all that has become known of it."""
    return {
        "window": of_window.window.iso,
        "name": str(of_window.window),
        "champion": short(of_window.version),
        "data_end": of_window.data_end.isoformat(),
        "is_alarm": of_window.alarms(FOREVER),
        "why": of_window.why(FOREVER),
        "held_back": of_window.held_back,
        "quality": to_json(of_window.quality_at(FOREVER)),
        "judgements": len(of_window.quality),
    }


def decision(recorded: tuple[str, RetrainingDecision] | None) -> Json | None:
    """Return a decision about retraining, in short; given with the URI of its record."""
    if recorded is None:
        return None
    uri, record = recorded
    parts = {name: to_json(getattr(record, name)) for name in DECISION}
    return parts | {"says": _decided(record), "record": path(uri)}


def _decided(record: RetrainingDecision) -> str:
    window = f"After the window up to {record.window.end:%Y-%m-%d}"
    if not record.due:
        return f"{window}: retraining is not due. {' '.join(record.against[:1])}"
    asked = "It was asked for." if record.emission.is_emitted else record.emission.why
    return f"{window}: retraining is due. {len(record.reasons)} of the last windows alarmed. {asked}"
