"""The store of objects by itself: any key, any order of puts and deletes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_sagemaker.storage.objects.conditions import range_of
from local_sagemaker.storage.objects.errors import InvalidRange
from local_sagemaker.storage.objects.objects import ObjectInfo, ObjectStore

BUCKET = "any-keys"
#: short names that meet often, and what file systems trip over
SEGMENTS = st.one_of(
    st.sampled_from(
        ["a", "b", "a.b", "a-", "..", ".", "", "\0", "é", "e\u0301", " ", "%2F", "~", "\\", "k" * 256]
    ),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
KEYS = (
    st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join).filter(lambda key: 0 < len(key.encode()) <= 1024)
)
ACTIONS = st.lists(st.tuples(st.sampled_from(["put", "put", "delete"]), KEYS), max_size=25)


@contextmanager
def store() -> Iterator[ObjectStore]:
    """A store with one bucket, removed afterwards."""
    root = Path(mkdtemp())
    try:
        objects = ObjectStore(root / "s3")
        objects.create_bucket(BUCKET)
        yield objects
    finally:
        shutil.rmtree(root)


def listed(objects: ObjectStore, prefix: str = "") -> list[tuple[str, bytes]]:
    """Key and bytes of all objects, as the store lists them."""
    return [(info.key, info.path.read_bytes()) for info in objects.list(BUCKET, prefix)]


@settings(max_examples=40)
@given(actions=ACTIONS)
def test_the_store_behaves_as_a_dictionary_of_keys(actions: list[tuple[str, str]]) -> None:
    """After any puts and deletes the store holds what a dictionary would, in the order of the keys' bytes."""
    model: dict[str, bytes] = {}
    with store() as objects:
        for number, (action, key) in enumerate(actions):
            if action == "put":
                objects.put_bytes(BUCKET, key, b"%d" % number)
                model[key] = b"%d" % number
            else:
                objects.delete(BUCKET, key)
                model.pop(key, None)
        expected = sorted(model.items(), key=lambda item: item[0].encode())
        outside = [p for p in objects.places.root.parent.iterdir() if p != objects.places.root]
        assert listed(objects) == expected
        assert {key: objects.path(BUCKET, key).read_bytes() for key in model} == model
        assert outside == []


@settings(max_examples=30)
@given(st.sets(KEYS, max_size=15), KEYS, KEYS, st.sampled_from(["", "/", "a", "é", "//"]))
@example({"a/a"}, "a//a", "a", "")
@example({"a/a"}, "k" * 256 + "/a", "a", "")
def test_listings_are_those_of_sorted_keys(keys: set[str], prefix: str, after: str, mark: str) -> None:
    """Prefix, start and delimiter select and roll up as they would on the sorted list of keys."""
    expected: list[str] = []
    for key in sorted(keys, key=str.encode):
        cut = key.find(mark, len(prefix)) if mark else -1
        shown = key if cut < 0 else key[: cut + len(mark)]
        beyond = key.encode() > after.encode() and not (cut >= 0 and shown == after)
        if key.startswith(prefix) and beyond and shown not in expected[-1:]:
            expected.append(shown)
    with store() as objects:
        for key in keys:
            objects.put_bytes(BUCKET, key, b"")
        found = objects.entries(BUCKET, prefix, after=after, delimiter=mark)
        assert [item.key if isinstance(item, ObjectInfo) else item for item in found] == expected


@settings(max_examples=25)
@given(key=KEYS)
def test_a_key_lies_inside_its_bucket_or_in_the_hidden_place(key: str) -> None:
    """The file of any key is a regular file below the bucket, or below the place for odd keys."""
    with store() as objects:
        path = objects.put_bytes(BUCKET, key, b"x").path
        plain, odd = objects.places.root / BUCKET, objects.places.odd_bucket(BUCKET)
        assert path.resolve().is_relative_to(plain.resolve()) or path.parent == odd
        assert path.is_relative_to(odd) or path == plain / key


def test_a_moved_file_becomes_the_object(tmp_path: Path) -> None:
    """`is_moved` takes the file itself; without it the file stays."""
    objects = ObjectStore(tmp_path / "s3")
    objects.create_bucket(BUCKET)
    moved, copied = tmp_path / "moved", tmp_path / "copied"
    moved.write_bytes(b"m")
    copied.write_bytes(b"c")
    first = objects.put_file(BUCKET, "m", moved, is_moved=True)
    second = objects.put_file(BUCKET, "c", copied)
    assert (first.path.read_bytes(), second.path.read_bytes()) == (b"m", b"c")
    assert (first.etag, second.etag) == (
        "6f8f57715090da2632453988d9a1501b",
        "4a8a08f09d37b73795649038408b5f33",
    )
    assert (moved.exists(), copied.exists()) == (False, True)


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        (None, 10, None),
        ("bytes=0-", 10, (0, 10)),
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=-20", 10, (0, 10)),
        ("bytes=9-100", 10, (9, 1)),
        ("bytes=5-2", 10, None),
        ("bytes=-", 10, None),
        ("lines=1-2", 10, None),
        ("bytes=0-1,3-4", 10, None),
    ],
)
def test_ranges_that_are_not_understood_mean_the_whole(
    header: str | None, size: int, expected: tuple[int, int] | None
) -> None:
    """A range is offset and length; a header that makes no sense is as good as none."""
    assert range_of(header, size) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=0-", 0), ("bytes=-0", 10), ("bytes=-5", 0)]
)
def test_ranges_of_nothing_are_refused(header: str, size: int) -> None:
    """A range in which no byte lies is InvalidRange."""
    with pytest.raises(InvalidRange):
        range_of(header, size)


def test_damaged_properties_are_computed_anew(tmp_path: Path) -> None:
    """An object whose properties a power cut has emptied keeps its bytes and gets its entity tag again."""
    objects = ObjectStore(tmp_path / "s3")
    objects.create_bucket(BUCKET)
    before = objects.put_bytes(BUCKET, "k", b"bytes").etag
    for path in objects.places.properties_bucket(BUCKET).rglob("*.*"):
        path.write_bytes(b"")
    assert objects.info(BUCKET, "k").etag == before
