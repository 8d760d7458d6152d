"""Labels as the texts of their classes, whatever type a table keeps them in."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from include.ml.refusal import Refused


def class_text(labels: pd.Series, classes: Sequence[str]) -> list[str]:
    """Each label as one of `classes`; a whole number is told by its digits.

    Parameters
    ----------
    labels
        Labels without missing values: text, booleans or numbers.
    classes
        The texts of all classes.

    Raises
    ------
    Refused
        A label is none of the classes.

    Examples
    --------
    >>> class_text(pd.Series([1.0, 0.0, True], dtype=object), ["0", "1"])
    ['1', '0', '1']
    """
    texts = [_text(label) for label in labels]
    strange = sorted(set(texts) - set(classes))[:5]
    if strange:
        raise Refused(
            f"The label {labels.name} has the value(s) {', '.join(strange)}, which are none of CLASSES "
            f"({', '.join(classes)}). Clean them, or add them to CLASSES in features.py."
        )
    return texts


def _text(label: object) -> str:
    is_whole = isinstance(label, bool | int | float) and float(label).is_integer()
    return str(int(label)) if is_whole else str(label)  # type: ignore[call-overload]
