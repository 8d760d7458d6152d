"""The cleaning rules of what clients send: kept in a model's signature as data, and applied to each request.

Serving imports this module, so it needs neither Arrow nor pandas nor pandera.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import eq, ge, gt, le, lt, ne
from types import ModuleType
from typing import Any, NoReturn

from include.core.documents.model import ColumnCheck, ColumnRules, ColumnSignature
from include.ml.exceptions import InvalidInput, InvalidRow

Condition = Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Which cleaning rules hold for the columns that clients send; `SENT` in the cycle's joining.py."""

    #: for a column of the signature, the table and its column that it is taken from unchanged; a column that
    #: the facts have under the same name needs no entry
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    #: whether texts are trimmed and unified as in clean; otherwise such a row is refused
    repair: bool = True
    #: whether rows are refused that clean would set aside
    refuse: bool = True


def _compare(operator: Callable[[Any, Any], bool], name: str) -> Callable[[Mapping[str, Any]], Condition]:
    return lambda given: partial(lambda bound, value: operator(value, bound), given[name])


def _in_range(given: Mapping[str, Any]) -> Condition:
    low, high = given["min_value"], given["max_value"]
    above, below = ge if given.get("include_min", True) else gt, le if given.get("include_max", True) else lt
    return lambda value: above(value, low) and below(value, high)


def _length(given: Mapping[str, Any]) -> Condition:
    exact, low, high = (given.get(name) for name in ("exact_value", "min_value", "max_value"))
    low, high = (low or 0, float("inf") if high is None else high) if exact is None else (exact, exact)
    return lambda value: low <= len(value) <= high


def _one_of(given: Mapping[str, Any]) -> Condition:
    return frozenset(given["allowed_values"]).__contains__


def _none_of(given: Mapping[str, Any]) -> Condition:
    forbidden = frozenset(given["forbidden_values"])
    return lambda value: value not in forbidden


def _matches(given: Mapping[str, Any], *, is_anywhere: bool) -> Condition:
    pattern = re.compile(given["pattern"])
    search = pattern.search if is_anywhere else pattern.match
    return lambda value: search(value) is not None


#: pandera's checks of single values, from their arguments
CONDITIONS: Mapping[str, Callable[[Mapping[str, Any]], Condition]] = {
    "equal_to": _compare(eq, "value"),
    "not_equal_to": _compare(ne, "value"),
    "greater_than": _compare(gt, "min_value"),
    "greater_than_or_equal_to": _compare(ge, "min_value"),
    "less_than": _compare(lt, "max_value"),
    "less_than_or_equal_to": _compare(le, "max_value"),
    "in_range": _in_range,
    "isin": _one_of,
    "notin": _none_of,
    "str_matches": partial(_matches, is_anywhere=False),
    "str_contains": partial(_matches, is_anywhere=True),
    "str_startswith": _compare(str.startswith, "string"),
    "str_endswith": _compare(str.endswith, "string"),
    "str_length": _length,
}


def describe_rules(
    schema: ModuleType, rules: Mapping[str, Any], sent: Sent, columns: Mapping[str, tuple[str, Sequence[Any]]]
) -> tuple[dict[str, ColumnRules], dict[str, str]]:
    """Return the rules of the columns that clients send, and for columns left without theirs the reason.

    Functions of the cycle, such as `fix` and checks of its own, do not travel. Rules that a row of training
    breaks are not the column's: joining makes it anew, or by another name.

    Parameters
    ----------
    schema
        The cycle's module, with FACTS and TABLES.
    rules
        RULES of its cleaning.py.
    sent
        SENT of its joining.py.
    columns
        For each column its kind and the values that training met, missing ones as None.

    Raises
    ------
    InvalidInput
        When SENT names what schema.py lacks.
    """
    described, left_out = {}, {}
    for name, (kind, values) in columns.items():
        table, column = sent.columns.get(name, (schema.FACTS, name))
        given = schema.TABLES[table].columns.get(column) if table in schema.TABLES else None
        if given is None or not str(given.dtype).startswith({"number": "float", "string": "str"}[kind]):
            if name in sent.columns:
                raise InvalidInput(
                    f"joining.py: SENT takes {name} from {table}.{column}, which is no column of {kind}s in "
                    "schema.py. Name the column that it is taken from unchanged, or leave it out."
                )
            continue
        # a fact need not have a row in another table, so a value from there may be missing
        is_required = table == schema.FACTS and given.required and not given.nullable
        column_rules = ColumnRules(
            source=f"{table}.{column}",
            is_required=is_required and sent.refuse and None not in values,
            is_repaired=sent.repair,
            unify=dict(rules[table].unify.get(column, {})),
            checks=tuple(_describe_checks(given.checks)) if sent.refuse else (),
        )
        if broken := _broken_by(name, kind, column_rules, values):
            left_out[name] = broken
        else:
            described[name] = column_rules
    return described, left_out


def _broken_by(name: str, kind: str, rules: ColumnRules, values: Sequence[Any]) -> str | None:
    column = ColumnSignature(name=name, type="number" if kind == "number" else "string", rules=rules)
    try:
        SentRules([column]).apply([["" if v is None and kind == "string" else v for v in values]])
    except InvalidRow as invalid:
        return str(invalid)
    return None


def _describe_checks(checks: Sequence[Any]) -> list[ColumnCheck]:
    """Return pandera's checks that look at each value for itself."""
    from include.ml.cleaning.checks import is_check_of_values  # noqa: PLC0415 - serving must not need pandera

    described = []
    for check in checks:
        if check.name in CONDITIONS and is_check_of_values(check):
            given = {name: _plain(value) for name, value in check.statistics.items()}
            described.append(
                ColumnCheck(name=check.name, arguments=given, words=str(check.error or check.name))
            )
    return described


def _plain(value: Any) -> Any:  # noqa: ANN401 - an argument of a check
    """Return an argument as JSON has it; a compiled pattern keeps its flags."""
    if isinstance(value, re.Pattern):
        letters = "".join(letter for letter in "imsxa" if value.flags & re.RegexFlag[letter.upper()])
        return f"(?{letters}){value.pattern}" if letters else value.pattern
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    return value.item() if hasattr(value, "item") else value


class SentRules:
    """The rules in a signature, applied to the columns of a request."""

    def __init__(self, columns: Sequence[ColumnSignature]) -> None:
        self._ruled = [
            (
                position,
                column,
                column.rules,
                [(CONDITIONS[c.name](c.arguments), c.words) for c in column.rules.checks],
            )
            for position, column in enumerate(columns)
            if column.rules is not None
        ]

    def apply(self, columns: list[list[Any]]) -> list[list[Any]]:
        """Return the columns repaired as clean repairs them.

        :param columns: for each column of the signature its values: numbers and None, or texts, "" for none
        :raises InvalidRow: naming row, column and rule of the first value that clean would set aside
        """
        for position, column, rules, conditions in self._ruled:
            values = columns[position]
            if not column.is_number or rules.unify:
                values = columns[position] = _repair(column, rules, values)
            for row, value in enumerate(values, 1):
                if value is None or value == "":
                    if rules.is_required:
                        _refuse(row, column.name, "is missing", rules)
                    continue
                for holds, words in conditions:
                    if not holds(value):
                        shown = repr(float(value) if column.is_number else value)
                        _refuse(row, column.name, f"{shown:.60} fails {words}", rules)
        return columns


def _repair(column: ColumnSignature, rules: ColumnRules, values: list[Any]) -> list[Any]:
    repaired = []
    for row, value in enumerate(values, 1):
        text = _digits(value) if column.is_number else value.strip()
        unified = rules.unify.get(text, text).strip()
        better: Any = unified
        if column.is_number:
            better = value if unified == text else float(unified) if unified else None
        if better != value and not rules.is_repaired:
            _refuse(row, column.name, f"{value!r:.60} is to be written {better!r:.60}", rules)
        repaired.append(better)
    return repaired


def _digits(value: float | None) -> str:
    return "" if value is None else repr(float(value)).removesuffix(".0")


def _refuse(row: int, name: str, fault: str, rules: ColumnRules) -> NoReturn:
    raise InvalidRow(
        f"Row {row}, column {name!r}: {fault}, a rule of {rules.source} by which training rows were cleaned. "
        "Send a value that keeps it."
    )
