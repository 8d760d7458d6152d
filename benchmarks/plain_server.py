"""The usual way to serve a pipeline, to compare with: FastAPI, a data frame of one row, scikit-learn."""

from __future__ import annotations

import sys
from pathlib import Path

import fastapi
import numpy as np
import pandas as pd
import uvicorn

from include.steps.serving.inference import read_model

model = read_model(Path(sys.argv[1]), prefer_onnx=False)
app = fastapi.FastAPI()


@app.post("/invocations")
def invoke(row: dict[str, float | str | None]) -> dict[str, object]:
    """Predict one row."""
    frame = pd.DataFrame([row])
    columns = {
        column.name: frame[column.name].to_numpy(float)
        if column.is_number
        else frame[column.name].fillna("").to_numpy(object)
        for column in model.signature.columns
    }
    labels, scores = model.label(np.asarray(model.probabilities(columns)))
    return {"predictions": [{"label": labels[0], "score": scores[0]}]}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning")
