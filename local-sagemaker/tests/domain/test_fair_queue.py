"""The fair queue: which owner gets the next free slot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.fair_queue import FairQueue

OWNERS = st.sampled_from("abcd")
EVENTS = st.lists(
    st.one_of(st.tuples(st.just("add"), OWNERS), st.tuples(st.just("end"), OWNERS)), max_size=60
)


def order(queue: FairQueue[int]) -> list[int]:
    """Return the waiting jobs in the order in which each gets a slot and gives it back at once."""
    jobs = []
    while (taken := queue.take()) is not None:
        queue.give_back(taken[0])
        jobs.append(taken[1])
    return jobs


def test_owners_take_turns() -> None:
    """A late single job comes after one of the others', not after all of them."""
    queue: FairQueue[int] = FairQueue()
    for job in range(5):
        queue.add("many", job)
    assert queue.take() == ("many", 0)
    queue.add("late", 100)
    queue.give_back("many")
    assert order(queue) == [100, 1, 2, 3, 4]


def test_a_free_slot_goes_to_whoever_holds_fewest() -> None:
    """Long jobs of one owner do not take every slot."""
    queue: FairQueue[int] = FairQueue()
    for job in range(3):
        queue.add("many", job)
        queue.add("few", 10 + job)
    queue.hold("many")
    queue.hold("many")
    assert [queue.take() for _ in range(3)] == [("few", 10), ("few", 11), ("many", 0)]
    assert queue.held == 5


def test_a_job_that_leaves_gets_no_slot() -> None:
    """A stopped job gets no slot; one that does not wait cannot leave."""
    queue: FairQueue[int] = FairQueue()
    queue.add("a", 1)
    assert queue.leave("a", 1)
    assert not queue.leave("a", 1)
    assert (queue.take(), len(queue), queue.held) == (None, 0, 0)


@given(EVENTS, st.integers(1, 3))
def test_nobody_is_passed_over(events: list[tuple[str, str]], slots: int) -> None:
    """An owner that gets a slot holds no more than any that waits, and every job gets one in the end."""
    queue: FairQueue[int] = FairQueue()
    running: list[str] = []
    waiting: dict[str, list[int]] = {}

    def fill() -> None:
        while queue.held < slots and (taken := queue.take()) is not None:
            owner, job = taken
            assert all(
                running.count(owner) <= running.count(other) for other, jobs in waiting.items() if jobs
            )
            assert job == waiting[owner].pop(0)
            running.append(owner)

    for number, (event, owner) in enumerate(events):
        if event == "add":
            queue.add(owner, number)
            waiting.setdefault(owner, []).append(number)
        elif owner in running:
            running.remove(owner)
            queue.give_back(owner)
        fill()
        assert len(queue) == sum(len(jobs) for jobs in waiting.values())
        assert queue.held == len(running) <= slots
    while running:
        queue.give_back(running.pop())
        fill()
    assert len(queue) == 0
