"""The images of scikit-learn's `load_digits`, as if they had been written one after the other over a year."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from include.cycles.digits.cycle import CYCLE
from include.cycles.digits.features import PIXELS


def tables(start: datetime, end: datetime) -> Mapping[str, Iterator[pd.DataFrame]]:
    """Return the images written in `[start, end)`.

    The rule: image i of n, in the order of the data set, is written i/n of the way from the cycle's start to
    its end.
    """
    if CYCLE.end is None:
        raise ValueError("The digits cycle has no end: images are spread from its start to its end.")
    digits = load_digits()
    images = len(digits.target)
    seconds = (CYCLE.end - CYCLE.start).total_seconds()
    offsets = pd.to_timedelta(np.arange(images) * seconds / images, unit="s").round("s")
    written = (pd.Timestamp(CYCLE.start) + offsets).as_unit("us")
    table = pd.DataFrame(digits.data, columns=list(PIXELS))
    table.insert(0, "image", np.arange(images, dtype=float))
    table = table.assign(written_at=written, digit=digits.target.astype(float))
    chosen = table["written_at"].between(pd.Timestamp(start), pd.Timestamp(end), inclusive="left")
    return {"digits": iter([table[chosen].reset_index(drop=True)])}
