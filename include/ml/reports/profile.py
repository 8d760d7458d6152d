"""A step's tables as one HTML page: for every column its distribution, missing values and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from include.ml.reports import pages, phrases
from include.ml.reports.distributions import Sides, draw_categories, draw_numbers, number_text, time_text

#: steps that a distribution is counted in
STEPS = 28
#: share of the rows at each end that the steps leave out
BEYOND = 0.002
#: values that a text's distribution names, and examples of each column
NAMED, EXAMPLES = 20, 5
#: letters of an example
LETTERS = 60


@dataclass(frozen=True, kw_only=True)
class TableSample:
    """What is known of one table."""

    name: str
    #: rows it has
    rows: int
    #: missing values of each column, over all rows
    missing: Mapping[str, int]
    #: some of its rows, from all over it
    sample: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class ColumnView:
    """What the page shows of one column."""

    name: str
    kind: str
    #: by name, in the order shown
    facts: Mapping[str, str]
    #: 0 to 100
    missing_percent: float
    #: why there is no drawing; empty if there is one
    note: str = ""
    drawing: Markup | None = None
    examples: Sequence[str] = ()


def render_profile(title: str, tables: Sequence[TableSample], private: frozenset[str] = frozenset()) -> str:
    """Return the profile of some tables as an HTML page.

    Parameters
    ----------
    title
        Heading of the page, text.
    tables
        At least one.
    private
        Columns of which only the share of missing values is shown.
    """
    views = [
        {
            "name": table.name,
            "summary": summarize_table(table),
            "columns": [view_column(table, str(name), private) for name in table.sample.columns],
        }
        for table in tables
    ]
    return pages.render_page("profile.html.j2", title=title, tables=views)


def summarize_table(table: TableSample) -> str:
    """Describe a table: its size, what it lacks, and which rows the drawings show.

    >>> sample = pd.DataFrame({"a": [1], "b": [2]})
    >>> table = TableSample(name="t", rows=4, missing={"a": 1, "b": 0}, sample=sample)
    >>> summarize_table(table).split(". ")[1:]
    ['Values are missing in 1 of them, most in a (25 %)', 'All else is of 1 row from all over it.']
    """
    size = f"{phrases.count(table.rows, 'row')}, {phrases.count(len(table.missing), 'column')}."
    lacking = {name: n for name, n in table.missing.items() if n}
    lack = "No value is missing."
    if lacking:
        worst = max(lacking, key=lambda name: lacking[name])
        share = phrases.percent(lacking[worst] / max(table.rows, 1))
        lack = f"Values are missing in {len(lacking)} of them, most in {worst} ({share})."
    if len(table.sample) == table.rows:
        return f"{size} {lack}"
    seen = phrases.count(len(table.sample), "row")
    return f"{size} {lack} All else is of {seen} from all over it."


def view_column(table: TableSample, name: str, private: frozenset[str]) -> ColumnView:
    """Return what the page shows of one column."""
    values, missing = table.sample[name].dropna(), table.missing[name] / max(table.rows, 1)
    kind, facts = kind_of(values), {"missing": phrases.percent(missing)}
    if name in private:
        return ColumnView(
            name=name,
            kind=kind,
            facts=facts,
            missing_percent=100 * missing,
            note="Private: its values are not shown.",
        )
    drawn = draw_column(values, name, kind) if len(values) else None
    absent = "Each value is another." if len(values) else "It has no value."
    return ColumnView(
        name=name,
        kind=kind,
        facts=facts | (summarize_values(values, kind) if len(values) else {}),
        missing_percent=100 * missing,
        note="" if drawn else absent,
        drawing=drawn,
        examples=choose_examples(values) if len(values) else (),
    )


def kind_of(values: pd.Series) -> str:
    """Return what a column holds: "number", "time" or "text".

    >>> kind_of(pd.Series([1.5])), kind_of(pd.Series([True])), kind_of(pd.Series(["a"]))
    ('number', 'text', 'text')
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "time"
    is_number = pd.api.types.is_numeric_dtype(values.dtype)
    return "number" if is_number and not pd.api.types.is_bool_dtype(values.dtype) else "text"


def summarize_values(values: pd.Series, kind: str) -> dict[str, str]:
    """Return a column's figures by their names."""
    if kind == "text":
        return {"different": phrases.number(values.nunique())}
    low, middle, high = values.min(), values.median(), values.max()
    if kind == "time":
        return {"from": f"{low:%Y-%m-%d %H:%M}", "to": f"{high:%Y-%m-%d %H:%M}"}
    names = {"least": low, "median": middle, "most": high}
    return {name: phrases.number(float(value)) for name, value in names.items()}


def draw_column(values: pd.Series, name: str, kind: str) -> Markup | None:
    """Draw the distribution of a column's values; None for texts that are all different."""
    title = f"Distribution of {name}"
    if kind == "text":
        spread = text_shares(values)
        return draw_categories(*spread, title) if spread else None
    return draw_numbers(*number_shares(values, kind), title, time_text if kind == "time" else number_text)


def text_shares(values: pd.Series) -> tuple[list[str], Sides] | None:
    """Return shares of the most frequent texts; None if no text occurs twice."""
    counts = values.astype(str).value_counts()
    if len(counts) == len(values) > 1:
        return None
    top = counts.sort_index().sort_values(ascending=False, kind="stable")[:NAMED] / len(values)
    return [str(text) for text in top.index], {"share": top.tolist()}


def number_shares(values: pd.Series, kind: str) -> tuple[list[float], Sides]:
    """Return shares of numbers or times in equal steps, with those beyond at both ends.

    Examples
    --------
    >>> edges, sides = number_shares(pd.Series([0.0, 1.0, 2.0, 4.0]), "number")
    >>> edges[0], edges[-1], sum(sides["share"])
    (0.0, 4.0, 1.0)
    """
    if kind == "time":
        # in microseconds, since nanoseconds end in 2262
        values = values.dt.as_unit("us").astype("int64") / 1e6
    numbers = values.to_numpy(dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    low, high = (
        np.quantile(numbers, [BEYOND, 1 - BEYOND], method="closest_observation") if len(numbers) else (0, 0)
    )
    edges = np.linspace(low, high if high > low else low + 1, STEPS + 1)
    inside = np.histogram(numbers, bins=edges)[0]
    outside = [(numbers < edges[0]).sum(), (numbers > edges[-1]).sum()]
    share = np.array([outside[0], *inside, outside[1]]) / max(len(numbers), 1)
    return edges.tolist(), {"share": share.tolist()}


def choose_examples(values: pd.Series) -> list[str]:
    """Return some different values from all over the table, as texts."""
    different = values.drop_duplicates()
    chosen = different.iloc[:: max(len(different) // EXAMPLES, 1)][:EXAMPLES]
    return [_example(value) for value in chosen]


def _example(value: object) -> str:
    """Return a value as a person would write it: whole numbers without their fraction."""
    text = str(value)
    return text.removesuffix(".0") if isinstance(value, float) else text[:LETTERS]
