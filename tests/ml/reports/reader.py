"""Reads pages as a browser would: words, elements, and whether they nest."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br"}
#: HTML lets their end be left out
OPEN = {"td", "th", "tr", "li"}


class Reader(HTMLParser):
    """Reads a page: its words, its elements with their attributes, and whether they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._inside: list[str] = []
        self.feed(text)
        self.close()
        assert self._inside == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID | OPEN:
            self._inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element that holds nothing."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Every end is that of the element opened last."""
        if tag not in OPEN:
            assert self._inside.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what a person reads; style is none of it."""
        if self._inside[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page."""
        return re.sub(r"\s+", " ", "".join(self.words))

    def tags(self) -> set[str]:
        """The kinds of elements."""
        return {tag for tag, _ in self.elements}
