"""A training job in script mode, and what its endpoint loads: ridge regression."""
# mypy: ignore-errors

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import Ridge


def main() -> None:
    """Fit on the channel train, tell the error on the channel validation, keep the model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=0.0)
    alpha = parser.parse_known_args()[0].alpha
    train, validation = (rows(os.environ[f"SM_CHANNEL_{name}"]) for name in ("TRAIN", "VALIDATION"))
    model = Ridge(alpha=alpha).fit(train[:, 1:], train[:, 0])
    error = ((model.predict(validation[:, 1:]) - validation[:, 0]) ** 2).mean()
    print(f"alpha={alpha!r} validation:mse={float(error):.12f}")  # noqa: T201 (metrics are read from the log)
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")


def rows(folder: str) -> np.ndarray:
    """All rows of a channel: the target, then the features."""
    return np.loadtxt(Path(folder) / "rows.csv", delimiter=",", ndmin=2)


def model_fn(folder: str) -> Ridge:
    """What serving loads."""
    return joblib.load(Path(folder) / "model.joblib")


if __name__ == "__main__":
    main()
