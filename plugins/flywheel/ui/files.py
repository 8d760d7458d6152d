"""Reports, model cards and records, opened inside the page: only these, by the names that steps give them.

They are pages for people, made from data, and so are shown as what they are: without scripts, and in a frame
of their own that may neither load anything nor lead out.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from include.core.layout import (
    CONSTRAINTS,
    COVERAGE,
    DISTRIBUTIONS,
    EVALUATION,
    EVIDENCE,
    MODEL_CARD,
    MODEL_CARD_PAGE,
    MODEL_QUALITY,
    PROFILE,
    QUALITY,
    REPLAY,
    REPLAY_PAGE,
    REPORT,
    STATISTICS,
    VERDICT,
    VIOLATIONS,
)
from include.core.places import output_path, parse_path

TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json"}
#: a document from a step: its styles are inside it, and so are its pictures; it needs nothing else
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'; sandbox allow-same-origin"
)
_PROFILE = (PROFILE, "Profile")
#: what people look at of a step's output first: pairs of a file's name and its title
PAGES = {
    "fetch": (_PROFILE,),
    "clean": (_PROFILE, (QUALITY, "Data quality")),
    "transform": (_PROFILE,),
    "prepare": (_PROFILE,),
    "collect": (_PROFILE, (COVERAGE, "Coverage")),
    "evaluate": ((REPORT, "Evaluation"), (MODEL_CARD_PAGE, "Model card"), _PROFILE),
    "report": ((REPORT, "Report"),),
    "monitor": ((EVIDENCE, "Evidence"), (VIOLATIONS, "Violations")),
    "compare": ((REPLAY_PAGE, "Replay"),),
}
#: what else is shown of a step's output
_MORE = {
    "evaluate": {MODEL_CARD, EVALUATION, VERDICT},
    "monitor": {DISTRIBUTIONS, STATISTICS, CONSTRAINTS, MODEL_QUALITY, PROFILE},
    "compare": {REPLAY},
}


def is_shown(path: str) -> bool:
    """Whether the page shows the object of this name below its cycle."""
    parsed = parse_path(path)
    if parsed is None or parsed.kind != "output":
        return parsed is not None and parsed.kind in {"watch_record", "watch_decision"}
    step, name = parsed.parts["step"], parsed.parts["file"]
    return name in {file for file, _ in PAGES.get(step, ())} | _MORE.get(step, set())


def pages(uri: str) -> dict[str, Any]:
    """Return where the page finds an output, and what people look at of it."""
    output = output_path(uri)
    step = output.partition("/")[0] if output else ""
    return {"place": output, "pages": [list(shown) for shown in PAGES.get(step, ())]}


def media_type(path: str) -> str:
    """Return the type of the object that a browser gets."""
    return TYPES[PurePosixPath(path).suffix]
