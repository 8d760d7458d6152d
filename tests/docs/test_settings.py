"""Every setting is documented, with its real default."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from include.core.settings import PREFIX, PROJECT, Settings

EXAMPLE = (PROJECT / ".env.example").read_text()
DOCUMENTED = dict(re.findall(r"^# (FLYWHEEL_\w+)=(.*)$", EXAMPLE, flags=re.MULTILINE))
#: settings whose example shows a value, because the default is empty
SHOWN = {"FLYWHEEL_DATABASE_URL"}


def test_every_setting_is_in_env_example() -> None:
    """No setting is missing in the example, and the example names none that is not there."""
    assert {PREFIX + field.name.upper() for field in fields(Settings)} == set(DOCUMENTED)


@pytest.mark.parametrize("name", sorted(set(DOCUMENTED) - SHOWN))
def test_the_example_shows_the_default(name: str) -> None:
    """Taking the example as it is changes nothing."""
    field = name.removeprefix(PREFIX).lower()
    given = Settings.from_environment({name: DOCUMENTED[name]})
    assert getattr(given, field) == getattr(Settings(home=Path(".flywheel").resolve()), field)


def test_what_is_read_from_the_environment_is_documented() -> None:
    """No file reads a FLYWHEEL_ variable that neither the example nor the image's description names."""
    image = (PROJECT / "include" / "image" / "image.toml").read_text()
    in_jobs = set(re.findall(r"^(FLYWHEEL_\w+) =", image, flags=re.MULTILINE))
    sources = [p for folder in ("include", "plugins", "dags") for p in (PROJECT / folder).rglob("*.py")]
    pattern = re.compile(r"[\"'](FLYWHEEL_[A-Z_]+)[\"']")
    found = {name for path in sources for name in pattern.findall(path.read_text())}
    assert found - set(DOCUMENTED) - in_jobs - {PREFIX} == set()


def test_every_target_of_the_makefile_has_its_line_of_help() -> None:
    """`make` alone lists everything a user may call."""
    text = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE)) - {"environment", "dev-environment"}
    assert targets == set(re.findall(r"^([a-z-]+):.*## ", text, flags=re.MULTILINE))
