"""Labels as the classes that they name, whatever type a table keeps them in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from include.ml.exceptions import InvalidInput


def class_places(labels: pd.Series, classes: Sequence[str]) -> np.ndarray:
    """Return the place of each label in `classes`; 1.0 and True are the text "1".

    Parameters
    ----------
    labels
        Labels without missing values: text, booleans or numbers.
    classes
        The texts of all classes.

    Returns
    -------
    Integers from 0 to len(classes) - 1, of the labels' length.

    Raises
    ------
    InvalidInput
        A label is missing, or none of the classes.

    Examples
    --------
    >>> class_places(pd.Series([1.0, 0.0, True], dtype=object), ["0", "1"]).tolist()
    [1, 0, 1]
    """
    codes, values = pd.factorize(labels)
    missing = int((codes < 0).sum())
    if missing:
        raise InvalidInput(
            f"{missing} of {len(labels)} rows have no {labels.name}. The step before must leave them out."
        )
    texts = [as_text(value) for value in values.tolist()]
    strange = sorted(set(texts) - set(classes))[:5]
    if strange:
        raise InvalidInput(
            f"The label {labels.name} has the value(s) {', '.join(strange)}, which are none of CLASSES "
            f"({', '.join(classes)}). Clean them, or add them to CLASSES in features.py."
        )
    return np.array([classes.index(text) for text in texts], dtype=np.intp)[codes]


def as_text(label: object) -> str:
    """Return a label as text; a whole number by its digits."""
    is_whole = isinstance(label, bool | int | float) and float(label).is_integer()
    return str(int(label)) if is_whole else str(label)  # type: ignore[call-overload]
