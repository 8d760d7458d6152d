"""The documents lead to what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("*.md", "docs/**/*.md", "benchmarks/*.md", "local-sagemaker/**/*.md")
PAGES = [page for pattern in FOLDERS for page in ROOT.glob(pattern)]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_has_its_file(page: Path) -> None:
    """A relative link in a page names a file or folder of the project."""
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_there_are_pages_with_links() -> None:
    """The search above finds pages, and links in them."""
    assert LINK.findall((ROOT / "README.md").read_text())
