"""What all built-in algorithms share: their form, hyperparameters, tables (CSV, libsvm), and ClientError."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from local_sagemaker.engine.algorithms.web import RefusedError

Array = NDArray[np.float64]
#: of scikit-learn, which has no types
Estimator = Any
CSV, LIBSVM, JSON, LINES = "text/csv", "text/libsvm", "application/json", "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"
#: how a content type may be written -> what it is
SPELLINGS = {"csv": CSV, "libsvm": LIBSVM, "text/x-libsvm": LIBSVM}


class ClientError(RefusedError):
    """What the user has to change: a hyperparameter, a file, a request."""


@dataclass(frozen=True)
class Table:
    """The rows of a channel or a request."""

    #: features, a row each
    rows: Array
    #: labels; None where there are none
    labels: Array | None = None

    def wanted(self) -> Array:
        """Return the labels, which must be there."""
        if self.labels is None:
            raise ClientError(
                "The data has no labels. Put the label into the first column, and leave label_size out."
            )
        return self.labels


@dataclass(frozen=True)
class Form:
    """A content type that an algorithm takes, read from what a channel or a request names."""

    kind: str
    #: how many columns at the beginning are labels, 0 or 1
    label_size: int

    @classmethod
    def read(cls, text: str, taken: Sequence[str], label_sizes: Sequence[str]) -> Form:
        """Read `text`, as in `text/csv;label_size=0`; the first of `label_sizes` is the default.

        :raises ClientError: it is none of `taken`, or has another label_size.
        """
        name, *options = (part.strip() for part in text.lower().split(";"))
        kind = SPELLINGS.get(name, name)
        # short forms are those of algorithms that take libsvm
        if kind not in taken or (name in SPELLINGS and LIBSVM not in taken):
            names = list(taken) if LIBSVM not in taken else [*taken, *SPELLINGS]
            raise ClientError(
                f"The content type {text!r} is not supported. Give one of {', '.join(names)}"
                + (f"; {RECORDIO} is not read here." if kind == RECORDIO else ".")
            )
        size = dict(option.split("=", 1) for option in options if "=" in option).get("label_size")
        if kind == CSV and size is not None and size.strip() not in label_sizes:
            raise ClientError(
                f"The content type {text!r} has a label_size other than {' or '.join(label_sizes)}."
            )
        return cls(kind, int(label_sizes[0] if size is None or kind != CSV else size))


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
    #: the formats of channels and of requests that are read
    CHANNELS: Sequence[str]
    REQUESTS: Sequence[str]
    #: the values that label_size may have in a channel, the default first
    LABEL_SIZES: Sequence[str]
    #: the key of an answer's list
    ANSWER: str

    def fit(self, given: dict[str, Any], train: Table, others: Mapping[str, Table]) -> Estimator:
        """Fit the scikit-learn estimator; write the metrics of `others` (validation, test) to the log."""

    def predict(self, model: Estimator, given: dict[str, Any], rows: Array) -> list[dict[str, Any]]:
        """Return the answer to each row."""


def log(line: str) -> None:
    """Write a line to the job's log, where metrics are read from."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def algorithm(name: str) -> Algorithm:
    """Return the module of an algorithm."""
    return cast("Algorithm", importlib.import_module(f"{__package__}.{name}"))


def parameters(known: Algorithm, given: Mapping[str, str]) -> dict[str, Any]:
    """Return a job's hyperparameters with types and defaults; raise ClientError if one is wrong."""
    given = {name: value for name, value in given.items() if name != "_tuning_objective_metric"}
    if missing := [name for name in known.REQUIRED if name not in given]:
        raise ClientError(f"The hyperparameter {', '.join(missing)} is required.")
    values = {name: value for name, value in known.PARAMETERS.items() if not isinstance(value, type)}
    for name, value in given.items():
        if name in known.WITHOUT_EFFECT:
            log(f"[warning] The hyperparameter {name} makes no difference in the local SageMaker.")
        elif name in known.PARAMETERS:
            values[name] = _value(name, value, known.PARAMETERS[name])
        else:
            names = ", ".join(sorted({*known.PARAMETERS, *known.WITHOUT_EFFECT}))
            raise ClientError(f"The hyperparameter {name} is not known. There are {names}.")
    return values


def check_classes(labels: Array, count: int, parameter: str, objective: str) -> None:
    """Raise ClientError unless labels are at least two of the numbers of `count` classes.

    :param parameter: the hyperparameter that says how many there are, required by `objective`.
    """
    met = sorted(set(labels.tolist()))
    if count < 2:  # noqa: PLR2004 - one class is none
        raise ClientError(f"The hyperparameter {parameter} is required for {objective}.")
    if not set(met) <= set(range(count)) or len(met) < 2:  # noqa: PLR2004 - one class is none
        raise ClientError(
            f"The labels must be whole numbers from 0 to {count - 1}, of at least two kinds; there are "
            f"{met[:10]}."
        )


def all_classes(model: Estimator, scores: Array, count: int) -> Array:
    """Return probabilities of all classes; one that was not met in training has none."""
    if scores.shape[1] == count:
        return scores
    spread = np.zeros((len(scores), count))
    spread[:, model.classes_.astype(int)] = scores
    return spread


def choose(given: Mapping[str, Any], name: str, *values: str) -> str:
    """Return a hyperparameter; raise ClientError if it is none of `values`."""
    value = str(given[name])
    if value not in values:
        raise ClientError(f"{name}={value} is not supported by the local SageMaker: {', '.join(values)} are.")
    return value


def read_channel(folder: Path, form: Form, *, has_gaps: bool) -> Table:
    """All files of a channel, one behind the other in the order of their names.

    Files whose names begin with a dot or an underscore are no data: others' marks, as `_SUCCESS` of Spark.

    :param has_gaps: whether a cell may be empty.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size and not path.name.startswith((".", "_"))
    )
    if not files:
        raise ClientError(
            f"The channel {folder.name} has no data. Empty files are passed over, and those whose names "
            "begin with '.' or '_'."
        )
    tables = [read_table(path.read_bytes(), form, path.name) for path in files]
    width = max(table.rows.shape[1] for table in tables)
    if form.kind == CSV and any(table.rows.shape[1] != width for table in tables):
        raise ClientError(f"The files of the channel {folder.name} have different numbers of columns.")
    rows = np.concatenate([padded(table.rows, width) for table in tables])
    if not has_gaps and np.isnan(rows).any():
        raise ClientError(f"The channel {folder.name} has empty cells, which this algorithm does not take.")
    labels = [table.labels for table in tables if table.labels is not None]
    return Table(rows, np.concatenate(labels) if labels else None)


def read_table(content: bytes, form: Form, name: str) -> Table:
    """Return the rows of one file or request body in CSV or libsvm; raise ClientError if it is neither."""
    if form.kind == LIBSVM:
        if not form.label_size:
            content = b"\n".join(map(_labelled, content.splitlines()))
        try:
            # indexes are taken as they stand, so that files that leave out different ones agree
            rows, labels = load_svmlight_file(io.BytesIO(content), zero_based=True)
        except ValueError as error:
            raise ClientError(f"{name} is not in libsvm's format: {error}.") from error
        return Table(np.asarray(rows.todense(), dtype=np.float64), np.asarray(labels, dtype=np.float64))
    try:
        frame = pd.read_csv(io.BytesIO(content), header=None)  # exact, from pandas 3.1 on
        # row after row in memory, as JSON is read: sums then come out the same to the last digit
        values = np.ascontiguousarray(frame, dtype=np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        raise ClientError(
            f"{name} is no CSV of numbers without a header: {error}. Remove the header, and encode text."
        ) from error
    if form.label_size == 0:
        return Table(values)
    return Table(values[:, 1:], values[:, 0])


def _labelled(line: bytes) -> bytes:
    """A line of libsvm with a label, which a request need not have."""
    first = line.split(maxsplit=1)[:1]
    return b"0 " + line if first and b":" in first[0] else line


def padded(rows: Array, width: int) -> Array:
    """Rows with columns of zeros behind them up to `width`: libsvm leaves out what is zero."""
    missing = width - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, missing))) if missing > 0 else rows


def _value(name: str, text: str, like: Any) -> Any:  # noqa: ANN401 (any type a hyperparameter has)
    kind = like if isinstance(like, type) else type(like)
    text = text.strip('"')
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        raise ClientError(f"The hyperparameter {name}={text!r} is no {kind.__name__}.") from error
