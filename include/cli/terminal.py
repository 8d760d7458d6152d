"""What a user sees: lines with durations, rewritten in place on a terminal, appended elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

CLEAR_LINE = "\r\x1b[2K"
NAME_WIDTH = 18


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
        """Tell what is waited for, and once the block ended how long it took."""
        began = time.monotonic()
        self.show(f"  {name:<{NAME_WIDTH}} ...")
        yield
        self.say(f"  {name:<{NAME_WIDTH}} {done:<8} {time.monotonic() - began:6.1f} s")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns, the first row being the heading."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.say("  " + "  ".join(cells).rstrip())

    def _clear(self) -> None:
        if self._transient:
            print(CLEAR_LINE, end="", file=self.stream)
            self._transient = False
