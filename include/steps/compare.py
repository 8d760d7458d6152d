"""compare: score replayed intervals by their champion, the first champion (frozen) and the baselines.

Reads the replay input (`replay_input`: intervals, models and decisions), `prepared` and `models`; writes
`replay.json` and the report `replay.html`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from include.core.documents.model import MeasuredMetric
from include.core.documents.reports import ComparedInterval, Replay, ReplayedInterval, ReplayInput
from include.core.layout import REPLAY, REPLAY_INPUT, REPLAY_PAGE
from include.ml.exceptions import InvalidInput
from include.ml.monitoring import judging
from include.ml.reports import replays
from include.steps import contract
from include.steps.contract import Step, read_document
from include.steps.manifest import write_document, write_manifest
from include.steps.monitoring.reference import read_standard
from include.steps.rows import to_columns
from include.steps.serving import inference, model_files
from include.steps.serving.inference import Arrays, Model
from include.steps.tables import read_table

BASELINES = {"linear": model_files.LINEAR, "constant": model_files.CONSTANT}


def main() -> None:
    """Run as a processing job."""
    contract.run("compare", compare)


def compare(step: Step) -> Mapping[str, float]:
    """Score every interval that had a champion, and write the report; return the metrics."""
    path = step.required("replay_input") / REPLAY_INPUT
    given = read_document(path, ReplayInput.from_text, "Run `make replay` again.")
    if not given.months:
        raise InvalidInput("No interval of the replay had a champion: there is nothing to compare.")
    with tempfile.TemporaryDirectory() as folder:
        cache = ModelCache(step, Path(folder))
        intervals = tuple(compare_interval(step, interval, given.frozen, cache) for interval in given.months)
    replay = Replay(**vars(given) | {"metric": step.description.metric, "months": intervals})
    replay = write_document(step.output / REPLAY, replay)
    title = f"{step.cycle}: {step.start:%Y-%m-%d} to {step.end:%Y-%m-%d} replayed"
    (step.output / REPLAY_PAGE).write_text(replays.render_replay(title, replay), encoding="utf-8")
    rows = sum(interval.rows for interval in intervals)
    write_manifest(step, counts={"rows_in": rows, "rows_out": rows})
    return {"intervals": len(intervals), "rows": rows}


class ModelCache:
    """Models by their place below the input `models`, each unpacked and checked once."""

    def __init__(self, step: Step, scratch: Path) -> None:
        self._step, self._scratch = step, scratch
        self._found: dict[str, dict[str, Model]] = {}

    def models(self, name: str) -> dict[str, Model]:
        """Return a model, called `model`, and the baselines trained beside it."""
        if name not in self._found:
            self._found[name] = self._read(name)
        return self._found[name]

    def _read(self, name: str) -> dict[str, Model]:
        folder = self._scratch / str(len(self._found))
        model_files.unpack(self._step.required("models") / name, folder)
        model = inference.read_model(folder)
        models = {"model": model}
        for baseline, file in BASELINES.items():
            predict = inference.from_estimator(model_files.read_estimator(folder / file), model.signature)
            # the threshold was chosen for the model's scores
            models[baseline] = Model(replace(model.signature, threshold=0.5), model.combine, predict)
        return models


def compare_interval(
    step: Step, replayed: ReplayedInterval, frozen: str, cache: ModelCache
) -> ComparedInterval:
    """Return one interval with the cycle's metric of every model on the same rows."""
    folder = step.required("prepared") / replayed.prepared
    judged = labelled_rows(step, folder, replayed.interval.end)
    beside = cache.models(replayed.champion)
    models = {"champion": beside["model"], "frozen": cache.models(frozen)["model"]}
    models |= {name: beside[name] for name in BASELINES}
    measured = {name: measure_model(model, judged, step) for name, model in models.items()}
    return ComparedInterval(**vars(replayed), rows=len(judged), models=measured)


def measure_model(model: Model, judged: pd.DataFrame, step: Step) -> MeasuredMetric:
    """Return the cycle's metric of one model, with its interval: judged as monitoring judges its answers."""
    labels, scores = model.label(model.probabilities(columns_of(step, judged))) if len(judged) else ([], [])
    return judging.measured(judged.assign(label=labels, score=scores), read_standard(step))


def columns_of(step: Step, judged: pd.DataFrame) -> Arrays:
    """Return the columns that a client sends."""
    return to_columns(judged, step.module("features").SIGNATURE)


def labelled_rows(step: Step, folder: Path, end: datetime) -> pd.DataFrame:
    """Return the prepared rows whose label was known by `end`, with it as `truth`, in order of their ids."""
    features = step.module("features")
    columns = ["event_id", "event_time", *features.SIGNATURE]
    files = sorted((folder / "rows").glob("*.parquet"))
    if not files:
        raise InvalidInput(f"{folder} holds no rows/*.parquet. Run score_and_monitor for its interval again.")
    rows = pd.concat([read_table(path, columns) for path in files], ignore_index=True)
    labels = read_table(folder / "labels/labels.parquet", ["event_id", "label", "known_time"])
    known = labels.loc[labels["known_time"] <= end, ["event_id", "label"]].astype({"label": str})
    strange = sorted(set(known["label"]) - set(features.CLASSES))
    if strange:
        raise InvalidInput(f"{folder} has the labels {strange}, which are none of {list(features.CLASSES)}.")
    judged = rows.merge(known.rename(columns={"label": "truth"}), on="event_id", validate="one_to_one")
    return judged.sort_values("event_id", kind="stable", ignore_index=True)
