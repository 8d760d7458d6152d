"""Pages keep the forms that they promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("local-sagemaker/*.md"),
    *ROOT.glob("local-sagemaker/docs/*.md"),
]
WIDEST = 120
WORDS = 30


def prose(page: Path) -> list[str]:
    """Return the lines of a page outside of code, tables and pictures."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line for line in text.splitlines() if not line.lstrip().startswith(("|", "!["))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_of_prose_is_too_wide(page: Path) -> None:
    """Lines of prose end at 120 characters."""
    assert [line for line in prose(page) if len(line) > WIDEST] == []


def test_every_invariant_names_tests_that_exist() -> None:
    """A promise is worth the test that enforces it."""
    page = (ROOT / "docs/INVARIANTS.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    folders = (ROOT / "tests", ROOT / "local-sagemaker/tests")
    texts = (path.read_text() for folder in folders for path in folder.rglob("*.py"))
    defined = {name for text in texts for name in re.findall(r"def (test_\w+)", text)}
    promises = re.findall(r"^- \*\*.+?(?=^- |^#|\Z)", page, flags=re.MULTILINE | re.DOTALL)
    assert [promise for promise in promises if "Enforced by:" not in promise] == []
    assert named - defined == set()
    assert named


def test_the_glossary_stays_short() -> None:
    """The project has no more than thirty words of its own."""
    rows = [line for line in (ROOT / "docs/glossary.md").read_text().splitlines() if line.startswith("| ")]
    assert 0 < len(rows) - 1 <= WORDS
