"""The store: what was kept is there, once, also after another start."""
# ruff: noqa: ANN401 (a resource has members of many types)

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import pytest

from local_sagemaker.storage.store import MissingError, Query, Resource, SortBy, Store, TakenError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    made = Store(tmp_path / "store.sqlite")
    yield made
    made.close()


def resource(name: str, created: float = 1.0, **members: Any) -> Resource:
    """A resource of kind `thing`."""
    given: dict[str, Any] = {"kind": "thing", "name": name, "arn": f"arn:{name}", "document": {}}
    return Resource(**{**given, "created": created, "modified": created, **members})


def kept(store: Store, name: str) -> Resource:
    """The resource of a name, which must be there."""
    found = store.get("thing", name)
    assert found is not None
    return found


def test_a_resource_comes_back_as_it_was(store: Store) -> None:
    """Documents keep datetimes, nesting and letters of all kinds."""
    document = {"at": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "list": [1, 2.5, None, {"ü": "東京"}]}
    kept = resource("a", document=document, state={"phase": "queued"}, status="InProgress", parent="p")
    store.insert(kept)
    assert store.get("thing", "a") == kept
    assert store.by_arn("arn:a") == kept
    assert store.get("thing", "b") is None


def test_a_name_is_taken_once(store: Store) -> None:
    """The second insert changes nothing, its tags included."""
    store.insert(resource("a"), {"k": "1"})
    with pytest.raises(TakenError, match="thing a"):
        store.insert(resource("a", created=2.0), {"k": "2"})
    assert kept(store, "a").created == 1.0
    assert store.tags("arn:a") == {"k": "1"}


def test_of_many_inserts_at_once_one_wins(store: Store) -> None:
    """The database decides, not the order of the threads."""
    outcomes = []

    def insert(number: int) -> None:
        try:
            store.insert(resource("a", document={"number": number}))
            outcomes.append(number)
        except TakenError:
            pass

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kept(store, "a").document["number"]] == outcomes


def test_changes_at_once_are_all_counted(store: Store) -> None:
    """A change reads and writes in one transaction."""
    store.insert(resource("a", state={"count": 0}))

    def count() -> None:
        for _ in range(20):
            store.change(
                "thing", "a", lambda found: replace(found, state={"count": found.state["count"] + 1})
            )

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept(store, "a").state == {"count": 80}


def test_a_change_that_raises_leaves_the_resource_as_it_was(store: Store) -> None:
    """And the store stays usable."""
    store.insert(resource("a"))

    failure = RuntimeError()

    def fail(_: Resource) -> Resource:
        raise failure

    with pytest.raises(RuntimeError) as caught:
        store.change("thing", "a", fail)
    assert caught.value is failure
    with pytest.raises(MissingError, match="thing b"):
        store.change("thing", "b", lambda found: found)
    assert store.get("thing", "a") == resource("a")


def test_what_was_kept_is_there_after_another_start(tmp_path: Path) -> None:
    """The file is all there is."""
    path = tmp_path / "store.sqlite"
    first = Store(path)
    first.insert(resource("a"), {"k": "v"})
    first.close()
    second = Store(path)
    assert (second.get("thing", "a"), second.tags("arn:a")) == (resource("a"), {"k": "v"})
    second.close()


def test_deletion_takes_the_tags_along(store: Store) -> None:
    """A new resource of the same name begins without them."""
    store.insert(resource("a"), {"k": "v"})
    assert store.delete("thing", "a")
    assert not store.delete("thing", "a")
    store.insert(resource("a"))
    assert store.tags("arn:a") == {}


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("sort_by", get_args(SortBy))
def test_pages_hold_every_resource_once_in_order(
    store: Store, sort_by: SortBy, *, is_descending: bool
) -> None:
    """Equal values are told apart by name, so that no page repeats or leaves out one."""
    for number in range(7):
        store.insert(
            resource(f"r{number}", created=float(number // 3), status="odd" if number % 2 else "even")
        )
    found: list[Resource] = []
    after: tuple[Any, str] | None = None
    while True:
        page = store.search(
            "thing", Query(sort_by=sort_by, is_descending=is_descending, limit=2, after=after)
        )
        if not page:
            break
        found += page
        after = (getattr(page[-1], sort_by), page[-1].name)
    keys = [(getattr(item, sort_by), item.name) for item in found]
    assert len(found) == 7
    assert keys == sorted(keys, reverse=is_descending)


def test_filters_are_joined(store: Store) -> None:
    """Every bound narrows; bounds of time are exclusive; letters' case does not matter."""
    for number in range(5):
        store.insert(resource(f"Name-{number}", created=float(number), parent="p" if number < 4 else ""))
    query = Query(name_contains="name", parent="p", created_after=0.0, created_before=3.0)
    assert [item.name for item in store.search("thing", query)] == ["Name-1", "Name-2"]
    assert store.search("thing", Query(name_contains="%")) == []


def test_what_is_changed_together_is_kept_together(store: Store) -> None:
    """Or not at all, however deep it lies."""
    store.insert(resource("a"))

    def change(found: Resource) -> Resource:
        store.insert(resource("b"))
        return replace(found, status="changed")

    def fail() -> None:
        with store.together():
            store.change("thing", "a", change)
            store.insert(resource("a"))

    with pytest.raises(TakenError):
        fail()
    assert (kept(store, "a").status, store.get("thing", "b")) == ("", None)
    store.change("thing", "a", change)
    assert (kept(store, "a").status, kept(store, "b").name) == ("changed", "b")


def test_names_are_found_by_their_beginning(store: Store) -> None:
    """Letter by letter: no sign of it means anything else."""
    for name in ("ab", "a_b", "A_b", "b"):
        store.insert(resource(name))
    found = store.search("thing", Query(name_prefix="a_", sort_by="name"))
    assert [one.name for one in found] == ["a_b"]


def test_members_are_picked(store: Store) -> None:
    """Those that are asked for, of whatever type; None where there is none; nothing if none is asked for."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    store.insert(resource("a", document={"at": at, 'odd "name".x': [1, {"b": None}], "left": 1}), {"k": "v"})
    store.insert(resource("b", document={"at": "text"}))
    picked = {one.name: one.members for one in store.pick("thing", ["at", "odd"])}
    assert picked == {"a": {"at": at, "odd": None}, "b": {"at": "text", "odd": None}}
    assert [(one.arn, one.members) for one in store.pick("thing", [])] == [("arn:a", {}), ("arn:b", {})]
    assert store.tags_of_kind("thing") == {"arn:a": {"k": "v"}}


def test_every_list_is_answered_in_its_order(store: Store) -> None:
    """Whatever index answers it: by status, by parent, by both, sorted by anything, page by page."""
    for number in range(12):
        made = resource(f"n{number % 5}{number}", created=float(number % 4), status="ab"[number % 2])
        store.insert(replace(made, parent="pq"[number // 6]))
    everything = store.search("thing")
    for sort_by, is_descending, status, parent in product(
        get_args(SortBy), (False, True), (None, "a"), (None, "q")
    ):
        wanted = [one for one in everything if status in {None, one.status} and parent in {None, one.parent}]
        wanted.sort(key=attrgetter(sort_by, "name"), reverse=is_descending)
        query = Query(sort_by=sort_by, is_descending=is_descending, status=status, parent=parent, limit=2)
        found: list[Resource] = []
        while page := store.search("thing", query):
            found += page
            query = replace(query, after=(getattr(page[-1], sort_by), page[-1].name))
        assert found == wanted
