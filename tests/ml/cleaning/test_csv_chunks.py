"""All that RFC 4180 allows is read, at any size; what it does not is refused by its row."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.ml.cleaning import csv_chunks
from include.ml.cleaning.csv_chunks import text_chunks
from include.ml.exceptions import InvalidInput

#: cells with all that has a meaning in CSV
CELLS = st.text(alphabet='ab ,"\n\ré', max_size=6)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=12)


def read(content: bytes, missing: Sequence[str] = ()) -> list[dict[str, str | None]]:
    """All rows of a file."""
    return [row for chunk in text_chunks(io.BytesIO(content), "t.csv", missing) for row in chunk.to_pylist()]


def written(rows: Sequence[Sequence[str]], line_end: str, *, quoted: bool) -> bytes:
    """Rows by RFC 4180; every cell in quotes, or those that need it."""

    def cell(text: str) -> str:
        is_bare = not quoted and not any(mark in text for mark in ',"\r\n')
        return text if is_bare else '"' + text.replace('"', '""') + '"'

    return "".join(",".join(map(cell, row)) + line_end for row in rows).encode()


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 40), st.booleans())
def test_any_valid_file_is_read_whatever_the_blocks(
    rows: list[tuple[str, str, str]],
    line_end: str,
    quoted: bool,  # noqa: FBT001 - hypothesis passes it so
    block_bytes: int,
    ends: bool,  # noqa: FBT001
) -> None:
    """Quoted line breaks and quotes, across block borders, with a last line end or without."""
    names = ["a", 'b "x"\nand more', "c"]
    content = written([names, *rows], line_end, quoted=quoted)
    content = content if ends or not rows else content.removesuffix(line_end.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_chunks, "BLOCK_BYTES", block_bytes)
        found = read(content)
    assert found == [dict(zip(names, (cell or None for cell in row), strict=True)) for row in rows]


def test_line_breaks_in_quotes_invent_no_row_beyond_a_block() -> None:
    """200,000 rows of two lines each are 200,000 rows."""
    content = b"id,v,w\n" + b"".join(b'%d,%d,"street 1\nzip,town,land"\n' % (i, i) for i in range(200_000))
    assert len(content) > csv_chunks.BLOCK_BYTES
    chunks = list(text_chunks(io.BytesIO(content), "t.csv"))
    assert sum(map(len, chunks)) == 200_000
    assert {text for chunk in chunks for text in chunk["w"].unique().to_pylist()} == {
        "street 1\nzip,town,land"
    }


def test_a_cell_longer_than_a_block_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block grows with it."""
    monkeypatch.setattr(csv_chunks, "BLOCK_BYTES", 64)
    long = "x\n" * 5000
    assert read(f'a,b\n1,"{long}"\n2,y\n'.encode()) == [{"a": "1", "b": long}, {"a": "2", "b": "y"}]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\ufeff\n", "\r\n\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n\n"])
def test_line_ends_marks_and_empty_lines_are_no_rows(line_end: str, start: str, end: str) -> None:
    """Any line end, a byte order mark, and empty lines before, between and after."""
    content = start + line_end.join(["a,b", "1,x", "", "02,y"]) + end
    assert read(content.encode()) == [{"a": "1", "b": "x"}, {"a": "02", "b": "y"}]


def test_missing_is_missing_in_quotes_too() -> None:
    """An empty cell and the declared texts, with blanks around them or not."""
    content = b'a,b\n"",NA\n,"null"\n" NA ",x\nnan,NAN\n'
    found = read(content, ["NA", "null"])
    assert [[row["a"], row["b"]] for row in found] == [
        [None, None],
        [None, None],
        [None, "x"],
        ["nan", "NAN"],
    ]


@pytest.mark.parametrize("block_bytes", [16, 1 << 22])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "t.csv is empty"),
        (b"\n\r\n", "t.csv is empty"),
        (b"a,b\n1,2\n\n3\n", "row 2: it has 1 values, the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", "row 2: it has 3 values, the header has 2"),
        (b'a,b\n1,"x\ny"\n3,x,y\n', "row 2: it has 3 values"),
        (b'a,b\n1,2\n3,x"y\n', "row 2: it has a quote in the midst of a value"),
        (b'a,b\n"x"y,2\n', "row 1: it has a quote in the midst of a value"),
        (b'a,b\n1,2\n\n"x" ,2\n', "row 2: it has a quote in the midst of a value"),
        (b'a,b\n1,2\n3,"x\n4,5\n', "row 2: it has a quote that is not closed"),
        (b'a,b"\n1,2\n', "the header: it has a quote"),
        (b"a,b\n1,2\n3,\xff\n", "row 2: it has the byte 0xff, which is no UTF-8"),
        (b'a,b\n"1\n\n",2\n3,x\xc3', "row 2: it has the byte 0xc3, which is no UTF-8"),
        (b"a,\xff\n1,2\n", "the header is no UTF-8"),
    ],
)
def test_what_is_no_csv_is_refused_by_its_row(
    monkeypatch: pytest.MonkeyPatch, content: bytes, words: str, block_bytes: int
) -> None:
    """Wherever blocks end, rows are counted from 1, without the header and empty lines."""
    monkeypatch.setattr(csv_chunks, "BLOCK_BYTES", block_bytes)
    with pytest.raises(InvalidInput, match=r"^t\.csv") as refusal:
        read(content)
    assert words in str(refusal.value)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='a,"\n\r\xff', max_size=30), st.integers(1, 10))
def test_any_bytes_are_read_or_refused_whatever_the_blocks(text: str, block_bytes: int) -> None:
    """Blocks change no row, and nothing is refused in another way than by the file's name."""
    found = []
    for size in (block_bytes, 1 << 22):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_chunks, "BLOCK_BYTES", size)
            try:
                found.append(str(read(text.encode("latin-1"))))
            except InvalidInput as refusal:
                found.append(str(refusal)[: len("t.csv")])
    assert found[0] == found[1]


def test_only_chosen_columns_are_read() -> None:
    """The others may hold what they like."""
    (chunk,) = text_chunks(io.BytesIO(b"a,b\n1,\xff\n"), "t.csv", (), lambda names: names[:1])
    assert chunk.to_pylist() == [{"a": "1"}]
