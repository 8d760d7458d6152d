"""The findings of a window in words: what moved, how good the model is, what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from include.core.documents.monitoring import (
    Evidence,
    FeatureShift,
    QualityEstimate,
    WindowQuality,
)
from include.core.documents.reports import DecisionSummary, WindowSummary
from include.ml.reports import phrases

#: what monitor found in a window, whole or as far as curves show it
Window = Evidence | WindowSummary
Feature = TypeVar("Feature", bound=FeatureShift)

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


def status_of(window: Window) -> Status:
    """Return the window in one word."""
    if window.alarm.held_back is not None:
        return BROKEN if window.broken else HELD_BACK
    return ALARM if window.alarm.is_alarm else QUIET


def short_name(window: Window) -> str:
    """Return the start of the window as text."""
    return phrases.short(window.window.start, window.window.end)


def weight(feature: FeatureShift) -> float:
    """Return importance times distance, by which features are sorted; an unknown importance counts as 0."""
    return max(feature.importance or 0.0, 0.0) * feature.distance


def order_features(features: Iterable[Feature]) -> list[Feature]:
    """Sort features by weight; of equal weights the one that moved further comes first."""
    return sorted(features, key=lambda feature: (-weight(feature), -feature.distance, feature.name))


def moved_features(window: Window) -> list[FeatureShift]:
    """Return the features that have drifted, by weight."""
    features: Sequence[FeatureShift] = window.features
    return [feature for feature in order_features(features) if feature.is_drifted]


def share_of(features: Iterable[FeatureShift], of: Iterable[FeatureShift]) -> float | None:
    """Return the part of the model's importance, 0 to 1, that features carry; None if none is known."""
    part, whole = (sum(max(f.importance or 0.0, 0.0) for f in group) for group in (features, of))
    return part / whole if whole else None


def drift_words(evidence: Evidence) -> str:
    """Say how many features have moved, and whether it matters."""
    features, moved = evidence.features, moved_features(evidence)
    if not features:
        return "No feature could be compared with the baseline."
    if not moved:
        return f"None of {phrases.count(len(features), 'feature')} has moved."
    part = phrases.percent(share_of(moved, features))
    names = _names([feature.name for feature in moved])
    verb, carry = ("has", "it carries") if len(moved) == 1 else ("have", "together they carry")
    return (
        f"{len(moved)} of {phrases.count(len(features), 'feature')} {verb} moved ({names}): "
        f"{carry} {part} of the model's importance."
    )


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _sentence(text: str) -> str:
    """Return a text with a capital and one full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def quality_of(window: Window) -> WindowQuality | None:
    """Return the latest judgement of a window's quality; None before any label is known."""
    return max(window.quality, key=lambda quality: quality.cutoff, default=None)


def as_of(evidence: Evidence, moment: datetime) -> Evidence:
    """Return evidence with the quality known at a moment, or all later judgements if there was none yet."""
    known = tuple(quality for quality in evidence.quality if quality.cutoff <= moment)
    return replace(evidence, quality=known or evidence.quality)


def measured_or_estimated(window: Window) -> WindowQuality | QualityEstimate | None:
    """Return the quality by labels, or else its estimate."""
    return quality_of(window) or window.estimate


def quality_words(evidence: Evidence) -> str:
    """Say how good the model is, or is estimated to be."""
    quality, estimate = quality_of(evidence), evidence.estimate
    if quality and quality.value is not None:
        labels = f"{phrases.count(quality.judged, 'label')} known by {phrases.moment(quality.cutoff)}"
        known = f" ({phrases.percent(quality.coverage)} of the window)"
        first = f"{quality.metric} is {phrases.interval(quality)} on {labels}{known}{_beside(quality)}."
        return " ".join([first, *_answered(quality)])
    if estimate and estimate.value is not None:
        error = phrases.metric(estimate.calibration_error)
        return (
            f"No label is known yet. By an estimate from the model's own scores, {estimate.metric} is "
            f"{phrases.metric(estimate.value)}; such estimates were off by {error} at the evaluation."
        )
    return "Neither labels nor an estimate tell how good the model is."


def _answered(quality: WindowQuality) -> list[str]:
    """Say how the answers fared beside the evaluation."""
    phrases_of_metrics = [
        f"{name} {phrases.interval(number)} (evaluation {phrases.metric(number.reference.value)}"
        f"{', surely worse than it may be' if number.is_worse else ''})"
        for name, number in (quality.operating or {}).items()
    ]
    return [f"How clients were answered: {', '.join(phrases_of_metrics)}."] if phrases_of_metrics else []


def _beside(quality: WindowQuality) -> str:
    if quality.value is None or quality.reference is None or quality.reference.value is None:
        return ""
    gap = quality.value - quality.reference.value
    beside = "below" if gap < 0 else "above"
    judged = "surely worse than it may be" if quality.metric in quality.losses else "not surely worse"
    return f", {abs(gap):.3f} {beside} its evaluation's {quality.reference.value:.3f}: {judged}"


def separability_words(evidence: Evidence) -> str:
    """Say whether a classifier tells the window from the baseline."""
    separability = evidence.separability
    if separability is None:
        return "No classifier was asked to tell the window from the baseline."
    judged = "too well" if separability.is_drifted else "not too well"
    auc = f"its AUC is {phrases.interval(separability)} (limit {phrases.metric(separability.limit)})"
    return f"A classifier tells the window from the baseline {judged}: {auc}."


def decision_words(decision: DecisionSummary) -> str:
    """Say what was decided, in one sentence."""
    alarms, emission = decision.alarms, decision.emission
    alarmed = f"{alarms.alarmed} of the last {phrases.count(alarms.watched, 'window')} alarmed"
    if not decision.due:
        if alarms.alarmed < alarms.needed:
            return f"{alarmed}, and it takes {alarms.needed} of {alarms.of}: no retraining is due."
        return f"{alarmed}, but no retraining is due. {decision.against[0]}"
    if emission.is_emitted:
        return f"{alarmed}: retraining was asked for."
    return f"{alarmed}: retraining is due, but was not asked for now. {_sentence(emission.why)}"


def summarize_window(evidence: Evidence, decision: DecisionSummary) -> list[str]:
    """Summarize the window in sentences, the most important first: why it alarms, or why it is not judged."""
    sentences = [drift_words(evidence), quality_words(evidence), decision_words(decision)]
    if evidence.alarm.is_alarm:
        sentences = [_sentence(f"the window alarms: {'; '.join(evidence.alarm.reasons)}"), *sentences]
    held_back = evidence.alarm.held_back
    if held_back is None:
        return sentences
    so = "That is to be repaired where it comes from, and never leads to retraining."
    return [f"{_sentence(held_back)} {so if evidence.broken else 'The window is not judged.'}", *sentences]
