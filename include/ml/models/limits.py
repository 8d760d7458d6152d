"""What a fitted model takes: found by asking it, kept in its signature, and held against every row."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from include.core.documents.model import ColumnSignature, CombinedSignature, ModelSignature
from include.ml.exceptions import InvalidRow

#: one array for each column that clients send: float64 with NaN, or str with "" for a missing value
Columns = Mapping[str, np.ndarray]
#: numbers (rows, features) in single precision, and strings
Inputs = tuple[np.ndarray, np.ndarray]
#: makes a model's inputs of the columns that clients send
Features = Callable[[Columns], Inputs]
#: answers of shape (rows, classes); raises what it likes
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: a text that no training data holds
UNKNOWN = "unknown \u2205"
#: training rows in which a value is replaced to ask the model
ASKED_ROWS = 3
#: characters of what a model said that a refusal shows
REASON = 200


@dataclass(frozen=True)
class Limits:
    """What a model's signature says of the rows that it takes."""

    #: for each number, what is refused: missing, infinite
    never_missing: np.ndarray
    never_infinite: np.ndarray
    #: texts that are taken, by the place of a closed string
    closed: Mapping[int, frozenset[str]]
    #: places of strings that may not be missing
    required: tuple[int, ...]
    signature: ModelSignature

    @classmethod
    def of(cls, signature: ModelSignature) -> Limits:
        """Return the limits of a signature; one that does not tell them has none."""
        by_name: dict[str, ColumnSignature | CombinedSignature] = {c.name: c for c in signature.columns}
        by_name |= {attribute.name: attribute for attribute in signature.combined or ()}
        numbers = [by_name.get(name) for name in signature.numbers]
        texts = [column for column in signature.columns if not column.is_number]
        return cls(
            never_missing=np.array([number is not None and number.nullable is False for number in numbers]),
            never_infinite=np.array(
                [signature.version > 1 and not getattr(n, "infinite", False) for n in numbers]
            ),
            closed={i: frozenset(c.values or ()) for i, c in enumerate(texts) if c.closed},
            required=tuple(i for i, column in enumerate(texts) if column.nullable is False),
            signature=signature,
        )

    def violations(self, numbers: np.ndarray, strings: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
        """Yield for each limit that rows break which rows they are, and what is wrong with them."""
        for refused, fault in (
            (np.isnan(numbers) & self.never_missing, "is missing"),
            (np.isinf(numbers) & self.never_infinite, "is infinite"),
        ):
            for number in np.flatnonzero(refused.any(axis=0)):
                yield refused[:, number], f"{self._name(self.signature.numbers[number])} {fault}"
        for index in self.required:
            if (empty := strings[:, index] == "").any():
                yield empty, f"{self._name(self.signature.strings[index])} is missing"
        for index, known in self.closed.items():
            strange = np.array([text not in known for text in strings[:, index]], dtype=bool)
            if strange.any():
                text, name = strings[strange.argmax(), index], self._name(self.signature.strings[index])
                yield strange, f"{name} is {text[:60]!r}, which training has not met"

    def _name(self, feature: str) -> str:
        is_combined = any(feature == attribute.name for attribute in self.signature.combined or ())
        return f"the combined {feature}" if is_combined else f"column {feature!r}"

    def require(self, numbers: np.ndarray, strings: np.ndarray) -> None:
        """Raise InvalidRow for a row that breaks a column's limit, ArithmeticError for a combined one's."""
        for rows, fault in self.violations(numbers, strings):
            if not fault.startswith("column "):
                raise ArithmeticError(fault)
            raise InvalidRow(
                f"Row {int(rows.argmax()) + 1}: {fault}, and the model takes no such row. "
                "Send a value that it knows."
            )

    def accept(self, numbers: np.ndarray, strings: np.ndarray) -> np.ndarray:
        """Return whether each row breaks no limit."""
        taken = np.ones(len(numbers), dtype=bool)
        for rows, _ in self.violations(numbers, strings):
            taken &= ~rows
        return taken


def describe_limits(
    signature: ModelSignature, features: Features, predict: Predict, columns: Columns
) -> ModelSignature:
    """Return the signature with what the fitted model takes, found by asking it.

    Parameters
    ----------
    signature
        Without its limits; its string columns list every value that training met.
    features, predict
        The model in two parts.
    columns
        The training rows.
    """
    rows = len(next(iter(columns.values())))
    chosen = np.unique(np.linspace(0, rows - 1, ASKED_ROWS).astype(int))
    base = {name: values[chosen] for name, values in columns.items()}

    def takes(column: str, value: float | str) -> bool:
        asked = {**base, column: np.full(len(chosen), value, dtype=base[column].dtype)}
        return is_answered(lambda: predict(*features(asked)))

    def describe(column: ColumnSignature) -> ColumnSignature:
        nullable = takes(column.name, np.nan if column.is_number else "")
        if column.is_number or takes(column.name, UNKNOWN):
            return replace(column, nullable=nullable, closed=None if column.is_number else False)
        known = {*np.unique(columns[column.name].astype(str)).tolist(), *([""] if nullable else [])}
        return replace(column, nullable=nullable, closed=True, values=tuple(sorted(known)))

    numbers, strings = features(base)

    def takes_combined(name: str, value: float) -> bool:
        changed = numbers.copy()
        changed[:, signature.numbers.index(name)] = value
        return is_answered(lambda: predict(changed, strings))

    sent = {column.name for column in signature.columns}
    return replace(
        signature,
        version=2,
        columns=tuple(map(describe, signature.columns)),
        combined=tuple(
            CombinedSignature(
                name=name, nullable=takes_combined(name, np.nan), infinite=takes_combined(name, np.inf)
            )
            for name in signature.features
            if name not in sent
        ),
        example=_make_example(lambda row: predict(*features(row)), columns),
    )


def _make_example(
    ask: Callable[[Columns], np.ndarray], columns: Columns
) -> dict[str, float | str | None] | None:
    """Return the usual value of each column, if the model answers the row that they make."""
    example: dict[str, float | str | None] = {}
    for name, values in columns.items():
        if values.dtype == object:
            known, counts = np.unique(values.astype(str), return_counts=True)
            example[name] = str(known[counts.argmax()])
        else:
            finite = values[np.isfinite(values)]
            example[name] = float(np.quantile(finite, 0.5, method="nearest")) if len(finite) else None
    row = {name: example_values(example, columns, name, 1) for name in columns}
    return example if is_answered(lambda: ask(row)) else None


def example_values(
    example: Mapping[str, float | str | None], columns: Columns, name: str, rows: int
) -> np.ndarray:
    """Return a column of the example's value, of the kind that the column has."""
    value = example[name]
    return np.full(rows, np.nan if value is None else value, dtype=columns[name].dtype)


def is_answered(ask: Callable[[], np.ndarray]) -> bool:
    """Return whether a model gives finite answers."""
    try:
        with np.errstate(all="ignore"):
            return bool(np.isfinite(ask()).all())
    except Exception:  # noqa: BLE001 - estimators and the cycle's code raise what they like
        return False


def explain_failure(
    ask: Callable[[Columns], np.ndarray],
    columns: Columns,
    example: Mapping[str, float | str | None] | None,
    reason: str,
) -> InvalidRow | None:
    """Return which value keeps a model from answering, or None where the model itself is at fault.

    Rows are asked again by bisection, and so are the columns of the first bad row, replaced by the example's.
    Without an example a row is to blame if a value of it is missing.

    Parameters
    ----------
    ask
        The model; it raises, or its answers are not finite, for `columns`.
    columns
        The rows of a request.
    example
        A row that the model answered in training.
    reason
        What the model said.
    """
    rows, names = len(next(iter(columns.values()))), list(columns)

    def fails(asked: Columns) -> bool:
        return not is_answered(lambda: ask(asked))

    bad = _first(rows, lambda n: fails({name: values[:n] for name, values in columns.items()}))
    if bad is None:
        return None
    row = {name: values[bad : bad + 1] for name, values in columns.items()}
    where = f"Row {bad + 1}: the model cannot take"
    if example is None:
        missing = [name for name, (value,) in row.items() if value == "" or value != value]  # noqa: PLR0124 - NaN
        what = f"{where} its missing {', '.join(missing)} ({reason[:REASON]})."
        return InvalidRow(f"{what} Send values.") if missing else None
    usual = {name: example_values(example, columns, name, 1) for name in names}
    if fails(usual):
        return None
    column = _first(len(names), lambda n: not fails({**row, **{name: usual[name] for name in names[:n]}}))
    name = names[column or 0]
    value = f"{row[name][0]!s:.60}"
    return InvalidRow(f"{where} {value} in column {name!r} ({reason[:REASON]}). Send another value.")


def _first(count: int, holds: Callable[[int], bool]) -> int | None:
    """Return the place at which what holds for the first n begins to hold, by bisection; None if nowhere."""
    first = bisect_left(range(1, count + 1), 1, key=lambda n: int(holds(n)))
    return None if first == count else first
