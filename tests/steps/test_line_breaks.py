"""A text with a line break is scored as any other: prepare, the local service's records, serving, collect."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from include.cli.traffic import read_records
from include.core.documents.model import ColumnSignature
from include.core.sagemaker.requests import DATA_PROCESSING
from include.ml.exceptions import InvalidInput
from include.steps.prepare import has_line_breaks, write_csv, write_json_lines
from include.steps.serving.payload import format_answer, parse_body
from include.steps.traffic import read_scored
from local_sagemaker.engine.jobs.records import DataProcessing

SIGNATURE = {"maker": "category", "seats": "number"}
COLUMNS = [ColumnSignature(name="maker", type="string"), ColumnSignature(name="seats", type="number")]
PLAIN = ["GULFSTREAM AEROSPACE", 'He said "no", twice', "", "Ünïcode\u2028\x85"]
BROKEN = ["GULFSTREAM\nAEROSPACE", "\r\n", "a\rb", '"\n"', "\\n"]


def table(texts: list[str], ids: list[str] | None = None) -> pd.DataFrame:
    """Rows to score."""
    seats = np.where(np.arange(len(texts)) == 1, np.nan, 0.1 + np.arange(len(texts)))
    return pd.DataFrame(
        {"event_id": ids or [f"e{n}" for n in range(len(texts))], "maker": texts, "seats": seats}
    )


def transformed(path: Path, signature: list[ColumnSignature]) -> list[list[str | float | None]]:
    """What the model receives of a file that the local service scores; the answers lie beside it."""
    kind = "application/jsonlines" if path.suffix == ".jsonl" else "text/csv"
    processing = DataProcessing.from_request(
        {
            "DataProcessing": DATA_PROCESSING[kind],
            "TransformInput": {"ContentType": kind},
            "TransformOutput": {"Accept": kind},
        }
    )
    records = [line for line in path.read_bytes().split(b"\n") if line]
    asked = b"\n".join(processing.request_record(record) for record in records)
    columns = parse_body(asked, kind, signature)
    scores = [0.5 + place / 1000 for place in range(len(records))]
    answer = format_answer(["1"] * len(records), scores, kind)
    answers = processing.output_records(records, answer, kind)
    Path(f"{path}.out").write_bytes(b"\n".join(answers) + b"\n")
    return columns


@pytest.mark.parametrize(
    ("texts", "ids", "name"),
    [
        (PLAIN, None, "part.csv"),
        (PLAIN + BROKEN, None, "part.jsonl"),
        (BROKEN[:1], None, "part.jsonl"),
        (["A", "B"], ["e\n0", 'e"1'], "part.jsonl"),
    ],
)
def test_any_text_is_scored_under_its_event(
    texts: list[str], ids: list[str] | None, name: str, tmp_path: Path
) -> None:
    """The model receives the texts and numbers as they are, and each answer comes back with its event."""
    rows, path = table(texts, ids), tmp_path / name
    write = write_json_lines if has_line_breaks(rows, SIGNATURE) else write_csv
    write(tmp_path / "part", rows, SIGNATURE)
    seats = [None if np.isnan(value) else value for value in rows["seats"].tolist()]
    assert transformed(path, COLUMNS) == [texts, seats]
    scored = read_scored(tmp_path)
    assert scored["event_id"].tolist() == rows["event_id"].tolist()
    assert scored["label"].tolist() == ["1"] * len(rows)
    assert scored["score"].tolist() == [0.5 + place / 1000 for place in range(len(rows))]
    sent = [
        [event, text, "" if seat is None else str(seat)]
        for event, text, seat in zip(rows["event_id"], texts, seats, strict=True)
    ]
    assert list(read_records(name, path.read_bytes().decode())) == sent


def test_a_scored_line_of_another_form_is_refused(tmp_path: Path) -> None:
    """It is named with its file."""
    (tmp_path / "part.jsonl.out").write_text(json.dumps({"event_id": "a"}) + "\n")
    with pytest.raises(InvalidInput, match=r"Line 1 of part\.jsonl\.out"):
        read_scored(tmp_path)
