"""The part of `monitor` that judges predictions by the labels that are known."""

from __future__ import annotations

from typing import Any

from include.jobs.contract import Step
from include.jobs.manifest import write_json
from include.jobs.scored import read_scored
from include.jobs.tables import read_table
from include.ml.quality import model_quality
from include.ml.refusal import Refused


def watch_quality(step: Step) -> dict[str, Any]:
    """Judge the predictions by the labels known by the interval's end, and write model_quality.json.

    Returns `quality`, `estimate`, `bias` and `slices` for evidence.json, and `metrics` for the manifest.
    """
    features, cycle = step.module("features"), step.description
    labels = read_table(step.required("prepared") / "labels/labels.parquet")
    scored = read_scored(step.required("scored"))
    known = labels[labels["known_time"] <= step.end].rename(columns={"label": "truth"})
    judged = scored.merge(known[["event_id", "truth"]], on="event_id", how="inner", validate="one_to_one")
    strange = sorted(set(judged["label"]) - set(features.CLASSES))
    if strange:
        raise Refused(f"The scored files predict {strange}, which are none of {list(features.CLASSES)}.")
    quality = model_quality(judged, features.CLASSES, cycle.task)
    quality["dataset"] |= {"start_time": step.start.isoformat(), "end_time": step.end.isoformat()}
    write_json(step.output / "model_quality.json", quality)
    values = quality[f"{cycle.task}_classification_metrics"]
    metrics = {name: found["value"] for name, found in values.items() if "value" in found}
    told = {"scored": len(scored), "judged": len(judged), **metrics}
    return {"quality": [], "estimate": None, "bias": [], "slices": [], "metrics": told}
