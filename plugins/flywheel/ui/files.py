"""Reports, model cards and records, opened inside the page: only these, by the names that steps give them.

They are pages for people, made from data, and so are shown as what they are: without scripts, and in a frame
of their own that may neither load anything nor lead out.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

PAGES = {".html": "text/html; charset=utf-8", ".json": "application/json"}
#: a document from a step: its styles are inside it, and so are its pictures; it needs nothing else
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'; sandbox allow-same-origin"
)
#: what is shown of each step; of every step with tables also its profile
SHOWN = {
    "evaluate": {"report.html", "model_card.html", "model_card.json", "evaluation.json", "verdict.json"},
    "monitor": {
        "evidence.json",
        "distributions.json",
        "statistics.json",
        "constraints.json",
        "constraint_violations.json",
        "model_quality.json",
    },
    "collect": {"coverage.json"},
    "clean": {"quality.json"},
    "report": {"report.html"},
    "compare": {"replay.html", "replay.json"},
}
PROFILED = {"fetch", "clean", "transform", "evaluate", "prepare", "collect", "monitor"}

_MOMENT = r"\d{4}-\d\d-\d\d(?:T\d\d-\d\d)?"
_OUTPUT = re.compile(rf"([a-z_]+)/{_MOMENT}_{_MOMENT}/[0-9a-f]{{64}}/([a-z_]+\.(?:html|json))")
_RECORD = re.compile(rf"watch/{_MOMENT}_{_MOMENT}/(?:decisions/)?[0-9a-f]{{64}}(?:-\d+)?\.json")


def is_shown(path: str) -> bool:
    """Whether the page shows the object of this name below its cycle."""
    if _RECORD.fullmatch(path):
        return True
    match = _OUTPUT.fullmatch(path)
    if match is None:
        return False
    step, name = match.groups()
    return name in SHOWN.get(step, ()) or (name == "profile.html" and step in PROFILED)


def media_type(path: str) -> str:
    """What a browser is told that the object is."""
    return PAGES[PurePosixPath(path).suffix]
