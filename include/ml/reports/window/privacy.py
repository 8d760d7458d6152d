"""Takes out of a window's report what columns marked private would show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from include.ml.reports.window.phrases import Content

HIDDEN = "The column is private: what it holds is not shown."


def without_private(evidence: Content, private: Collection[str]) -> dict[str, Any]:
    """Evidence without values of private columns; that such a column moved, and how far, is no value.

    Parameters
    ----------
    evidence
        The content of evidence.json.
    private
        Names of columns.
    """
    broken = [_described(each, "feature", "description", private) for each in evidence["broken"]]
    return {
        **evidence,
        "broken": broken,
        "bias": [each for each in evidence["bias"] if each["facet"]["column"] not in private],
        "slices": [each for each in evidence["slices"] if each["column"] not in private],
    }


def violations_without(found: Sequence[Content], private: Collection[str]) -> list[dict[str, Any]]:
    """Violations whose descriptions quote nothing of private columns."""
    return [_described(each, "feature_name", "description", private) for each in found]


def _described(found: Content, name: str, text: str, private: Collection[str]) -> dict[str, Any]:
    return {**found, text: HIDDEN} if found[name] in private else dict(found)


def decision_without(decision: Content | None, private: Collection[str]) -> Content | None:
    """A decision whose texts quote nothing of private columns: a fault is told as `column: description`."""
    if decision is None or not private:
        return decision

    def told(text: str) -> str:
        return HIDDEN if any(f"{name}: " in text for name in private) else text

    return {
        **decision,
        "reasons": [told(text) for text in decision["reasons"]],
        "against": [told(text) for text in decision["against"]],
        "evidence": {n: {**each, "why": told(each["why"])} for n, each in decision["evidence"].items()},
    }
