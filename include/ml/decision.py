"""The decision whether the challenger becomes the champion.

The rule of this stage compares values on one holdout. Whoever makes it finer changes this file alone: it
takes estimates and gives a verdict with reasons in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.ml.evaluation import Estimate


@dataclass(frozen=True)
class Verdict:
    """Whether to promote, and why."""

    promote: bool
    #: full sentences, one for each comparison
    reasons: tuple[str, ...]


def decide(
    metric: str,
    minimum_gain: float,
    challenger: Estimate,
    champion: Estimate | None,
    baselines: Mapping[str, Estimate],
) -> Verdict:
    """Promote a challenger that beats every baseline and is not worse than the champion.

    Parameters
    ----------
    metric
        Name of the metric, of which a higher value is better.
    minimum_gain
        By how much the best baseline must be exceeded, in the metric's unit; never by nothing.
    challenger, champion, baselines
        The metric of each model on the same rows; without a champion the first two comparisons suffice.

    >>> good, poor = Estimate(0.7, 0.68, 0.72, 0.01), Estimate(0.5, 0.5, 0.5, 0.0)
    >>> decide("roc_auc", 0.0, good, None, {"constant": poor}).promote
    True
    """
    name, best = max(baselines.items(), key=lambda item: item[1].value)
    gain = challenger.value - best.value
    is_better = gain > 0 and gain >= minimum_gain
    word = "beats" if is_better else "does not beat"
    shown = f"the best baseline ({name}, {_shown(best)})"
    reasons = [
        (
            f"The challenger's {metric} of {_shown(challenger)} {word} {shown}: the gain is {gain:+.4f}, "
            f"required are {minimum_gain:g}."
        )
    ]
    if champion is None:
        return Verdict(is_better, (*reasons, "There is no champion yet to compare with."))
    is_no_worse = challenger.value >= champion.value
    word = "is not worse than" if is_no_worse else "is worse than"
    reasons.append(
        f"The challenger {word} the champion on the same rows ({_shown(champion)}): "
        f"the difference is {challenger.value - champion.value:+.4f}."
    )
    return Verdict(is_better and is_no_worse, tuple(reasons))


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
