"""The fair queue of jobs: free slots go to owners in turn, not to jobs.

A free slot goes to the owner whose jobs hold the fewest slots; among equals, to the owner that has waited
longest since it joined the queue or gave back a slot. Jobs of one owner keep their order of arrival. A
hundred jobs of one owner therefore delay another owner's single job only until one of them ends. A queue is
not safe for threads.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Jobs that wait, by owner, and the slots that each owner holds."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._slots: Counter[str] = Counter()
        #: by waiting owner: when it joined the queue or gave back its last slot, as a running number
        self._since: dict[str, int] = {}
        self._moments = count()

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return sum(len(jobs) for jobs in self._waiting.values())

    @property
    def held(self) -> int:
        """Return how many slots are held."""
        return self._slots.total()

    def add(self, owner: str, job: T) -> None:
        """Append a job to its owner's jobs."""
        if owner not in self._waiting:
            self._waiting[owner] = deque()
            self._since[owner] = next(self._moments)
        self._waiting[owner].append(job)

    def take(self) -> tuple[str, T] | None:
        """Give a slot to the next job and return it with its owner; return None if no job waits."""
        if not self._waiting:
            return None
        owner = min(self._waiting, key=lambda name: (self._slots[name], self._since[name]))
        job = self._waiting[owner].popleft()
        self._forget_idle(owner)
        self.hold(owner)
        return owner, job

    def hold(self, owner: str) -> None:
        """Count a slot that an owner holds without having waited for it."""
        self._slots[owner] += 1

    def give_back(self, owner: str) -> None:
        """Count a slot as free again."""
        self._slots[owner] -= 1
        if not self._slots[owner]:
            del self._slots[owner]
        if owner in self._since:
            self._since[owner] = next(self._moments)

    def leave(self, owner: str, job: T) -> bool:
        """Remove a waiting job; return False if it was not waiting."""
        try:
            self._waiting.get(owner, deque()).remove(job)
        except ValueError:
            return False
        self._forget_idle(owner)
        return True

    def _forget_idle(self, owner: str) -> None:
        """Keep nothing of an owner without waiting jobs: owners come and go by the thousand."""
        if not self._waiting[owner]:
            del self._waiting[owner], self._since[owner]
