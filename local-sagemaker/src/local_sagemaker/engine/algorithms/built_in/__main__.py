"""The program of the built-in algorithms' containers: `train <algorithm>` or `serve <algorithm>`.

`train` reads the channels, fits the algorithm's equivalent and keeps it by skops. `serve` answers over HTTP
as AWS's containers of the built-in algorithms do.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import skops.io

from local_sagemaker.engine.algorithms import web
from local_sagemaker.engine.algorithms.built_in import common
from local_sagemaker.engine.algorithms.built_in.common import (
    CSV,
    JSON,
    LIBSVM,
    LINES,
    Array,
    ClientError,
    Form,
    Table,
)
from local_sagemaker.engine.algorithms.web import BASE

#: modules whose types a model may hold
TRUSTED = ("sklearn.", "numpy.", "scipy.")
#: channels that are measured
MEASURED = ("validation", "test")


def main(role: str, name: str) -> int:
    """Run a role of an algorithm; return the exit status."""
    try:
        return {"train": train, "serve": serve}[role](name)
    except ClientError as error:
        return web.fail(f"ClientError: {error}")


def train(name: str) -> int:
    """Train and keep the model."""
    known, channels = common.algorithm(name), web.read_config("inputdataconfig.json")
    given = common.parameters(known, web.read_config("hyperparameters.json"))
    if "train" not in channels:
        raise ClientError("The channel train is missing.")
    tables: dict[str, Table] = {}
    for channel in ("train", *(channel for channel in MEASURED if channel in channels)):
        content_type = channels[channel].get("ContentType") or known.CONTENT_TYPE
        form = Form.read(content_type, known.CHANNELS, known.LABEL_SIZES)
        table = common.read_channel(BASE / "input/data" / channel, form, has_gaps=name == "xgboost")
        width = tables["train"].rows.shape[1] if tables else table.rows.shape[1]
        if form.kind == LIBSVM:
            table = Table(common.padded(table.rows, width), table.labels)
        if table.rows.shape[1] != width:
            raise ClientError(f"The channel {channel} has {table.rows.shape[1]} features, and train {width}.")
        tables[channel] = table
    features = given.get("feature_dim", width)
    if str(features) not in {"auto", str(width)}:
        raise ClientError(f"feature_dim is {features}, and the data has {width} features.")
    model = known.fit(given, tables.pop("train"), tables)
    (BASE / "model").mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, BASE / "model/model.skops")
    kept = {"algorithm": name, "features": width, "hyperparameters": given}
    (BASE / "model/model.json").write_text(json.dumps(kept), encoding="utf-8")
    return 0


def serve(name: str) -> int:
    """Load the model and serve it until SIGTERM."""
    web.end_when_asked()

    def load(folder: Path) -> web.Answer:
        try:
            return Model(name, folder).answer
        except OSError as error:
            raise ClientError(str(error)) from error

    web.serve(load, os.environ.get("BUILT_IN_HOST"))
    return 0


class Model:
    """A model that `train` has kept."""

    def __init__(self, name: str, folder: Path) -> None:
        """Load it; ClientError when it holds what no algorithm of these has made."""
        kept = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if kept["algorithm"] != name:
            raise ClientError(f"The model is one of {kept['algorithm']}, and the image is {name}.")
        types = skops.io.get_untrusted_types(file=folder / "model.skops")
        if strange := [type_name for type_name in types if not type_name.startswith(TRUSTED)]:
            raise ClientError(f"The model holds {', '.join(strange)}, which is not trusted.")
        self._model = skops.io.load(folder / "model.skops", trusted=types)
        self._known, self._given = common.algorithm(name), kept["hyperparameters"]
        self._features = kept["features"]
        self._is_xgboost = name == "xgboost"

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """Return the answer to a request, with its content type; raise ClientError when it cannot be read."""
        form = Form.read(content_type or CSV, self._known.REQUESTS, ("0",))
        rows = read_rows(body, form)
        if form.kind == LIBSVM:
            rows = common.padded(rows, self._features)
        if rows.shape[1] != self._features:
            raise ClientError(f"The request has {rows.shape[1]} features, and the model {self._features}.")
        answers = self._known.predict(self._model, self._given, rows)
        accept = accept or (CSV if self._is_xgboost else JSON)
        if accept == JSON:
            return json.dumps({self._known.ANSWER: answers}).encode(), JSON
        if accept == LINES:
            return "".join(json.dumps(one) + "\n" for one in answers).encode(), LINES
        if accept == CSV:
            # AWS's xgboost parts the answers of a request by commas, and those of a batch by lines
            is_line = self._is_xgboost and "SAGEMAKER_BATCH" not in os.environ
            return ("," if is_line else "\n").join(map(_cells, answers)).encode() + b"\n" * (not is_line), CSV
        raise ClientError(f"The Accept type {accept} is not supported: ask for {JSON}, {LINES} or {CSV}.")


def read_rows(body: bytes, form: Form) -> Array:
    """Return the features of a request: CSV, libsvm, `{"instances": [{"features": [...]}]}`, or such lines.

    :raises ClientError: it is not of this form.
    """
    if form.kind not in {JSON, LINES}:
        return common.read_table(body, form, "The request").rows
    try:
        given = json.loads(body)["instances"] if form.kind == JSON else map(json.loads, body.splitlines())
        rows = np.asarray([_vector(one) for one in given], dtype=np.float64)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ClientError(
            f'The request is not {{"instances": [{{"features": [...]}}]}}: {type(error).__name__}: {error}.'
        ) from error
    if rows.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise ClientError("The request's instances must be rows of equal length.")
    return rows


def _vector(one: dict[str, Any]) -> Any:  # noqa: ANN401 (numbers, which numpy checks)
    """Return an instance's features: an array, or `values` with the `keys` and `shape` of a sparse one."""
    features = one["features"] if "features" in one else one["data"]["features"]
    if not isinstance(features, dict):
        return features
    if not features.get("keys"):
        return features["values"]
    row = np.zeros(features["shape"])
    row[features["keys"]] = features["values"]
    return row


def _cells(one: dict[str, Any]) -> str:
    cells = [cell for value in one.values() for cell in (value if isinstance(value, list) else [value])]
    return ",".join(str(cell) for cell in cells)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
