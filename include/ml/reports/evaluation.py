"""The evaluation as one HTML page that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733 }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #d5dbe1; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums } svg { max-width: 100%; height: auto }
.verdict { border-left: .4rem solid #2d6cdf; padding: .5rem 1rem; background: #f2f6fc }
figure { margin: 1rem 0 } .beside { display: flex; flex-wrap: wrap; gap: 2rem; align-items: start }
"""


def page(title: str, verdict: Mapping[str, Any], evaluation: Mapping[str, Any], plots: Sequence[str]) -> str:
    """The report: the verdict in words, metrics with intervals, plots, slices and importance.

    Parameters
    ----------
    title
        Heading of the page, text.
    verdict, evaluation
        The content of verdict.json and evaluation.json.
    plots
        SVG elements.
    """
    outcome = "Promote" if verdict["promote"] else "Keep what there is"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict["reasons"])
    parts = [
        f'<div class="verdict"><strong>{outcome}.</strong><ul>{reasons}</ul></div>',
        f"<p>{escape(_method(verdict['rule'], evaluation['rows']))}</p>",
        table("Gain of the challenger over each rival", gains(evaluation["gain"])),
        metrics(evaluation["models"]),
        *(f"<figure>{plot}</figure>" for plot in plots),
        slices(verdict, evaluation["slices"]),
        _beside(table(f"Calibration: {name}", bins) for name, bins in evaluation["calibrations"].items()),
        table(
            "Permutation importance: loss when a column is shuffled",
            [{"column": name, "loss": value} for name, value in evaluation["importance"].items()],
        ),
    ]
    return whole(title, parts)


def whole(title: str, parts: Iterable[str]) -> str:
    """A page of its own, from its heading and its parts in HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n"
    )


def _method(rule: Mapping[str, Any], rows: int) -> str:
    """How the numbers came about."""
    drawn = "rows, class by class,"
    if rule["block_s"]:
        drawn = f"blocks of {rule['block_s'] / 3600:g} hours, because their rows share what no column tells,"
    return (
        f"All models were scored by the same code on the same {rows} holdout rows. Brackets hold intervals "
        f"from a bootstrap of {drawn} and those of gains are paired: {rule['confidence']:.0%}, "
        f"{rule['repetitions']} draws."
    )


def _beside(parts: Iterable[str]) -> str:
    return f'<div class="beside">{"".join(parts)}</div>'


def gains(gains: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> list[dict[str, object]]:
    """Gains as rows: a metric each, with a column for every rival."""
    return [
        {"metric": metric, **{f"over {rival}": _interval(found) for rival, found in rivals.items()}}
        for metric, rivals in gains.items()
    ]


def _interval(found: Mapping[str, float | None]) -> str:
    return f"{_shown(found['value'])} [{_shown(found['low'])}, {_shown(found['high'])}]"


def slices(verdict: Mapping[str, Any], slices: Sequence[Mapping[str, object]]) -> str:
    """The challenger's metric in each slice, with its gain over the champion where there is one."""
    over = {(each["column"], each["value"]): each for each in verdict["slices"]}
    rows = []
    for each in slices:
        row, found = dict(each), over.get((each["column"], each["value"]))
        if over:
            row["gain over champion"] = _interval(found["gain"]) if found else "too few rows"
            row["floor"] = found["floor"] if found else ""
            row["judged"] = ("under its floor" if found["is_under_floor"] else "held") if found else ""
        rows.append(row)
    return table("Slices", rows)


def metrics(models: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Every metric of every model, with its interval."""
    rows = []
    for metric in next(iter(models.values())):
        row: dict[str, object] = {"metric": metric}
        for name, values in models.items():
            row[name] = _interval(values[metric])
        rows.append(row)
    return table("Metrics", rows)


def table(caption: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a table, with the names of the first as its head."""
    if not rows:
        return f"<p>{escape(caption)}: too few rows to tell.</p>"
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    body = "".join(f"<tr>{''.join(map(_cell, row.values()))}</tr>" for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _cell(value: object) -> str:
    if isinstance(value, (int, float)):
        return f'<td class="number">{_shown(value)}</td>'
    return f"<td>{escape(str(value))}</td>"


def _shown(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
