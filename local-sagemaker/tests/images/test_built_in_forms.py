"""What the built-in algorithms read: the content types of each, and those that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.engine.algorithms.built_in import __main__ as program
from local_sagemaker.engine.algorithms.built_in import common
from local_sagemaker.engine.algorithms.built_in.common import CSV, LIBSVM, ClientError, Form

XGBOOST = common.algorithm("xgboost")
OTHERS = [common.algorithm(name) for name in ("kmeans", "knn", "linear_learner", "pca")]
VALUES = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


def channel(known: common.Algorithm, text: str) -> Form:
    """The form of a channel."""
    return Form.read(text, known.CHANNELS, known.LABEL_SIZES)


def rows(known: common.Algorithm, body: bytes, text: str) -> list[list[float]]:
    """The rows of a request."""
    read: list[list[float]] = program.read_rows(body, Form.read(text, known.REQUESTS, ("0",))).tolist()
    return read


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, CSV) for text in ("csv", "text/csv", "TEXT/CSV", "text/csv; label_size=1;charset=utf8")),
        *((text, LIBSVM) for text in ("libsvm", "text/libsvm", "text/x-libsvm ;charset=utf8")),
    ],
)
def test_xgboost_reads_csv_and_libsvm_in_every_spelling(text: str, kind: str) -> None:
    """In channels and requests; a request has no label, whatever the type says in a channel."""
    assert channel(XGBOOST, text) == Form(kind, 1)
    if "label_size" not in text:
        assert Form.read(text, XGBOOST.REQUESTS, ("0",)) == Form(kind, 0)


@pytest.mark.parametrize(
    "text",
    [
        *("text/csv;label_size=0", "csv; label_size=2", "text/csv;label_size=x", "text/csv;label_size="),
        *("application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/plain", ";"),
        *("application/x-parquet", "parquet", "text/csvx"),
    ],
)
def test_xgboost_refuses_what_aws_refuses_and_what_is_not_read(text: str) -> None:
    """By the name that was given."""
    with pytest.raises(ClientError, match=text):
        channel(XGBOOST, text)
    if "json" in text:
        with pytest.raises(ClientError, match=text):
            Form.read(text, XGBOOST.REQUESTS, ("0",))


@pytest.mark.parametrize("known", OTHERS)
def test_the_other_algorithms_read_csv_alone(known: common.Algorithm) -> None:
    """With a label or without one; JSON and its lines are forms of requests."""
    assert channel(known, "text/csv") == Form(CSV, 1)
    assert channel(known, "text/csv;label_size=0") == Form(CSV, 0)
    for text in ("csv", "libsvm", "text/libsvm", "application/json", "text/csv;label_size=2"):
        with pytest.raises(ClientError, match=text):
            channel(known, text)
    with pytest.raises(ClientError, match="recordio-protobuf is not read here"):
        channel(known, known.CONTENT_TYPE)
    for kind in ("text/csv", "application/json", "application/jsonlines"):
        assert Form.read(kind, known.REQUESTS, ("0",)) == Form(kind, 0)
    with pytest.raises(ClientError, match="text/libsvm"):
        Form.read("text/libsvm", known.REQUESTS, ("0",))


@given(st.lists(st.dictionaries(st.integers(0, 6), VALUES), min_size=1, max_size=6), st.booleans())
def test_libsvm_in_a_request_needs_no_label(given_: list[dict[int, float]], is_labelled: bool) -> None:  # noqa: FBT001
    """Every row is the same with a label and without one; one of zeros alone needs it, to be a row at all."""
    given_ = [row or {0: 0.0} for row in given_]
    lines = [" ".join(f"{index}:{value!r}" for index, value in sorted(row.items())) for row in given_]
    body = "\n".join(f"1 {line}" if is_labelled else line for line in lines).encode()
    width = 1 + max(max(row) for row in given_)

    expected = [[row.get(index, 0.0) for index in range(width)] for row in given_]
    assert expected == rows(XGBOOST, body, "libsvm")


def test_a_channel_passes_over_what_is_no_data(tmp_path: Path) -> None:
    """Marks of other programs, by their names; a channel of nothing else is empty."""
    for name in ("_SUCCESS", ".part.crc", "_metadata"):
        (tmp_path / name).write_text("no numbers")
    with pytest.raises(ClientError, match="has no data"):
        common.read_channel(tmp_path, Form(CSV, 1), has_gaps=False)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "part_0.csv").write_text("1,2.5\n0,3.5\n")
    table = common.read_channel(tmp_path, Form(CSV, 1), has_gaps=False)
    assert (table.rows.tolist(), table.wanted().tolist()) == ([[2.5], [3.5]], [1, 0])


def test_a_labelled_channel_of_libsvm_keeps_its_labels(tmp_path: Path) -> None:
    """Only requests may leave them out."""
    (tmp_path / "rows").write_text("1 0:2\n0 1:3\n")
    table = common.read_channel(tmp_path, channel(XGBOOST, "libsvm"), has_gaps=True)
    assert (table.rows.tolist(), table.wanted().tolist()) == ([[2, 0], [0, 3]], [1, 0])
    (tmp_path / "rows").write_text("0:2\n")
    with pytest.raises(ClientError, match="libsvm"):
        common.read_channel(tmp_path, channel(XGBOOST, "libsvm"), has_gaps=True)


@pytest.mark.parametrize(
    "instance",
    [
        {"features": [0, 2.5, 0]},
        {"data": {"features": [0, 2.5, 0]}},
        {"data": {"features": {"values": [0, 2.5, 0]}}},
        {"data": {"features": {"keys": [1], "shape": [3], "values": [2.5]}}},
    ],
)
def test_each_documented_form_of_json_is_read(instance: object) -> None:
    """Plain, nested, and sparse; as one document and as lines."""
    lines = json.dumps(instance).encode()
    document = json.dumps({"instances": [instance, instance]}).encode()
    assert rows(OTHERS[0], document, "application/json") == [[0, 2.5, 0]] * 2
    assert rows(OTHERS[0], lines + b"\n" + lines, "application/jsonlines") == [[0, 2.5, 0]] * 2


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b'{"instances": 1}', b'{"instances": [1]}', b'{"instances": [[1]]}'),
        *(b'{"instances": [{"features": "a"}]}', b'{"instances": [{"data": 1}]}', b"[" * 100_000),
        b'{"instances": [{"features": {"keys": [9], "shape": [3], "values": [1]}}]}',
        b'{"instances": [{"features": {"keys": [1], "shape": [-3], "values": [1]}}]}',
        b'{"instances": [{"features": [1]}, {"features": [1, 2]}]}',
        b'{"instances": []}',
    ],
)
def test_json_of_another_form_is_a_clients_error(body: bytes) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(ClientError):
        rows(OTHERS[0], body, "application/json")
