"""How the cleaned table becomes rows of the digits model; only jobs that read tables need this."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from include.cycles.digits.features import LABEL, SIGNATURE


def build(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per image of a cleaned partition: event id, times, signature and label."""
    return tables["digits"][["event_id", "event_time", "known_time", *SIGNATURE, LABEL]]
