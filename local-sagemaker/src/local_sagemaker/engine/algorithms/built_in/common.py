"""What every built-in algorithm is made of, and the errors that are the user's."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
Array = NDArray[np.float64]


class ClientError(Exception):
    """What the user has to change: a hyperparameter, a file, a request."""


@dataclass(frozen=True)
class Table:
    """The rows of a channel or a request."""

    #: features, a row each
    rows: Array
    #: labels; None where there are none
    labels: Array | None = None

    def wanted(self) -> Array:
        """The labels, which must be there."""
        if self.labels is None:
            raise ClientError(
                "The data has no labels. Put the label into the first column, and leave label_size out."
            )
        return self.labels


#: hyperparameter -> its default, whose type its value must have; a type stands for one without default
Parameters = Mapping[str, Any]


class Algorithm(Protocol):
    """A module of this package that is an algorithm."""

    #: hyperparameters that are honoured, and those that must be given
    PARAMETERS: Parameters
    REQUIRED: Sequence[str]
    #: published hyperparameters that make no difference here
    WITHOUT_EFFECT: frozenset[str]
    #: the format of a channel that does not say its own
    CONTENT_TYPE: str
    #: the key of an answer's list
    ANSWER: str

    def fit(self, given: dict[str, Any], train: Table, others: Mapping[str, Table]) -> Any:  # noqa: ANN401
        """The fitted scikit-learn estimator; writes the metrics of `others` (validation, test) to the log."""

    def predict(self, model: Any, given: dict[str, Any], rows: Array) -> list[dict[str, Any]]:  # noqa: ANN401
        """The answer to each row."""


def log(line: str) -> None:
    """Write a line to the job's log, where metrics are read from."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def algorithm(name: str) -> Algorithm:
    """The module of an algorithm."""
    return cast("Algorithm", importlib.import_module(f"local_sagemaker.engine.algorithms.built_in.{name}"))


def parameters(known: Algorithm, given: Mapping[str, str]) -> dict[str, Any]:
    """A job's hyperparameters with their types and defaults; ClientError names what is wrong."""
    given = {name: value for name, value in given.items() if name != "_tuning_objective_metric"}
    if missing := [name for name in known.REQUIRED if name not in given]:
        raise ClientError(f"The hyperparameter {', '.join(missing)} is required.")
    found = {name: value for name, value in known.PARAMETERS.items() if not isinstance(value, type)}
    for name, value in given.items():
        if name in known.WITHOUT_EFFECT:
            log(f"[warning] The hyperparameter {name} makes no difference in the local SageMaker.")
        elif name in known.PARAMETERS:
            found[name] = _value(name, value, known.PARAMETERS[name])
        else:
            raise ClientError(f"The hyperparameter {name} is not known. There are {_names(known)}.")
    return found


def choose(given: Mapping[str, Any], name: str, *values: str) -> str:
    """A hyperparameter that must be one of these."""
    value = str(given[name])
    if value not in values:
        raise ClientError(f"{name}={value} is not supported by the local SageMaker: {', '.join(values)} are.")
    return value


def _value(name: str, text: str, like: Any) -> Any:  # noqa: ANN401 (any type a hyperparameter has)
    kind = like if isinstance(like, type) else type(like)
    text = text.strip('"')
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        raise ClientError(f"The hyperparameter {name}={text!r} is no {kind.__name__}.") from error


def _names(known: Algorithm) -> str:
    return ", ".join(sorted({*known.PARAMETERS, *known.WITHOUT_EFFECT}))
