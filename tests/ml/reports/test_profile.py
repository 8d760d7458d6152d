"""The profile of tables: what it shows of each kind of column, and what it must not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from include.ml.reports.profile import TableSample, number_shares, render_profile, text_shares


def table(columns: dict[str, object], missing: dict[str, int] | None = None) -> TableSample:
    """A table that is its own sample."""
    frame = pd.DataFrame(columns)
    counts = {str(name): int(frame[name].isna().sum()) for name in frame}
    return TableSample(name="flights", rows=len(frame), missing={**counts, **(missing or {})}, sample=frame)


def test_every_column_has_a_card_with_its_missing_values_and_figures() -> None:
    """A number, a text, a time, and a column without any value."""
    text = render_profile(
        "clean",
        [
            table(
                {
                    "temp": [1.0, 2.0, None, 4.0],
                    "sky": ["clear", "clear", "grey", None],
                    "time": pd.to_datetime(
                        ["2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04"], utc=True
                    ),
                    "gone": [None] * 4,
                }
            )
        ],
    )
    assert text.count('<section class="card">') == 4
    assert text.count("<svg") == 3
    assert "Values are missing in 3 of them, most in gone (100 %)." in text
    assert "missing <b>25 %</b>" in text
    assert "most <b>4</b>" in text
    assert "from <b>2013-01-01 00:00</b>" in text
    assert "It has no value." in text


def test_hostile_names_and_values_stay_text() -> None:
    """What the data holds never becomes an element."""
    hostile = "<script>alert(1)</script>"
    text = render_profile(hostile, [table({hostile: [hostile, hostile, "b"]})])
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 4


def test_private_columns_show_what_is_missing_and_no_value() -> None:
    """Neither a figure, nor a drawing, nor an example."""
    text = render_profile("t", [table({"tailnum": ["N12345", "N12345", None]})], frozenset({"tailnum"}))
    assert "N12345" not in text
    assert "missing <b>33 %</b>" in text
    assert "<svg" not in text


def test_one_odd_value_does_not_flatten_the_distribution() -> None:
    """A wind of a thousand miles an hour lies beyond the steps."""
    values = pd.Series([*np.linspace(0, 30, 2000), 1048.0])
    edges, sides = number_shares(values, "number")
    assert edges[-1] < 31
    assert sum(sides["share"]) == pytest.approx(1)
    assert 0 < sides["share"][-1] < 0.01


@pytest.mark.parametrize("values", [[2013.0] * 5, [np.inf, 1.0], [np.inf], [0.1 + 0.2, 0.3]])
def test_strange_numbers_have_a_distribution(values: list[float]) -> None:
    """A constant, infinities, and two that are nearly the same."""
    assert np.isfinite(number_shares(pd.Series(values), "number")[0]).all()
    assert "<svg" in render_profile("t", [table({"x": values})])


def test_texts_that_are_all_different_have_no_distribution() -> None:
    """A bar for each identifier tells nothing; examples do."""
    values = pd.Series([f"id-{n}" for n in range(50)])
    assert text_shares(values) is None
    text = render_profile("t", [table({"id": list(values)})])
    assert "Each value is another." in text
    assert "<code>id-0</code>" in text
