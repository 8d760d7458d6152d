"""What `make replay` refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.cli.__main__ import main
from include.core.cycle import find_cycles


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A FLYWHEEL_HOME that nobody has used."""
    place = tmp_path / "home"
    monkeypatch.setenv("FLYWHEEL_HOME", str(place))
    return place


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--cycle", "nothing"], ["no cycle 'nothing'", ", ".join(find_cycles())]),
        (["--intervals", "1"], ["1 intervals cannot be replayed", "second one"]),
        (["--intervals", "13"], ["13 intervals cannot be replayed", "flights has 12"]),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], asked: list[str], words: list[str]
) -> None:
    """The error names what there is, and no service was started for it."""
    assert main(["replay", *asked]) == 1
    said = capsys.readouterr().err
    assert [word for word in words if word not in said] == []
    assert not home.exists()
