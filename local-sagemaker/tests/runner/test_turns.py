"""Turns: who gets the next free place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.fair_queue import Turns

OWNERS = st.sampled_from("abcd")
EVENTS = st.lists(
    st.one_of(st.tuples(st.just("add"), OWNERS), st.tuples(st.just("end"), OWNERS)), max_size=60
)


def order(turns: Turns[int]):
    """All that wait, in the order in which they get a place that is given back at once."""
    found = []
    while (taken := turns.take()) is not None:
        turns.give_back(taken[0])
        found.append(taken[1])
    return found


def test_owners_take_turns():
    """A late single job comes after one of the others', not after all of them."""
    turns: Turns[int] = Turns()
    for job in range(5):
        turns.add("many", job)
    assert turns.take() == ("many", 0)
    turns.add("late", 100)
    turns.give_back("many")
    assert order(turns) == [100, 1, 2, 3, 4]


def test_a_free_place_goes_to_whoever_holds_fewest():
    """Long jobs of one owner do not take every place there is."""
    turns: Turns[int] = Turns()
    for job in range(3):
        turns.add("many", job)
        turns.add("few", 10 + job)
    turns.hold("many")
    turns.hold("many")
    assert [turns.take() for _ in range(3)] == [("few", 10), ("few", 11), ("many", 0)]
    assert turns.held == 5


def test_who_leaves_is_not_waited_for():
    """A stopped job takes no turn; one that does not wait cannot leave."""
    turns: Turns[int] = Turns()
    turns.add("a", 1)
    assert turns.leave("a", 1)
    assert not turns.leave("a", 1)
    assert (turns.take(), len(turns), turns.held) == (None, 0, 0)


@given(EVENTS, st.integers(1, 3))
def test_nobody_is_passed_over(events: list[tuple[str, str]], places: int):
    """Whoever gets a place holds no more than any who waits, and everyone who came gets one in the end."""
    turns: Turns[int] = Turns()
    running: list[str] = []
    waiting: dict[str, list[int]] = {}

    def fill() -> None:
        while turns.held < places and (taken := turns.take()) is not None:
            owner, job = taken
            assert all(
                running.count(owner) <= running.count(other) for other, jobs in waiting.items() if jobs
            )
            assert job == waiting[owner].pop(0)
            running.append(owner)

    for number, (event, owner) in enumerate(events):
        if event == "add":
            turns.add(owner, number)
            waiting.setdefault(owner, []).append(number)
        elif owner in running:
            running.remove(owner)
            turns.give_back(owner)
        fill()
        assert len(turns) == sum(len(jobs) for jobs in waiting.values())
        assert turns.held == len(running) <= places
    while running:
        turns.give_back(running.pop())
        fill()
    assert len(turns) == 0
