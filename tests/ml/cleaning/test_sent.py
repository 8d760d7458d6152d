"""What clients send is repaired and refused as clean repairs rows and sets them aside."""

from __future__ import annotations

import json
import re
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pandera.pandas as pandera
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.core.documents.model import ColumnRules, ColumnSignature, ModelSignature
from include.ml.cleaning.rules import Cleaner, Rules
from include.ml.cleaning.sent import CONDITIONS, Sent, SentRules, describe_rules
from include.ml.exceptions import InvalidInput, InvalidRow

NUMBER, TEXT = pandera.Column(float), pandera.Column(str)
UNIFY = {"us": "US", "United States": "US", "none": ""}
CHECKS: dict[str, tuple[type, pandera.Check]] = {
    "equal_to": (float, pandera.Check.equal_to(5)),
    "not_equal_to": (float, pandera.Check.not_equal_to(5)),
    "greater_than": (float, pandera.Check.greater_than(0)),
    "greater_than_or_equal_to": (float, pandera.Check.greater_than_or_equal_to(0)),
    "less_than": (float, pandera.Check.less_than(5)),
    "less_than_or_equal_to": (float, pandera.Check.less_than_or_equal_to(5)),
    "in_range": (float, pandera.Check.in_range(0, 5)),
    "in_range, open": (float, pandera.Check.in_range(0, 5, include_min=False, include_max=False)),
    "isin": (float, pandera.Check.isin([0.0, 5.0])),
    "isin, of texts": (str, pandera.Check.isin(["US", "FR"])),
    "notin": (str, pandera.Check.notin(["FR"])),
    "str_matches": (str, pandera.Check.str_matches("^(?:US|FR)$")),
    "str_matches, compiled": (str, pandera.Check.str_matches(re.compile("us|fr", re.IGNORECASE))),
    "str_contains": (str, pandera.Check.str_contains("S")),
    "str_startswith": (str, pandera.Check.str_startswith("U")),
    "str_endswith": (str, pandera.Check.str_endswith("S")),
    "str_length": (str, pandera.Check.str_length(2, 3)),
    "str_length, exact": (str, pandera.Check.str_length(exact_value=2)),
}
NUMBERS = st.none() | st.sampled_from([0.0, -0.0, 5.0, 5.000001, -5.0, 2400.0]) | st.floats(-1e30, 1e30)
TEXTS = st.sampled_from(
    ["", " ", "US", " US", "us ", "\tUnited States", "none", "FR", "\u00a0FR", "USS", "USSR", "x US", "fr"]
) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4)


def module(column: pandera.Column, table: str = "shop", name: str = "x") -> ModuleType:
    """A cycle's schema with one column."""
    tables = {"shop": pandera.DataFrameSchema({}), table: pandera.DataFrameSchema({name: column})}
    return cast("ModuleType", SimpleNamespace(FACTS="shop", TABLES=tables))


def describe(
    column: pandera.Column, kind: str, sent: Sent | None = None, values: tuple[Any, ...] = ()
) -> ColumnRules | None:
    """The rules of the column x."""
    rules = {"shop": Rules(identity=("x",), unify={"x": {"2400": "0"} if kind == "number" else UNIFY})}
    return describe_rules(module(column), rules, sent or Sent(), {"x": (kind, values)})[0].get("x")


def serve(rules: ColumnRules | None, kind: str, value: object) -> object:
    """What serving makes of a value by a signature that was kept; the exception if it refuses it."""
    column = ColumnSignature(name="x", type="number" if kind == "number" else "string", rules=rules)
    signature = ModelSignature(
        version=2,
        cycle="shop",
        task="binary",
        id_column="event_id",
        columns=(column,),
        classes=("0", "1"),
        threshold=0.5,
        features=("x",),
    )
    kept = ModelSignature.from_text(json.dumps(signature.as_json())).columns
    try:
        return SentRules(kept).apply([[value]])[0][0]
    except InvalidRow as invalid:
        return invalid


def clean(column: pandera.Column, kind: str, value: object) -> object:
    """What clean makes of a value; its reasons if it sets it aside."""
    rules = Rules(identity=("x",), unify={"x": {"2400": "0"} if kind == "number" else UNIFY})
    schema = pandera.DataFrameSchema({"x": column})
    array = pa.array([value], pa.float64() if kind == "number" else pa.string())
    cleaned = Cleaner("shop", schema, rules).clean(pa.table({"x": array}))
    reasons = cleaned.quarantined.column("reasons").to_pylist()
    return reasons[0] if reasons else cleaned.rows.column("x").to_pylist()[0]


def test_every_check_has_a_case() -> None:
    """A condition that no case compares with pandera is not sent."""
    assert {name.split(",")[0] for name in CHECKS} == set(CONDITIONS)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("nullable", [True, False])
@given(number=NUMBERS, text=TEXTS)
@example(number=2400.0, text=" us ")
def test_serving_does_to_a_value_what_clean_does(
    name: str, number: float | None, text: str, *, nullable: bool
) -> None:
    """The same value comes out, or the same reason is given."""
    dtype, check = CHECKS[name]
    kind, value = ("number", number) if dtype is float else ("string", text)
    column = pandera.Column(dtype, check, nullable=nullable)
    cleaned, served = clean(column, kind, value), serve(describe(column, kind), kind, value)
    if isinstance(cleaned, list):
        assert isinstance(served, InvalidRow)
        (reason,) = cleaned
        _, _, words = reason.partition(": ")
        assert (words if words != "missing" else "is missing")[:60] in str(served)
    else:
        assert served == ("" if cleaned is None and kind == "string" else cleaned)


def test_a_refusal_names_row_column_and_rule() -> None:
    """So that the client knows what to send."""
    rules = describe(pandera.Column(float, pandera.Check.ge(0)), "number")
    column = ColumnSignature(name="price", type="number", rules=rules)
    with pytest.raises(InvalidRow) as refused:
        SentRules([column]).apply([[1, 2.5, -5]])
    assert str(refused.value) == (
        "Row 3, column 'price': -5.0 fails greater_than_or_equal_to(0), a rule of shop.x by which training "
        "rows were cleaned. Send a value that keeps it."
    )


def test_a_cycle_may_refuse_instead_of_repairing() -> None:
    """A text that clean would change is refused, and the error says how to write it."""
    rules = describe(TEXT, "string", Sent(repair=False))
    assert serve(rules, "string", "US") == "US"
    assert "' us' is to be written 'US'" in str(serve(rules, "string", " us"))


def test_a_cycle_may_let_pass_what_clean_sets_aside() -> None:
    """Repairs alone, and neither checks nor missing values."""
    rules = describe(pandera.Column(str, pandera.Check.isin(["FR"])), "string", Sent(refuse=False))
    assert [serve(rules, "string", text) for text in (" us", "")] == ["US", ""]


def test_rules_that_training_rows_break_are_not_of_this_column() -> None:
    """A column that is made anew under the name of one of the facts is left alone, and the reason given."""
    column = pandera.Column(float, pandera.Check.ge(0))
    rules = {"shop": Rules(identity=("x",))}
    columns = {"x": ("number", (1.0, -1.0))}
    described, left_out = describe_rules(module(column), rules, Sent(), columns)
    assert described == {}
    assert left_out["x"].startswith("Row 2, column 'x': -1.0 fails greater_than_or_equal_to(0)")


@pytest.mark.parametrize("source", [("shop", "y"), ("store", "x")])
def test_a_column_that_there_is_not_is_refused(source: tuple[str, str]) -> None:
    """SENT is held against schema.py."""
    with pytest.raises(InvalidInput, match=r"is no column of numbers in schema\.py"):
        describe(NUMBER, "number", Sent(columns={"x": source}))


def test_a_value_of_another_table_may_be_missing() -> None:
    """A fact need not have a row there, so the rule of that table's rows is not the client's."""
    rules = {"shop": Rules(identity=("id",)), "weather": Rules(identity=("x",))}
    sent = Sent(columns={"x": ("weather", "x")})
    columns = {"x": ("number", (1.0, None))}
    described, _ = describe_rules(module(NUMBER, "weather"), rules, sent, columns)
    assert described["x"].is_required is False
