"""clean: validate the fetched tables row by row; bad rows go to quarantine, and no row is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from include.core.documents.data import QuarantinedRow, TableQuality
from include.core.layout import QUALITY
from include.ml.cleaning.duplicates import Duplicates
from include.ml.cleaning.rules import QUARANTINE, Cleaned, Cleaner, top_reasons
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
    #: equal to a row that stayed
    rows_duplicate: int = 0
    #: of the same identity as a row that stayed, and different from it
    rows_conflicting: int = 0
    #: rows by reason, without the values, so that a thousand bad values are one reason
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[QuarantinedRow] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    #: rows by column and spelling that was replaced
    unified: dict[str, Counter[str]] = field(default_factory=dict)
    #: rows by column whose text had blanks around it
    trimmed: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of rows, which must balance."""
        return {name: value for name, value in vars(self).items() if name.startswith("rows_")}


def clean(step: Step) -> dict[str, int]:
    """Write the cleaned tables, `quarantine.parquet` and `quality.json`."""
    tallies = {}
    with TableWriter(step.output / QUARANTINE_FILE) as quarantine:
        quarantine.write(QUARANTINE.empty_table())
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
    """Clean one table, chunk by chunk, and drop its duplicates."""
    schema, fetched = step.module("schema"), step.required("fetch") / f"{name}.parquet"
    rules = step.module("cleaning").RULES[name]
    if not fetched.is_file():
        raise InvalidInput(f"The fetched data has no {fetched.name}. Run fetch again for this interval.")
    is_facts = name == schema.FACTS
    cleaner = Cleaner(name, schema.TABLES[name], rules, (step.start, step.end) if is_facts else None)
    duplicates = Duplicates([rules.identity, *([("event_id",)] if is_facts else [])], rules.keep)
    tally, path = Tally(), step.output / fetched.name
    with TableWriter(path) as writer:
        for raw in _chunks(fetched, cleaner):
            cleaned = cleaner.clean(raw)
            writer.write(cleaned.rows)
            duplicates.add(cleaned.rows)
            quarantine.write(cleaned.quarantined)
            _count(tally, raw.num_rows, cleaned)
    drop_duplicates(path, duplicates, tally)
    check_balance(tally.counts)
    return tally


def _chunks(path: Path, cleaner: Cleaner) -> Iterator[pa.Table]:
    """Yield the fetched rows in chunks of bounded size, or at once where a check has to see them all."""
    names = [name for name in pq.read_schema(path).names if name in cleaner.kinds]
    chunks = read_chunks(path, names)
    if cleaner.needs_whole_table:
        yield pa.concat_tables(chunks).unify_dictionaries().combine_chunks()
    else:
        yield from chunks


def drop_duplicates(path: Path, duplicates: Duplicates, tally: Tally) -> None:
    """Leave one row of each identity in a cleaned table, which is written anew if there are others."""
    suspected = duplicates.suspected()
    if not suspected.any():
        return
    dropped = duplicates.dropped(read_chunks(path), suspected)
    is_kept = np.ones(len(suspected), dtype=bool)
    is_kept[dropped.equal] = is_kept[dropped.conflicting] = False
    if is_kept.all():
        return
    new, first = path.with_suffix(".new"), 0
    tally.rows_out, tally.missing = int(is_kept.sum()), Counter()
    tally.rows_duplicate, tally.rows_conflicting = len(dropped.equal), len(dropped.conflicting)
    with TableWriter(new) as writer:
        for chunk in read_chunks(path):
            rows = chunk.filter(pa.array(is_kept[first : first + chunk.num_rows]))
            first += chunk.num_rows
            writer.write(rows)
            _count_missing(tally, rows)
    new.replace(path)


def _count(tally: Tally, n_raw: int, cleaned: Cleaned) -> None:
    tally.rows_in += n_raw
    tally.rows_out += cleaned.rows.num_rows
    tally.rows_quarantined += cleaned.quarantined.num_rows
    tally.reasons.update(cleaned.reasons)
    tally.trimmed.update(cleaned.trimmed)
    for column, spellings in cleaned.unified.items():
        tally.unified.setdefault(column, Counter()).update(spellings)
    _count_missing(tally, cleaned.rows)
    shown = cleaned.quarantined.slice(0, max(EXAMPLES - len(tally.examples), 0)).to_pylist()
    tally.examples += [QuarantinedRow(row["row"], "; ".join(row["reasons"]), row["values"]) for row in shown]


def _count_missing(tally: Tally, rows: pa.Table) -> None:
    tally.missing.update({name: rows.column(name).null_count for name in rows.column_names})


def report(tally: Tally) -> TableQuality:
    """Return one table's part of `quality.json`."""
    out = max(tally.rows_out, 1)
    return TableQuality(
        **tally.counts,
        reasons=dict(tally.reasons),
        examples=tuple(tally.examples),
        unified=tally.unified,
        trimmed=tally.trimmed,
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


def main() -> None:
    """Run the step in its container."""
    run("clean", clean)
