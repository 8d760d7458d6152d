"""The rows that transform wrote: read, checked, and turned into what a model takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from include.ml.features.labels import places
from include.ml.refusal import Refused
from include.steps.serving.inference import Arrays


@dataclass(frozen=True)
class Rows:
    """Labelled rows."""

    #: one array for each column of the signature: float64 with NaN, or str with "" for a missing value
    columns: Arrays
    #: place of the row's label in the cycle's CLASSES
    labels: np.ndarray
    #: identifiers of the rows
    event_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def read_rows(folder: Path, features: ModuleType) -> Rows:
    """Every labelled row below `folder`, in the order of the files' names.

    :param features: the cycle's module `features`, with SIGNATURE, LABEL and CLASSES
    :raises Refused: when a column is missing, there is no row, or a label is none of the classes
    """
    parts = sorted(folder.rglob("*.parquet"))
    wanted = ["event_id", *features.SIGNATURE, features.LABEL]
    if not parts:
        raise Refused(f"{folder} holds no Parquet file. Check what the transform step wrote.")
    for part in parts:
        missing = sorted(set(wanted) - set(pq.read_schema(part).names))
        if missing:
            raise Refused(
                f"{part.name} lacks the column(s) {', '.join(missing)}. The transform step must write every "
                "column of SIGNATURE in features.py, the event id and the label."
            )
    frame = pd.concat([pd.read_parquet(part, columns=wanted) for part in parts], ignore_index=True)
    if frame.empty:
        raise Refused(f"{folder} holds no rows. Fetch a longer period, or check the split of the cycle.")
    labels = places(frame[features.LABEL], features.CLASSES)
    return Rows(to_columns(frame, features.SIGNATURE), labels, frame["event_id"].astype(str).to_numpy(object))


def to_columns(frame: pd.DataFrame, kinds: Mapping[str, str]) -> Arrays:
    """Arrays of the signature's columns, with missing values as clients' payloads have them."""
    return {
        name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        if kind == "number"
        else frame[name].astype(object).where(frame[name].notna(), "").astype(str).to_numpy(object)
        for name, kind in kinds.items()
    }
