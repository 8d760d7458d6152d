"""What steps say of data: the quality of a cleaned table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.core.documents.codec import Document


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that broke a rule."""

    #: its place in the fetched table, from 0
    row: int
    #: every rule that it broke, with the value
    reason: str
    #: the fetched row as JSON
    values: str


@dataclass(frozen=True, kw_only=True)
class TableQuality(Document):
    """What clean found in one table: the table's entry in `quality.json`, which is an object by table."""

    #: [rows] fetched; the sum of the other three
    rows_in: int
    #: [rows] kept
    rows_out: int
    #: [rows] that broke a rule
    rows_quarantined: int
    #: [rows] that repeat an earlier one
    rows_duplicate: int
    #: [rows] by broken rule, without the values
    reasons: Mapping[str, int]
    #: the first quarantined rows, three at most
    examples: tuple[QuarantinedRow, ...]
    #: [share] of the kept rows that lack a value, by column
    missing_share: Mapping[str, float]
