"""The gain of one model over another in every slice of the holdout, judged by floors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from include.ml.evaluation.comparison import Answers, Gain, Holdout, Plan, gains

#: a slice of fewer rows, or of fewer rows of a class that it has to rank, tells nothing
LEAST_ROWS, LEAST_OF_A_CLASS = 50, 10
RANKING = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class SliceGain:
    """How much better the challenger is on the rows with one value of one column."""

    column: str
    value: str
    rows: int
    #: over the champion, with an interval that is wide enough for all slices together
    gain: Gain
    #: the gain that the slice must not surely be below
    floor: float

    @property
    def is_under_floor(self) -> bool:
        """Whether even the upper bound is below the floor: chance alone does not explain the loss."""
        return self.gain.high < self.floor


def slice_gains(
    metric: str,
    holdout: Holdout,
    *,
    challenger: Answers,
    champion: Answers,
    groups: Mapping[str, np.ndarray],
    floor: Callable[[str], float],
    plan: Plan,
) -> list[SliceGain]:
    """The gain over the champion in each slice that is big enough to tell, the worst first.

    With twenty slices, one 95 % interval misses the truth by chance: the confidence is raised so that it
    holds for all of them together (Bonferroni).
    """
    found = list(_slices(metric, holdout, groups))
    shared = replace(plan, confidence=1 - (1 - plan.confidence) / max(len(found), 1))
    judged = []
    for column, value, chosen in found:
        rivals = {"champion": champion.only(chosen)}
        gain = gains(metric, holdout.only(chosen), challenger.only(chosen), rivals, shared)["champion"]
        judged.append(SliceGain(column, value, int(chosen.sum()), gain, floor(column)))
    return sorted(judged, key=lambda each: each.gain.value - each.floor)


def _slices(
    metric: str, holdout: Holdout, groups: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, str, np.ndarray]]:
    for column, values in groups.items():
        for value in np.unique(values):
            chosen = values == value
            of_classes = np.bincount(holdout.labels[chosen], minlength=2)
            is_ranked = metric not in RANKING or of_classes.min() >= LEAST_OF_A_CLASS
            if chosen.sum() >= LEAST_ROWS and is_ranked:
                yield column, str(value), chosen
