"""The answers of a batch transform job, as every job that needs them reads them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from include.ml.refusal import Refused


def read_scored(root: Path) -> pd.DataFrame:
    """Event id, label and score of every scored row, from the transform job's `*.out` files."""
    names, files = ["event_id", "label", "score"], sorted(root.rglob("*.out"))
    if not files:
        raise Refused(f"The scored data holds no *.out file ({root}). Run the batch transform again.")
    parts = []
    for path in files:
        part = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
        if part.shape[1] != len(names):
            raise Refused(
                f"{path.name} has {part.shape[1]} columns; a scored row is event id, label and score. "
                "Check the transform job's OutputFilter."
            )
        parts.append(part.set_axis(names, axis="columns"))
    scored = pd.concat(parts, ignore_index=True)
    score = pd.to_numeric(scored["score"], errors="coerce")
    if score.isna().any():
        row = scored[score.isna()].iloc[0]
        raise Refused(
            f"The score of {row['event_id']} is {row['score']!r}, no number. Run the transform again."
        )
    return scored.assign(score=score)
