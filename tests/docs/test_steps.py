"""The page of steps is what the table says, and the table has every task of the cycles' DAGs."""

from __future__ import annotations

from tools.steps_page import PAGE, render_page


def test_the_page_of_steps_is_made_from_the_table() -> None:
    """Write it anew by `python -m tools.steps_page`."""
    assert PAGE.read_text(encoding="utf-8") == render_page()
