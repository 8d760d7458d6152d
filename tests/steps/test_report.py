"""The report's job, run as a container runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ml.reports import windows as example
from tests.steps.container import Container, Containers


@pytest.fixture
def job(ice: Callable[[str], None], container: Containers, tmp_path: Path) -> Container:
    """A container whose inputs are what monitor and decide have left of a window."""
    ice("file:///nowhere.csv")
    made = container("report")
    given = example.report_input([example.evidence(1), example.evidence(2)])
    contents: dict[str, dict[str, Any]] = {
        "monitored/evidence.json": example.evidence(2).as_json(),
        "monitored/distributions.json": example.distributions([example.spread("temp")]).as_json(),
        "monitored/constraint_violations.json": {"violations": []},
        "report_input/report_input.json": given.as_json(),
    }
    for name, content in contents.items():
        write(tmp_path / name, content)
    for name in ("monitored", "report_input"):
        made.link(name, tmp_path / name)
    return made


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def test_the_page_is_the_only_output(job: Container) -> None:
    """One HTML file, which tells of the window."""
    manifest = job.run("report")
    assert [file["name"] for file in manifest["files"]] == ["report.html"]
    text = (job.output / "report.html").read_text()
    assert "1 of 2 features has moved (temp)" in text
    assert "retraining was asked for" in text


def test_the_same_window_gives_the_same_page(job: Container, container: Containers, tmp_path: Path) -> None:
    """Nothing on it depends on when it was made."""
    again = container("again")
    for name in ("monitored", "report_input"):
        again.link(name, tmp_path / name)
    assert job.run("report")["digest"] == again.run("report")["digest"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("distributions.json", {"features": []}, "Distributions lacks predictions"),
        (
            "distributions.json",
            {
                "features": [{"name": "temp", "kind": "number", "baseline": [], "current": []}],
                "predictions": None,
            },
            "FeatureDistribution of kind number lacks edges",
        ),
        ("constraint_violations.json", {}, "ConstraintViolations lacks violations"),
        (
            "constraint_violations.json",
            {"violations": [{"feature_name": "temp", "constraint_check_type": "range_check"}]},
            "violations[0] lacks description",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_name(
    job: Container, tmp_path: Path, name: str, content: dict[str, Any], fault: str
) -> None:
    """So is the file that has it."""
    write(tmp_path / "monitored" / name, content)
    message = job.refuse("report")
    assert message.startswith(f"{name} cannot be read")
    assert fault in message


@pytest.mark.parametrize(
    "name", ["monitored/evidence.json", "monitored/distributions.json", "report_input/report_input.json"]
)
def test_a_missing_input_is_refused_by_name(job: Container, tmp_path: Path, name: str) -> None:
    """What to run again is told."""
    (tmp_path / name).write_text("{")
    message = job.refuse("report")
    assert message.startswith(f"{Path(name).name} cannot be read")
    assert "Run monitor and decide" in message
