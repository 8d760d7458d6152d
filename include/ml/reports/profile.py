"""A step's tables as one HTML page: for every column its distribution, missing values and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from include.ml.reports import drawing, page_style
from include.ml.reports.window import phrases

#: steps that a distribution is counted in
STEPS = 28
#: share of the rows at each end that the steps leave out
BEYOND = 0.002
#: values that a text's distribution names, and examples of each column
NAMED, EXAMPLES = 20, 5
#: letters of an example
LETTERS = 60

STYLE = """
.head { display: flex; justify-content: space-between; gap: .5rem; align-items: baseline }
.kind { color: var(--soft); font-size: .8rem } .facts { font-size: .87rem; color: var(--soft) }
.facts span { white-space: nowrap }
.facts b { color: var(--ink) } .missing { height: .35rem; background: var(--edge); border-radius: 2px }
.missing i { display: block; height: 100%; background: var(--moved); border-radius: 2px }
.examples { font-size: .8rem; overflow-wrap: anywhere } .base { fill: var(--now); opacity: .55 }
"""


@dataclass(frozen=True, kw_only=True)
class Table:
    """What is known of one table."""

    name: str
    #: rows it has
    rows: int
    #: missing values of each column, over all rows
    missing: Mapping[str, int]
    #: some of its rows, from all over it
    sample: pd.DataFrame


def page(title: str, tables: Sequence[Table], private: frozenset[str] = frozenset()) -> str:
    """The profile of some tables.

    Parameters
    ----------
    title
        Heading of the page, text.
    tables
        At least one.
    private
        Columns of which only the number of missing values is shown.
    """
    contents = " · ".join(f'<a href="#t{n}">{escape(table.name)}</a>' for n, table in enumerate(tables))
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{contents}</p>" if len(tables) > 1 else ""]
    parts += [section(n, table, private) for n, table in enumerate(tables)]
    return page_style.whole(title, parts, STYLE)


def section(number: int, table: Table, private: frozenset[str]) -> str:
    """One table: its size in words, and a card for each column."""
    cards = "".join(card(table, str(name), private) for name in table.sample.columns)
    return (
        f'<h2 id="t{number}">{escape(table.name)}</h2><p>{escape(summary(table))}</p>'
        f'<div class="grid">{cards}</div>'
    )


def summary(table: Table) -> str:
    """A table's size, what it lacks, and what the drawings are made from.

    >>> sample = pd.DataFrame({"a": [1], "b": [2]})
    >>> summary(Table(name="t", rows=4, missing={"a": 1, "b": 0}, sample=sample)).split(". ")[1:]
    ['Values are missing in 1 of them, most in a (25 %)', 'All else is of 1 row from all over it.']
    """
    size = f"{phrases.count(table.rows, 'row')}, {phrases.count(len(table.missing), 'column')}."
    lacking = {name: n for name, n in table.missing.items() if n}
    said = "No value is missing."
    if lacking:
        worst = max(lacking, key=lambda name: lacking[name])
        share = phrases.percent(lacking[worst] / max(table.rows, 1))
        said = f"Values are missing in {len(lacking)} of them, most in {worst} ({share})."
    if len(table.sample) == table.rows:
        return f"{size} {said}"
    seen = phrases.count(len(table.sample), "row")
    return f"{size} {said} All else is of {seen} from all over it."


def card(table: Table, name: str, private: frozenset[str]) -> str:
    """One column."""
    values, missing = table.sample[name].dropna(), table.missing[name] / max(table.rows, 1)
    kind = kind_of(values)
    facts = [f"missing <b>{phrases.percent(missing)}</b>"]
    if name in private:
        shown = '<p class="soft">Private: its values are not shown.</p>'
    elif not len(values):
        shown = '<p class="soft">It has no value.</p>'
    else:
        facts += [f"{word} <b>{escape(value)}</b>" for word, value in told(values, kind).items()]
        shown = picture(values, name, kind) + examples(values)
    bar = f'<div class="missing"><i style="width:{100 * missing:.3g}%"></i></div>' if missing else ""
    said = " · ".join(f"<span>{each}</span>" for each in facts)
    head = f'<div class="head"><h3>{escape(name)}</h3><span class="kind">{kind}</span></div>'
    return f'<section class="card">{head}<p class="facts">{said}</p>{bar}{shown}</section>'


def kind_of(values: pd.Series) -> str:
    """What a column holds: "number", "time" or "text".

    >>> kind_of(pd.Series([1.5])), kind_of(pd.Series([True])), kind_of(pd.Series(["a"]))
    ('number', 'text', 'text')
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "time"
    is_number = pd.api.types.is_numeric_dtype(values.dtype)
    return "number" if is_number and not pd.api.types.is_bool_dtype(values.dtype) else "text"


def told(values: pd.Series, kind: str) -> dict[str, str]:
    """A column's numbers, by their names."""
    if kind == "text":
        return {"different": phrases.number(values.nunique())}
    low, middle, high = values.min(), values.median(), values.max()
    if kind == "time":
        return {"from": f"{low:%Y-%m-%d %H:%M}", "to": f"{high:%Y-%m-%d %H:%M}"}
    names = {"least": low, "median": middle, "most": high}
    return {name: phrases.number(float(value)) for name, value in names.items()}


def picture(values: pd.Series, name: str, kind: str) -> str:
    """The distribution as a drawing; none for texts of which each is another."""
    entry = text_entry(values) if kind == "text" else number_entry(values, kind)
    if entry is None:
        return '<p class="soft">Each value is another.</p>'
    return drawing.distribution(entry, f"Distribution of {name}", ("share",))


def text_entry(values: pd.Series) -> dict[str, Any] | None:
    """Shares of the most frequent texts; None where no text is met twice."""
    counts = values.astype(str).value_counts()
    if len(counts) == len(values) > 1:
        return None
    top = counts.sort_index().sort_values(ascending=False, kind="stable")[:NAMED] / len(values)
    return {"kind": "text", "values": [str(each) for each in top.index], "share": top.tolist()}


def number_entry(values: pd.Series, kind: str) -> dict[str, Any]:
    """Shares of numbers or times in equal steps, with those beyond at both ends.

    Examples
    --------
    >>> entry = number_entry(pd.Series([0.0, 1.0, 2.0, 4.0]), "number")
    >>> entry["edges"][0], entry["edges"][-1], sum(entry["share"])
    (0.0, 4.0, 1.0)
    """
    if kind == "time":
        values = (values - pd.Timestamp(0, tz=values.dt.tz)) / pd.Timedelta(seconds=1)
    numbers = values.to_numpy(dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    low, high = (
        np.quantile(numbers, [BEYOND, 1 - BEYOND], method="closest_observation") if len(numbers) else (0, 0)
    )
    edges = np.linspace(low, high if high > low else low + 1, STEPS + 1)
    inside = np.histogram(numbers, bins=edges)[0]
    outside = [(numbers < edges[0]).sum(), (numbers > edges[-1]).sum()]
    share = np.array([outside[0], *inside, outside[1]]) / max(len(numbers), 1)
    return {"kind": kind, "edges": edges.tolist(), "share": share.tolist()}


def examples(values: pd.Series) -> str:
    """Some different values, from all over the table."""
    different = values.drop_duplicates()
    chosen = different.iloc[:: max(len(different) // EXAMPLES, 1)][:EXAMPLES]
    shown = ", ".join(f"<code>{escape(_shown(each))}</code>" for each in chosen)
    return f'<p class="examples"><span class="soft">such as</span> {shown}</p>'


def _shown(value: object) -> str:
    """A value as a person would write it; whole numbers without their fraction."""
    text = str(value)
    return text.removesuffix(".0") if isinstance(value, float) else text[:LETTERS]
