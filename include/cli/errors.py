"""What can go wrong when services start, as one type whose text is shown to the user without a traceback."""

from __future__ import annotations


class StackError(Exception):
    """Something the user can act on: the text says what happened, why, and what to do."""
