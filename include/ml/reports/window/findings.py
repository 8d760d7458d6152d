"""The findings of a window in words: what moved, how good the model is, what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.ml.reports import phrases
from include.ml.reports.phrases import Content

#: names that a sentence holds before it says how many more there are
NAMED = 3


@dataclass(frozen=True)
class Status:
    """A window in one word, with the class of its colour and a sign for readers who see no colours."""

    name: str
    css: str
    sign: str


BROKEN = Status("Broken upstream", "broken", "✕")
HELD_BACK = Status("Not judged", "held", "?")
ALARM = Status("Alarm", "alarm", "▲")
QUIET = Status("No alarm", "quiet", "✓")


def status_of(evidence: Content) -> Status:
    """Return the window in one word."""
    alarm = evidence["alarm"]
    if alarm["held_back"] is not None:
        return BROKEN if evidence["broken"] else HELD_BACK
    return ALARM if alarm["is_alarm"] else QUIET


def weight(feature: Content) -> float:
    """Return importance times distance, by which features are sorted; an undefined one counts as 0."""
    return max(feature.get("importance") or 0.0, 0.0) * (feature.get("distance") or 0.0)


def order_features(features: Iterable[Content]) -> list[Content]:
    """Sort features by weight; of equal weights the one that moved further comes first."""
    return sorted(features, key=lambda f: (-weight(f), -(f.get("distance") or 0.0), f["name"]))


def moved_features(evidence: Content) -> list[Content]:
    """Return the features that have drifted, by weight."""
    return [feature for feature in order_features(evidence["features"]) if feature["is_drifted"]]


def share_of(features: Iterable[Content], of: Iterable[Content]) -> float | None:
    """Return the part of the model's importance that some features carry; None if none is known.

    >>> share_of([{"importance": 0.2}], [{"importance": 0.2}, {"importance": 0.6}, {"importance": None}])
    0.25
    """
    part, whole = (sum(max(f.get("importance") or 0.0, 0.0) for f in each) for each in (features, of))
    return part / whole if whole else None


def drift_words(evidence: Content) -> str:
    """Say how many features have moved, and whether it matters.

    >>> temp = {"name": "temp", "distance": 0.5, "importance": 0.2, "is_drifted": True}
    >>> sky = {"name": "sky", "distance": 0.1, "importance": 0.6, "is_drifted": False}
    >>> drift_words({"features": [sky, temp], "broken": []})
    "1 of 2 features has moved (temp): it carries 25 % of the model's importance."
    """
    features, found = evidence["features"], moved_features(evidence)
    if not features:
        return "No feature could be compared with the baseline."
    if not found:
        return f"None of {phrases.count(len(features), 'feature')} has moved."
    part = phrases.percent(share_of(found, features))
    names = _names([feature["name"] for feature in found])
    verb, carry = ("has", "it carries") if len(found) == 1 else ("have", "together they carry")
    return (
        f"{len(found)} of {phrases.count(len(features), 'feature')} {verb} moved ({names}): "
        f"{carry} {part} of the model's importance."
    )


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def held_back_words(evidence: Content) -> str:
    """Say why the window raises no alarm, whatever was found.

    >>> fault = {"feature": "temp", "check": "missing_column_check"}
    >>> held_back_words({"broken": [fault], "alarm": {"held_back": "broken upstream: temp"}})
    'Broken upstream: temp. That is to be repaired where it comes from, and never leads to retraining.'
    """
    why = evidence["alarm"]["held_back"]
    first = f"{why[:1].upper()}{why[1:].rstrip('.')}."
    if not evidence["broken"]:
        return f"{first} The window is not judged."
    return f"{first} That is to be repaired where it comes from, and never leads to retraining."


def quality_of(evidence: Content) -> Content | None:
    """Return the latest judgement of a window's quality; None before any label is known."""
    return max(evidence["quality"], key=lambda each: datetime.fromisoformat(each["cutoff"]), default=None)


def as_of(evidence: Content, moment: str) -> dict[str, Any]:
    """Return evidence with the quality known at a moment, or all later judgements if there was none yet.

    >>> late = {"cutoff": "2013-04-01T00:00:00+00:00"}
    >>> soon = {"cutoff": "2013-03-01T00:00:00+00:00"}
    >>> as_of({"quality": [late, soon]}, "2013-03-01T00:00:00+00:00")["quality"] == [soon]
    True
    """
    end = datetime.fromisoformat(moment)
    known = [each for each in evidence["quality"] if datetime.fromisoformat(each["cutoff"]) <= end]
    return {**evidence, "quality": known or evidence["quality"]}


def quality_words(evidence: Content) -> str:
    """Say how good the model is, or is estimated to be."""
    found, estimate = quality_of(evidence), evidence.get("estimate")
    if found and found["value"] is not None:
        label = f"{found['metric']} is {phrases.interval(found)} on {phrases.count(found['judged'], 'label')}"
        known = f" ({phrases.percent(found['coverage'])} of the window)"
        return f"{label}{known}{_beside(found)}."
    if estimate and estimate["value"] is not None:
        error = phrases.metric(estimate["calibration_error"])
        return (
            f"No label is known yet. By an estimate from the model's own scores, {estimate['metric']} is "
            f"{phrases.metric(estimate['value'])}; such estimates were off by {error} at the evaluation."
        )
    return "Neither labels nor an estimate tell how good the model is."


def _beside(found: Content) -> str:
    reference = found.get("reference") or {}
    if reference.get("value") is None:
        return ""
    gap = found["value"] - reference["value"]
    words_of = f"{abs(gap):.3f} {'below' if gap < 0 else 'above'} its evaluation's {reference['value']:.3f}"
    judged = "surely worse than it may be" if found["is_worse"] else "not surely worse"
    return f", {words_of}: {judged}"


def separability_words(evidence: Content) -> str:
    """Say whether a classifier tells the window from the baseline."""
    found = evidence.get("separability")
    if not found or found["value"] is None:
        return "No classifier was asked to tell the window from the baseline."
    limit = "" if found["limit"] is None else f" (limit {phrases.metric(found['limit'])})"
    judged = "too well" if found["is_drifted"] else "not too well"
    auc = f"its AUC is {phrases.interval(found)}{limit}"
    return f"A classifier tells the window from the baseline {judged}: {auc}."


def decision_words(decision: Content | None) -> str:
    """Say what was decided, in one sentence.

    >>> alarms = {"watched": 3, "alarmed": 1, "needed": 2, "of": 3}
    >>> decision_words({"alarms": alarms, "due": False, "against": ["Too few."], "emission": {}})
    '1 of the last 3 windows alarmed, and it takes 2 of 3: no retraining is due.'
    """
    if decision is None:
        return "No decision about retraining is recorded for this window."
    alarms = decision["alarms"]
    said = f"{alarms['alarmed']} of the last {phrases.count(alarms['watched'], 'window')} alarmed"
    if not decision["due"]:
        takes = f"it takes {alarms['needed']} of {alarms['of']}"
        if alarms["alarmed"] < alarms["needed"]:
            return f"{said}, and {takes}: no retraining is due."
        return f"{said}, but no retraining is due. {decision['against'][0]}"
    emission: Content = decision.get("emission") or {}
    if emission.get("is_emitted"):
        return f"{said}: retraining was asked for."
    why = str(emission.get("why") or "no reason was recorded").rstrip(".")
    return f"{said}: retraining is due, but was not asked for now. {why[:1].upper()}{why[1:]}."


def summarize_window(evidence: Content, decision: Content | None) -> list[str]:
    """Summarize the window in sentences, the most important first."""
    first = [held_back_words(evidence)] if evidence["alarm"]["held_back"] is not None else []
    return [*first, drift_words(evidence), quality_words(evidence), decision_words(decision)]
