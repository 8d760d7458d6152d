"""What the model of the digits cycle sees: the same in training and serving."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SIDE = 8
#: grey values reach from 0 to this
DARKEST = 16.0
PIXELS: tuple[str, ...] = tuple(f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE))
#: columns a client sends, in CSV order, with their kinds
SIGNATURE: dict[str, str] = dict.fromkeys(PIXELS, "number")
#: attributes that `combine` adds, in their order; all are numbers
COMBINED: tuple[str, ...] = ("ink_share",)
LABEL = "digit"
CLASSES: tuple[str, ...] = tuple(str(digit) for digit in range(10))


def combine(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the combined attribute: the share of ink in the image, 0 to 1."""
    return {"ink_share": np.mean([columns[name] for name in PIXELS], axis=0) / DARKEST}
