"""Whether a classifier can tell a window's rows from the baseline's: drift of all features together.

It is tried on rows that it has not learnt from, and where rows come in clusters, on clusters it has not met:
whoever knows the weather of each hour of a month recognises its flights without any drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier

from include.core.documents.monitoring import Separability
from include.ml.evaluation.clusters import ClusteredRows

FOLDS = 5
#: texts that are told apart; rarer ones are one
CATEGORIES = 200
CONFIDENCE = 0.95
#: features that are named, and how much of the area they must be worth
NAMED, WORTH = 10, 0.005


@dataclass(frozen=True)
class Trial:
    """One fold: rows whose side was guessed."""

    model: HistGradientBoostingClassifier
    places: NDArray[np.intp]
    area: float
    #: how much each row makes of the area's error, shape (n,)
    influence: NDArray[np.float64]


def measure_separability(
    baseline: ClusteredRows, current: ClusteredRows, *, limit: float, seed: int = 0
) -> Separability | None:
    """Return the cross-validated area under the curve of a classifier that tells `current` from `baseline`.

    An area of 0.5 means that both look the same; from a lower bound above `limit` on, 0 to 1, rows have
    drifted. Features are named with the largest fall of the area first.

    Returns
    -------
    None where there is no column in common, or a side has fewer clusters than there are folds. The interval
    is by the area's influence curve, summed over clusters (Obuchowski 1997; LeDell et al. 2015). Where it
    holds 0.5 nothing is told apart, and no feature is named.
    """
    names = [name for name in baseline.rows.columns if name in current.rows.columns]
    sides = np.repeat([0, 1], [len(baseline.rows), len(current.rows)])
    clusters = np.concatenate([baseline.clusters, current.clusters + baseline.clusters.max(initial=0) + 1])
    if not names or min(len(np.unique(side.clusters)) for side in (baseline, current)) < FOLDS:
        return None
    table = encode(pd.concat([baseline.rows[names], current.rows[names]], ignore_index=True))
    folds = divide(sides, clusters, seed)
    trials = [guess(table, sides, folds, fold, seed) for fold in range(FOLDS)]
    value = float(np.mean([trial.area for trial in trials]))
    half = half_width(trials, clusters, min(len(np.unique(clusters[sides == side])) for side in (0, 1)))
    low = max(value - half, 0.0)
    return Separability(
        value=value,
        low=low,
        high=min(value + half, 1.0),
        limit=limit,
        is_drifted=low > limit,
        features=telling(trials, table, sides, seed) if value - half > 0.5 else {},  # noqa: PLR2004 - chance
    )


def encode(frame: pd.DataFrame) -> pd.DataFrame:
    """Return texts as categories, of which the rarest are one."""
    coded: dict[str, Any] = {}
    for name in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[name].dtype):
            coded[name] = frame[name].astype(float)
            continue
        common = frame[name].value_counts().index[:CATEGORIES]
        codes = pd.Categorical(frame[name], categories=common).codes.astype(float)
        coded[name] = pd.Series(
            np.where(frame[name].isna(), np.nan, np.where(codes < 0, len(common), codes))
        ).astype("category")
    return pd.DataFrame(coded)


def divide(sides: NDArray[np.integer], clusters: NDArray[np.integer], seed: int) -> NDArray[np.integer]:
    """Return the fold of each row: whole clusters, each side's dealt out evenly."""
    generator = np.random.default_rng(seed)
    fold_of = np.zeros(clusters.max() + 1, dtype=int)
    for side in (0, 1):
        of_side = generator.permutation(np.unique(clusters[sides == side]))
        fold_of[of_side] = np.arange(len(of_side)) % FOLDS
    folds: NDArray[np.integer] = fold_of[clusters]
    return folds


def guess(
    table: pd.DataFrame, sides: NDArray[np.integer], folds: NDArray[np.integer], fold: int, seed: int
) -> Trial:
    """Learn from all folds but one, and guess that one."""
    model = HistGradientBoostingClassifier(
        max_iter=40,
        learning_rate=0.15,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        categorical_features="from_dtype",
        random_state=seed,
    )
    model.fit(table[folds != fold], sides[folds != fold])
    places = np.flatnonzero(folds == fold)
    area, influence = area_under_curve(sides[places], model.predict_proba(table.iloc[places])[:, 1])
    return Trial(model, places, area, influence)


def telling(
    trials: list[Trial], table: pd.DataFrame, sides: NDArray[np.integer], seed: int
) -> dict[str, float]:
    """Return by how much the area falls when a feature is shuffled, for the features that matter."""
    generator, falls = np.random.default_rng(seed), dict.fromkeys(table.columns, 0.0)
    for trial in trials:
        held, truth = table.iloc[trial.places], sides[trial.places]
        for name in falls:
            shuffled = held.assign(**{name: held[name].array[generator.permutation(len(held))]})
            area, _ = area_under_curve(truth, trial.model.predict_proba(shuffled)[:, 1])
            falls[name] += (trial.area - area) / len(trials)
    named = sorted(((fall, name) for name, fall in falls.items() if fall >= WORTH), reverse=True)[:NAMED]
    return {name: fall for fall, name in named}


def area_under_curve(
    truth: NDArray[np.integer], scores: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the area, and what each row adds to its error (DeLong's placements).

    Examples
    --------
    >>> area_under_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))[0]
    0.75
    """
    ones = truth == 1
    placed = np.empty(len(truth))
    within, every = np.empty(len(truth)), stats.rankdata(scores)
    for side in (ones, ~ones):
        within[side] = stats.rankdata(scores[side])
    placed[ones] = (every - within)[ones] / (~ones).sum()
    placed[~ones] = 1 - (every - within)[~ones] / ones.sum()
    area = float(placed[ones].mean())
    return area, (placed - area) / np.where(ones, ones.sum(), (~ones).sum())


def half_width(trials: list[Trial], clusters: NDArray[np.integer], fewest: int) -> float:
    """Return half of the mean area's interval, rows of one cluster erring together."""
    influence = np.zeros(len(clusters))
    for trial in trials:
        influence[trial.places] = trial.influence / len(trials)
    together = np.bincount(clusters, weights=influence)
    deviation = np.sqrt((together**2).sum() * fewest / (fewest - 1))
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, fewest - 1) * deviation)
