"""Who gets the next free place: turns that are taken by owners, not by jobs. Pure, and not safe for threads.

A free place goes to the owner whose jobs hold the fewest places; among those, to the one that has waited
longest since it came, or since it gave back a place. An owner's own jobs go in the order in which they
came. So a hundred jobs of one owner hold up another's single job only until one of them ends.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Jobs that wait, by their owners, and the places that these hold."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._places: Counter[str] = Counter()
        #: by owner that waits: when it came, or gave back its last place
        self._since: dict[str, int] = {}
        self._moments = count()

    def __len__(self) -> int:
        """How many jobs wait."""
        return sum(len(jobs) for jobs in self._waiting.values())

    @property
    def held(self) -> int:
        """How many places are held."""
        return self._places.total()

    def add(self, owner: str, job: T) -> None:
        """Let a job wait, behind the others of its owner."""
        if owner not in self._waiting:
            self._waiting[owner] = deque()
            self._since[owner] = next(self._moments)
        self._waiting[owner].append(job)

    def take(self) -> tuple[str, T] | None:
        """Give a place to the job whose turn it is; None if none waits."""
        if not self._waiting:
            return None
        owner = min(self._waiting, key=lambda name: (self._places[name], self._since[name]))
        job = self._waiting[owner].popleft()
        self._forget_idle(owner)
        self.hold(owner)
        return owner, job

    def hold(self, owner: str) -> None:
        """Count a place that an owner has without having waited for it."""
        self._places[owner] += 1

    def give_back(self, owner: str) -> None:
        """Count a place as free again."""
        self._places[owner] -= 1
        if not self._places[owner]:
            del self._places[owner]
        if owner in self._since:
            self._since[owner] = next(self._moments)

    def leave(self, owner: str, job: T) -> bool:
        """Let a job wait no longer; False if it did not wait."""
        try:
            self._waiting.get(owner, deque()).remove(job)
        except ValueError:
            return False
        self._forget_idle(owner)
        return True

    def _forget_idle(self, owner: str) -> None:
        """Owners come and go by the thousand: nothing is kept of those that wait for nothing."""
        if not self._waiting[owner]:
            del self._waiting[owner], self._since[owner]
