"""The surrogate model of the Bayesian strategy: scikit-learn's Gaussian process over the unit cube.

Its kernel is Matérn 5/2 with one length scale for each axis: short for an axis along which the objective is
steep, long for one without effect (Rasmussen and Williams, Gaussian Processes for Machine Learning, ch. 5).
It needs the extra `[tuning]`. scikit-learn is imported when a Bayesian tuning job chooses.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from statistics import NormalDist

#: bounds of a length scale and of the variances of signal and noise; the losses' variance is 1
LENGTHS, SIGNAL, NOISE = (0.02, 20.0), (0.05, 50.0), (1e-6, 0.3)
#: starts of the likelihood's optimization, besides the first
RESTARTS = 1
#: stands for a spread of nothing
TINY = 1e-9


def expected_improvements(
    points: Sequence[Sequence[float]],
    losses: Sequence[float],
    candidates: Sequence[Sequence[float]],
    seed: int,
) -> list[float]:
    """Return by how much each candidate is expected to fall below the lowest loss.

    :param points: of the unit cube, at least one.
    :param losses: one for each point, with mean 0 and variance 1.
    :param seed: of the restarts; the same arguments give the same answer.
    """
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 (an extra)
    from sklearn.gaussian_process import GaussianProcessRegressor  # noqa: PLC0415
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel  # noqa: PLC0415

    axes = Matern([0.5] * len(points[0]), LENGTHS, nu=2.5)
    kernel = ConstantKernel(1.0, SIGNAL) * axes + WhiteKernel(1e-3, NOISE)
    process = GaussianProcessRegressor(kernel, n_restarts_optimizer=RESTARTS, random_state=seed)
    with warnings.catch_warnings():
        # a length scale at its bound says that the axis makes no difference, which is an answer
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(points, losses)
    means, spreads = process.predict(candidates, return_std=True)
    best, normal, improvements = min(losses), NormalDist(), []
    for mean, spread in zip(means.tolist(), spreads.tolist(), strict=True):
        gain, width = best - mean, max(spread, TINY)
        improvements.append(gain * normal.cdf(gain / width) + width * normal.pdf(gain / width))
    return improvements
