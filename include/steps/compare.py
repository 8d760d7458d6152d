"""compare: score replayed intervals by their champion, the first champion (frozen) and the baselines.

Reads the replay input (`replay_input`: intervals, models and decisions), `prepared` and `models`; writes
`replay.json` and the report `replay.html`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from include.core.layout import REPLAY, REPLAY_INPUT, REPLAY_PAGE
from include.ml.evaluation import metrics
from include.ml.exceptions import InvalidInput
from include.ml.reports import replays
from include.steps import contract
from include.steps.contract import Step
from include.steps.manifest import write_json, write_manifest
from include.steps.rows import to_columns
from include.steps.serving import inference, model_files
from include.steps.serving.inference import Arrays, Model
from include.steps.tables import read_table

BASELINES = {"linear": model_files.LINEAR, "constant": model_files.CONSTANT}
#: enough for the bars of a plot
RESAMPLES = 200


def main() -> None:
    """Run as a processing job."""
    contract.run("compare", compare)


def compare(step: Step) -> Mapping[str, float]:
    """Score every interval that had a champion, and write the report; return the metrics."""
    replayed = read_replay_input(step)
    with tempfile.TemporaryDirectory() as place:
        cache = ModelCache(step, Path(place))
        intervals = [compare_interval(step, each, replayed["frozen"], cache) for each in replayed["months"]]
    document = {**replayed, "metric": step.description.metric, "months": intervals}
    write_json(step.output / REPLAY, document)
    title = f"{step.cycle}: {step.start:%Y-%m-%d} to {step.end:%Y-%m-%d} replayed"
    (step.output / REPLAY_PAGE).write_text(replays.render_replay(title, document), encoding="utf-8")
    rows = sum(each["rows"] for each in intervals)
    write_manifest(step, counts={"rows_in": rows, "rows_out": rows})
    return {"intervals": len(intervals), "rows": rows}


def read_replay_input(step: Step) -> dict[str, Any]:
    """Return the replay input: its intervals had a champion each, and `frozen` was the first champion."""
    path = step.required("replay_input") / REPLAY_INPUT
    try:
        replayed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"The replay input cannot be read: {error}. Run `make replay` again.") from error
    if not replayed.get("months"):
        raise InvalidInput("No interval of the replay had a champion: there is nothing to compare.")
    return replayed


class ModelCache:
    """Models by their place below the input `models`, each unpacked and checked once."""

    def __init__(self, step: Step, place: Path) -> None:
        self._step, self._place = step, place
        self._found: dict[str, dict[str, Model]] = {}

    def models(self, name: str) -> dict[str, Model]:
        """Return a model, called `model`, and the baselines trained beside it."""
        if name not in self._found:
            self._found[name] = self._read(name)
        return self._found[name]

    def _read(self, name: str) -> dict[str, Model]:
        folder = self._place / str(len(self._found))
        model_files.unpack(self._step.required("models") / name, folder)
        model = inference.read_model(folder)
        models = {"model": model}
        for baseline, file in BASELINES.items():
            predict = inference.from_estimator(model_files.read_estimator(folder / file), model.signature)
            models[baseline] = Model(model.signature, model.combine, predict)
        return models


def compare_interval(
    step: Step, interval: Mapping[str, Any], frozen: str, cache: ModelCache
) -> dict[str, Any]:
    """Return one interval with the cycle's metric of every model on the same rows."""
    end = contract.parse_time("end", interval["interval"][1])
    columns, labels = labelled_rows(step, step.required("prepared") / interval["prepared"], end)
    beside = cache.models(interval["champion"])
    models = {"champion": beside["model"], "frozen": cache.models(frozen)["model"]}
    models |= {name: beside[name] for name in BASELINES}
    metric = step.description.metric
    found = {name: measure_model(model, columns, labels, metric, step) for name, model in models.items()}
    return {**interval, "rows": len(labels), "models": found}


def measure_model(
    model: Model, columns: Arrays, labels: np.ndarray, metric: str, step: Step
) -> dict[str, float]:
    """Return the metric of one model, with its 95 % bootstrap interval."""
    classes = step.module("features").CLASSES
    probabilities = inference.spread_classes(model.probabilities(columns), model.signature.classes, classes)
    found = metrics.bootstrap(labels, probabilities, threshold=model.signature.threshold, resamples=RESAMPLES)
    return asdict(found[metric])


def labelled_rows(step: Step, folder: Path, end: datetime) -> tuple[Arrays, np.ndarray]:
    """Return the prepared rows whose label was known by `end`, and the places of their labels."""
    features = step.module("features")
    columns = ["event_id", *features.SIGNATURE]
    files = sorted((folder / "rows").glob("*.parquet"))
    if not files:
        raise InvalidInput(f"{folder} holds no rows/*.parquet. Run score_and_monitor for its interval again.")
    rows = pd.concat([read_table(path, columns) for path in files], ignore_index=True)
    labels = read_table(folder / "labels/labels.parquet", ["event_id", "label", "known_time"])
    known = labels[labels["known_time"] <= end]
    judged = rows.merge(known, on="event_id", how="inner", validate="one_to_one")
    places = pd.Index(features.CLASSES).get_indexer(pd.Index(judged["label"].astype(str)))
    if (places < 0).any() or not len(places):
        raise InvalidInput(f"{folder} has no labels, or some that are none of {list(features.CLASSES)}.")
    return to_columns(judged, features.SIGNATURE), places
