"""What the champion is held to: the cycle's rule, and what its own evaluation promised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.ml.monitoring.judging import Standard
from include.ml.refusal import Refused
from include.steps.contract import Step

#: the model that an evaluation is about
OWN = "challenger"


def read_standard(step: Step) -> Standard:
    """By what the cycle judges its model, drawn by the blocks by which models are compared."""
    cycle, features = step.description, step.module("features")
    block = cycle.promotion.block
    return Standard(
        metric=cycle.metric,
        classes=tuple(features.CLASSES),
        matured_share=cycle.monitoring.matured_share,
        quality_drop=cycle.monitoring.quality_drop,
        block_s=None if block is None else int(block.total_seconds()),
        seed=cycle.promotion.seed,
    )


def read_reference(folder: Path, metric: str) -> dict[str, float | None]:
    """The champion's metric on its own holdout, with its interval.

    :param folder: the output of the evaluate step that judged the champion
    """
    own = _read(folder / "evaluation.json").get("models", {}).get(OWN, {}).get(metric)
    if not isinstance(own, Mapping):
        raise Refused(
            f"The champion's evaluation in {folder} does not tell its {metric}. The cycle's metric may have "
            "changed since: train and evaluate again."
        )
    return {name: own.get(name) for name in ("value", "low", "high")}


def read_calibration(folder: Path) -> dict[str, Any] | None:
    """What turns the champion's scores into probabilities; None of a model evaluated before there was one."""
    path = folder / "monitoring.json"
    if not path.is_file():
        return None
    found = _read(path).get("calibration")
    return dict(found) if isinstance(found, Mapping) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise Refused(
            f"The champion's {path.name} cannot be read: {error}. Run its evaluate again."
        ) from error
