"""Reads what AWS's algorithms read: CSV without a header, the label first, and libsvm."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_svmlight_file

from local_sagemaker.engine.algorithms.built_in.common import Array, ClientError, Table

CSV, LIBSVM = "text/csv", ("text/libsvm", "text/x-libsvm")
RECORDIO = "application/x-recordio-protobuf"


def channel(folder: Path, content_type: str, *, has_gaps: bool) -> Table:
    """All files of a channel, one behind the other in the order of their names.

    :param has_gaps: whether a cell may be empty.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    if not files:
        raise ClientError(f"The channel {folder.name} has no data.")
    kind, options = _parsed(content_type)
    label_size = int(options.get("label_size", "1"))
    tables = [read(path.read_bytes(), kind, path.name, label_size=label_size) for path in files]
    width = max(table.rows.shape[1] for table in tables)
    if kind == CSV and any(table.rows.shape[1] != width for table in tables):
        raise ClientError(f"The files of the channel {folder.name} have different numbers of columns.")
    rows = np.concatenate([fitted(table.rows, width) for table in tables])
    if not has_gaps and np.isnan(rows).any():
        raise ClientError(f"The channel {folder.name} has empty cells, which this algorithm does not take.")
    labels = [table.labels for table in tables if table.labels is not None]
    return Table(rows, np.concatenate(labels) if labels else None)


def read(content: bytes, content_type: str, place: str, *, label_size: int) -> Table:
    """The rows of one file or request body.

    :param label_size: how many columns at the beginning are labels, 0 or 1.
    :raises ClientError: when they cannot be read.
    """
    kind, _ = _parsed(content_type)
    if kind in LIBSVM:
        return _libsvm(content, place)
    if kind != CSV:
        raise ClientError(
            f"The content type {content_type!r} of {place} is not supported by the local SageMaker. Give "
            f"ContentType {CSV}" + (f"; {RECORDIO} is not read here." if kind == RECORDIO else ".")
        )
    try:
        values = pd.read_csv(io.BytesIO(content), header=None).to_numpy(dtype=np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        raise ClientError(
            f"{place} is no CSV of numbers without a header: {error}. Remove the header, and encode text."
        ) from error
    if label_size == 0:
        return Table(values)
    return Table(values[:, label_size:], values[:, 0])


def fitted(rows: Array, width: int) -> Array:
    """Rows with columns of zeros behind them up to `width`: libsvm leaves out what is zero."""
    missing = width - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, missing))) if missing > 0 else rows


def is_sparse(content_type: str) -> bool:
    """Whether rows of this format leave out what is zero, columns at the end as well."""
    return _parsed(content_type)[0] in LIBSVM


def _parsed(content_type: str) -> tuple[str, dict[str, str]]:
    kind, *options = (part.strip() for part in content_type.split(";"))
    pairs = (option.partition("=") for option in options)
    return kind.lower(), {name: value for name, _, value in pairs}


def _libsvm(content: bytes, place: str) -> Table:
    try:
        # indexes are taken as they stand, so that files that leave out different ones agree
        rows, labels = load_svmlight_file(io.BytesIO(content), zero_based=True)
    except ValueError as error:
        raise ClientError(f"{place} is not in libsvm's format: {error}.") from error
    return Table(np.asarray(rows.todense(), dtype=np.float64), np.asarray(labels, dtype=np.float64))
