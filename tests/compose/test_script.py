"""scripts/compose.py makes the secrets of an installation, once."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

from include.core.settings import PROJECT
from tests.compose.conftest import script


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    """A second start finds those of the first; nobody else may read them."""
    path = tmp_path / ".env"
    made = script().add_secrets(path)
    first = path.read_text()
    assert set(made) == set(script().SECRETS)
    assert script().add_secrets(path) == []
    assert (path.read_text(), path.stat().st_mode & 0o777) == (first, 0o600)


def test_what_the_user_has_set_stays(tmp_path: Path) -> None:
    """Only what is missing is added, after what is there."""
    path = tmp_path / ".env"
    path.write_text("FLYWHEEL_THREADS=1\nPOSTGRES_PASSWORD=mine\n# AIRFLOW_JWT_SECRET=not this\n")
    assert "POSTGRES_PASSWORD" not in script().add_secrets(path)
    found = script().variables(path)
    assert (found["FLYWHEEL_THREADS"], found["POSTGRES_PASSWORD"]) == ("1", "mine")
    assert len(found["AIRFLOW_JWT_SECRET"]) == 128


def test_two_installations_have_nothing_in_common(tmp_path: Path) -> None:
    """Secrets are random, and of the form that their readers want."""
    files = [tmp_path / "a", tmp_path / "b"]
    for path in files:
        script().add_secrets(path)
    one, other = (script().variables(path) for path in files)
    assert {name for name in one if one[name] == other[name]} == {"COMPOSE_PROFILES"}
    assert len(base64.urlsafe_b64decode(one["AIRFLOW_FERNET_KEY"])) == 32


def test_a_push_needs_an_address_in_ecr() -> None:
    """The error says what is missing and where to read on."""
    command = [sys.executable, str(PROJECT / "scripts/compose.py"), "push", "--repository", "flywheel"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "docs/how-to/run-on-aws.md" in done.stderr) == (1, True)
