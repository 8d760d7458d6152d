"""clean: validate the fetched tables row by row; bad rows go to quarantine, and no row is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from include.core.documents.data import QuarantinedRow, TableQuality
from include.core.layout import QUALITY
from include.ml.cleaning.rules import QUARANTINE, Cleaner, top_reasons
from include.ml.exceptions import InvalidInput
from include.steps.contract import Step, run
from include.steps.manifest import check_balance, write_json, write_manifest
from include.steps.tables import TableWriter, read_chunks

QUARANTINE_FILE = "quarantine.parquet"
#: bad rows that the report and a refusal show
EXAMPLES = 3


@dataclass
class Tally:
    """Counts of one table's rows."""

    rows_in: int = 0
    rows_out: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    #: rows by reason, without the values, so that a thousand bad values are one reason
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[QuarantinedRow] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of rows, which must balance."""
        return {
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "rows_quarantined": self.rows_quarantined,
            "rows_duplicate": self.rows_duplicate,
        }


def clean(step: Step) -> dict[str, int]:
    """Write the cleaned tables, `quarantine.parquet` and `quality.json`."""
    tallies = {}
    with TableWriter(step.output / QUARANTINE_FILE) as quarantine:
        quarantine.write(_no_rows())
        for name in step.module("schema").TABLES:
            tallies[name] = clean_table(step, name, quarantine)
    write_json(step.output / QUALITY, {name: report(tally).as_json() for name, tally in tallies.items()})
    for name, tally in tallies.items():
        check_limit(name, tally, step.description.quarantine_limit_share)
    total = {key: sum(tally.counts[key] for tally in tallies.values()) for key in Tally().counts}
    facts = tallies[step.module("schema").FACTS].counts
    metrics = {f"facts_{name}": count for name, count in facts.items()}
    write_manifest(step, counts=total, metrics=metrics)
    return {**total, **metrics}


def clean_table(step: Step, name: str, quarantine: TableWriter) -> Tally:
    """Clean one table, chunk by chunk."""
    schema, path = step.module("schema"), step.required("fetch") / f"{name}.parquet"
    if not path.is_file():
        raise InvalidInput(f"The fetched data has no {path.name}. Run fetch again for this interval.")
    is_facts = name == schema.FACTS
    within = (pd.Timestamp(step.start), pd.Timestamp(step.end)) if is_facts else None
    cleaner = Cleaner(name, schema.TABLES[name], step.module("cleaning").RULES[name], within)
    tally = Tally()
    with TableWriter(step.output / f"{name}.parquet") as writer:
        for raw in read_chunks(path):
            cleaned = cleaner.clean(raw)
            writer.write(cleaned.rows)
            quarantine.write(cleaned.quarantined)
            _count(tally, len(raw), cleaned.rows, cleaned.quarantined, cleaned.n_duplicate)
    check_balance(tally.counts)
    return tally


def _count(tally: Tally, n_raw: int, rows: pd.DataFrame, bad: pd.DataFrame, n_duplicate: int) -> None:
    tally.rows_in += n_raw
    tally.rows_out += len(rows)
    tally.rows_quarantined += len(bad)
    tally.rows_duplicate += n_duplicate
    tally.reasons.update(_kind(reason) for reason in bad["reason"])
    tally.missing.update({str(column): int(n) for column, n in rows.isna().sum().items()})
    room = EXAMPLES - len(tally.examples)
    shown = bad.head(max(room, 0))[["row", "reason", "values"]]
    tally.examples += [QuarantinedRow(*row) for row in shown.itertuples(index=False, name=None)]


def _kind(reason: str) -> str:
    """Return the reason without its values: `humid: 140.0 fails in_range(0, 100)` counts with its like."""
    found = []
    for part in reason.split("; "):
        column, _, rest = part.partition(": ")
        for word in (" fails ", " is no "):
            if word in rest:
                rest = rest[rest.rindex(word) + 1 :]
        if part.startswith("event_time "):
            column, rest = "event_time", "lies outside the interval"
        found.append(f"{column}: {rest}" if rest else column)
    return "; ".join(found)


def report(tally: Tally) -> TableQuality:
    """Return one table's part of `quality.json`."""
    out = max(tally.rows_out, 1)
    return TableQuality(
        **tally.counts,
        reasons=dict(tally.reasons),
        examples=tuple(tally.examples),
        missing_share={column: n / out for column, n in tally.missing.items()},
    )


def check_limit(name: str, tally: Tally, limit_share: float) -> None:
    """Raise InvalidInput if too many rows of a table are bad, or all of them."""
    share = tally.rows_quarantined / max(tally.rows_in, 1)
    if share <= limit_share and tally.rows_out:
        return
    examples = " | ".join(f"row {e.row}: {e.reason}" for e in tally.examples)
    raise InvalidInput(
        f"{tally.rows_quarantined} of {tally.rows_in} rows of {name} are bad ({share:.1%}, the limit is "
        f"{limit_share:.1%}): {top_reasons(tally.reasons)}. Examples: {examples}. "
        "Correct the source, or the rules in schema.py and cleaning.py."
    )


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame({n: pd.Series(dtype="int64" if n == "row" else "str") for n in QUARANTINE})


def main() -> None:
    """Run the step in its container."""
    run("clean", clean)
