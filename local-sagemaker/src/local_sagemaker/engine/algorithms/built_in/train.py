"""Training: reads the channels, fits the algorithm's equivalent, and keeps it by skops."""

from __future__ import annotations

import json
import sys
from typing import Any

import skops.io

from local_sagemaker.engine.algorithms.built_in.common import (
    BASE,
    Algorithm,
    ClientError,
    Table,
    algorithm,
    is_sparse,
    padded,
    parameters,
    read_channel,
)

#: channels that are measured
MEASURED = ("validation", "test")


def main(name: str) -> int:
    """Train; the exit status, with the reason in /opt/ml/output/failure when it is not 0."""
    try:
        _train(name, algorithm(name))
    except ClientError as error:
        reason = f"ClientError: {error}"
        (BASE / "output").mkdir(parents=True, exist_ok=True)
        (BASE / "output/failure").write_text(reason, encoding="utf-8")
        sys.stderr.write(reason + "\n")
        return 1
    return 0


def _train(name: str, known: Algorithm) -> None:
    given = parameters(known, _config("hyperparameters.json"))
    channels = _config("inputdataconfig.json")
    if "train" not in channels:
        raise ClientError("The channel train is missing.")
    tables = {
        channel: read_channel(
            BASE / "input/data" / channel,
            channels[channel].get("ContentType") or known.CONTENT_TYPE,
            has_gaps=name == "xgboost",
        )
        for channel in ("train", *MEASURED)
        if channel in channels
    }
    width = tables["train"].rows.shape[1]
    _check(given, width)
    others = {
        channel: _fitted(table, width, channels[channel].get("ContentType") or known.CONTENT_TYPE)
        for channel, table in tables.items()
        if channel != "train"
    }
    for channel, table in others.items():
        if table.rows.shape[1] != width:
            raise ClientError(f"The channel {channel} has {table.rows.shape[1]} features, and train {width}.")
    model = known.fit(given, tables["train"], others)
    (BASE / "model").mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, BASE / "model/model.skops")
    kept = {"algorithm": name, "features": width, "hyperparameters": given}
    (BASE / "model/model.json").write_text(json.dumps(kept), encoding="utf-8")


def _fitted(table: Table, width: int, content_type: str) -> Table:
    return Table(padded(table.rows, width), table.labels) if is_sparse(content_type) else table


def _check(given: dict[str, Any], width: int) -> None:
    wanted = given.get("feature_dim", width)
    if str(wanted) not in {"auto", str(width)}:
        raise ClientError(f"feature_dim is {wanted}, and the data has {width} features.")


def _config(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BASE / "input/config" / name).read_text(encoding="utf-8"))
    return found
