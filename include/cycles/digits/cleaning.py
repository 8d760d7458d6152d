"""The declared rules that clean the table of the digits cycle."""

from __future__ import annotations

import pandas as pd

from include.ml.cleaning.rules import Rules


def with_times(digits: pd.DataFrame) -> pd.DataFrame:
    """Add the event's id and its times; the writer of a digit knows its label at once."""
    return digits.assign(
        event_id="image-" + digits["image"].astype(int).astype(str).str.zfill(4),
        event_time=digits["written_at"],
        known_time=digits["written_at"],
    )


RULES: dict[str, Rules] = {"digits": Rules(identity=("image",), derive=with_times)}
