"""A processing job: scores a trained model on the validation rows, as a pipeline's condition reads it."""
# mypy: ignore-errors

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import joblib
import numpy as np

PLACE = Path("/opt/ml/processing")


def main() -> None:
    """Write evaluation.json with the mean squared error."""
    with tarfile.open(PLACE / "input/model/model.tar.gz") as archive:
        archive.extractall("unpacked", filter="data")
    model = joblib.load("unpacked/model.joblib")
    rows = np.loadtxt(PLACE / "input/validation/rows.csv", delimiter=",", ndmin=2)
    error = float(((model.predict(rows[:, 1:]) - rows[:, 0]) ** 2).mean())
    folder = PLACE / "output/evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"metrics": {"mse": error, "rows": len(rows)}})
    (folder / "evaluation.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
