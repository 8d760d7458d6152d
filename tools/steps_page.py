"""Writes docs/reference/steps.md, the page of all steps, from the table in include/core/steps.py."""

from __future__ import annotations

from include.core.settings import PROJECT
from include.core.steps import INSTANCES, STEPS, StepRow

PAGE = PROJECT / "docs/reference/steps.md"
HEAD = """# Steps

Made from `include/core/steps.py` by `python -m tools.steps_page`; a test holds it true.

A job reads each input below `/opt/ml/processing/input/<name>/`, or from the channel of that name in a
training job. `*` stands for a part of a name.
"""
#: files that steps import and that count for none, as patterns relative to include/, each with the reason
DOES_NOT_COUNT = {
    "__init__.py": "marks a package and holds no code",
    "core/__init__.py": "marks a package and holds no code",
    "cycles/__init__.py": "marks a package and holds no code",
    "ml/**/__init__.py": "marks a package and holds no code",
    "steps/**/__init__.py": "marks a package and holds no code",
    "core/exceptions.py": "a step that raises leaves no output",
    "core/layout.py": "names of places and files, which what is in a file does not depend on",
    "core/documents/*.py": "the form of a document; what a row lists counts all the same",
    "steps/explore.py": "makes the profile beside an output, which no manifest names and no step reads",
    "ml/reports/profile.py": "see steps/explore.py",
    "ml/reports/templates/profile.*": "see steps/explore.py",
}


def render_page() -> str:
    """Return the page."""
    sections = [HEAD, *(_section(row) for row in STEPS.values()), _excuses()]
    return "\n".join(sections)


def _section(row: StepRow) -> str:
    where = f"`{row.command}`" if row.command else ", ".join(f"`<cycle>_{dag}`" for dag in row.dags)
    task = f", as the task `{row.task}`" if row.task else ""
    kind = f"{row.kind} on the cycle's `{INSTANCES[row.kind]}` instances" if row.kind else "in Airflow"
    lines = [f"## {row.name}", f"Runs in {where}{task}: {kind}."]
    if row.kind:
        lines.append(f"Module: `{row.module}`.")
    lines += ["", "| reads | what |", "|---|---|"]
    lines += [f"| `{name}` | {what} |" for name, what in row.inputs.items()]
    written = [f"`{name}`" if row.kind else name for name in row.outputs]
    return "\n".join([*lines, "", "Writes:", *(f"- {name}" for name in written), ""])


def _excuses() -> str:
    lines = [f"| `include/{name}` | {reason} |" for name, reason in DOES_NOT_COUNT.items()]
    return "\n".join(["## Files that count for no key", "", "| file | why |", "|---|---|", *lines, ""])


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
