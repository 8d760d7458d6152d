"""Whether a window alarms, and the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.core.documents.codec import narrow
from include.core.documents.monitoring import (
    Alarm,
    DataEvidence,
    Fault,
    FeatureDrift,
    PredictionDrift,
    Separability,
    WindowQuality,
)
from include.ml.monitoring.drift import Movement
from include.ml.monitoring.violations import HARMLESS

#: features named in a reason
NAMED = 5


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """What it takes for one window to alarm; shares are from 0 to 1."""

    minimum_rows: int
    #: of the model's importance, that drifted features must carry
    minimum_importance: float
    #: of labels that must be known before quality counts
    matured_share: float


def importance_shares(importance: Mapping[str, float | None]) -> dict[str, float]:
    """Return each column's share of the model's importance; a negative one, which is chance, counts as none.

    Where no column has any, all count alike.

    Examples
    --------
    >>> importance_shares({"temp": 0.25, "wind": 0.25, "dest": -0.02})
    {'temp': 0.5, 'wind': 0.5, 'dest': 0.0}
    """
    held = {name: max(value or 0.0, 0.0) for name, value in importance.items()}
    total = sum(held.values())
    if total == 0:
        return {name: 1 / len(held) for name in held}
    return {name: value / total for name, value in held.items()}


def feature_drifts(moved: Sequence[Movement], shares: Mapping[str, float]) -> tuple[FeatureDrift, ...]:
    """Return how far the features have drifted, those first that moved far and matter.

    A combined attribute has no importance of its own (None): it is made of columns whose importance holds
    what the model takes from it, since shuffling a column changes it too.
    """
    drifts = [
        FeatureDrift(
            **vars(narrow(PredictionDrift, drift)), name=drift.name, importance=shares.get(drift.name)
        )
        for drift in moved
    ]
    return tuple(
        sorted(drifts, key=lambda drift: (-(drift.importance or 0.0) * drift.distance, -drift.distance))
    )


def judge_evidence(rule: AlarmRule, data: DataEvidence, quality: Sequence[WindowQuality]) -> Alarm:
    """Return whether a window alarms, from what its rows show and what is known of its quality.

    A window with too few rows is not judged. While a column that the model reads is broken none alarms: a
    model trained on such rows would learn the fault. Drift of the predictions is told beside other reasons
    and is none by itself: other inputs have to give other answers, and a model that says so may be right.
    Whether it is, the labels tell.
    """
    reasons = [
        *_of_features(rule, data.features),
        *_of_separability(data.separability),
        *_of_quality(rule, quality),
    ]
    if reasons and data.predictions and data.predictions.is_drifted:
        reasons.append(f"its answers have moved as well, by {data.predictions.distance:.2f}")
    held_back = _held_back(rule, data.rows, data.broken)
    return Alarm(is_alarm=bool(reasons) and held_back is None, reasons=tuple(reasons), held_back=held_back)


def _held_back(rule: AlarmRule, rows: int, broken: Sequence[Fault]) -> str | None:
    faults = [fault for fault in broken if fault.check != HARMLESS]
    if faults:
        what = ", ".join(dict.fromkeys(fault.feature or "the window" for fault in faults))
        checks = ", ".join(dict.fromkeys(fault.check for fault in faults))
        return f"broken upstream: {what} ({checks}); a model trained on these rows would learn the fault"
    if rows < rule.minimum_rows:
        return f"{rows} rows are too few to judge by; the rule asks for {rule.minimum_rows}"
    return None


def _of_features(rule: AlarmRule, features: Sequence[FeatureDrift]) -> list[str]:
    drifted = [feature for feature in features if feature.is_drifted]
    carried = sum(feature.importance or 0.0 for feature in drifted)
    if not drifted or carried < rule.minimum_importance:
        return []
    names = [feature.name for feature in drifted if feature.importance]
    has, together = ("has", "") if len(names) == 1 else ("have", "together ")
    return [f"{listed(names)} {has} drifted: {together}{carried:.0%} of the model's importance"]


def _of_separability(separability: Separability | None) -> list[str]:
    if not separability or not separability.is_drifted:
        return []
    by = f" by {listed(list(separability.features))}" if separability.features else ""
    area = f"{separability.value:.2f} ({separability.low:.2f} to {separability.high:.2f})"
    limit = f"limit {separability.limit:g}"
    return [f"a classifier tells the window from the baseline{by}: area under the curve {area}, {limit}"]


def _of_quality(rule: AlarmRule, quality: Sequence[WindowQuality]) -> list[str]:
    """By the last cut-off at which enough labels were known: later labels correct earlier ones."""
    matured = [measured for measured in quality if (measured.coverage or 0.0) >= rule.matured_share]
    if not matured or not matured[-1].is_worse:
        return []
    last, reasons = matured[-1], []
    for name, (number, promised) in last.losses.items():
        than = f" than {promised.value:.3f}" if promised and promised.value is not None else ""
        shown = f"{number.value:.3f} ({number.low:.3f} to {number.high:.3f}) on {last.judged} labels"
        reasons.append(f"{name} is surely worse{than} in the model's evaluation: {shown}")
    return reasons


def listed(names: Sequence[str]) -> str:
    """Names as a person lists them.

    Examples
    --------
    >>> listed(["temp", "dewp", "wind"]), listed(["a", "b", "c", "d", "e", "f", "g"])
    ('temp, dewp and wind', 'a, b, c, d, e and 2 more')
    """
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
