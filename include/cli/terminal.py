"""What a user sees: lines with durations, rewritten in place on a terminal; errors without a traceback."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from include.core.documents.model import Bounds

CLEAR_LINE = "\r\x1b[2K"
NAME_WIDTH = 18


class StackError(Exception):
    """Something the user can act on: the text says what happened, why, and what to do."""


class Terminal:
    """One stream of plain text; on a terminal the last line may be transient."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.is_live = self.stream.isatty()
        self._transient = False

    def say(self, text: str = "") -> None:
        """Print a line that stays."""
        self._clear()
        print(text, file=self.stream, flush=True)

    def show(self, text: str) -> None:
        """Print a line that the next one replaces; nothing where lines cannot be replaced."""
        if self.is_live:
            self._clear()
            print(text, end="", file=self.stream, flush=True)
            self._transient = True

    @contextmanager
    def timed(self, name: str, done: str = "ready") -> Iterator[None]:
        """Show what is waited for, and how long it took once the block has ended."""
        began = time.monotonic()
        self.show(f"  {name:<{NAME_WIDTH}} ...")
        yield
        self.say(f"  {name:<{NAME_WIDTH}} {done:<8} {time.monotonic() - began:6.1f} s")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns, the first row being the heading."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.say("  " + "  ".join(cells).rstrip())

    def _clear(self) -> None:
        if self._transient:
            print(CLEAR_LINE, end="", file=self.stream)
            self._transient = False


def bounds_text(bounds: Bounds) -> str:
    """Return a value with its interval, `0.6500 [0.6300, 0.6700]`; a bound that is unknown is a `?`."""
    numbers = (bounds.value, bounds.low, bounds.high)
    value, low, high = ("?" if number is None else f"{number:.4f}" for number in numbers)
    return f"{value} [{low}, {high}]"
