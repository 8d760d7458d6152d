"""Frames counted as the steps count files."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
import pyarrow as pa

from include.ml.monitoring.statistics import Bounds, Profile
from include.ml.monitoring.summaries import ColumnValues
from include.steps import tables


def columns_of(frame: pd.DataFrame) -> dict[str, ColumnValues]:
    """Return the columns of a frame as a file's batch has them."""
    batch = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    return tables.columns_of(batch, batch.schema.names)


def describe_frames(frames: list[pd.DataFrame], private: Collection[str] = ()) -> dict[str, Any]:
    """Return statistics.json of a baseline in two passes, as transform writes it."""
    bounds = Bounds()
    for frame in frames:
        bounds.add(columns_of(frame))
    profile = Profile(bounds.edges(), private=private)
    for frame in frames:
        profile.add(columns_of(frame), len(frame))
    return profile.statistics()
