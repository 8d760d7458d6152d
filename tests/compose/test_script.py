"""scripts/compose.py makes the secrets of an installation, once."""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


#: what shells, URLs, env files and option parsers take for their own, first, last and between letters
AWKWARD = [f"{sign}a{sign}b{sign}" for sign in " '\"%$#-@:/\\`!&?=+;|*é"]
#: stands in for the command `airflow`: reads its options as Airflow does, and notes the password
AIRFLOW = """#!{python}
import argparse, json, sys
if "users" in sys.argv:
    parser = argparse.ArgumentParser()
    for name in ("username", "password", "role", "firstname", "lastname", "email"):
        parser.add_argument("--" + name)
    with open({notes!r}, "a") as notes:
        notes.write(json.dumps(parser.parse_args(sys.argv[3:]).password) + "\\n")
"""
#: stands in for Docker: knows a version, has no buildx unless it is said, fails to bring up, and has logs
DOCKER = """#!/bin/sh
case "$*" in
  "version "*) echo {version};;
  "buildx version") exit {buildx};;
  "compose version"|*build*) exit 0;;
  *" up "*) echo "service airflow-init didn't complete: exit 2" >&2; exit 1;;
  "ps "*) printf 'one-init\\tExited (2) 3 seconds ago\\none-done\\tExited (0) 3 seconds ago\\n';;
  "logs "*one-init) echo "airflow users create: error: expected one argument" >&2;;
esac
"""


def put(folder: Path, name: str, text: str) -> dict[str, str]:
    """An environment in which a command is what the text says."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_any_password_reaches_the_user_it_is_for(tmp_path: Path) -> None:
    """The script that makes the user hands on each password as it stands, also one that begins with `-`."""
    notes = tmp_path / "notes"
    environment = put(tmp_path, "airflow", AIRFLOW.format(python=sys.executable, notes=str(notes)))
    for password in AWKWARD:
        subprocess.run(
            ["/bin/bash", str(PROJECT / "include/compose/init.sh")],
            env={**environment, "AIRFLOW_ADMIN_PASSWORD": password},
            check=True,
        )
    assert [json.loads(line) for line in notes.read_text().splitlines()] == [p for p in AWKWARD for _ in "12"]


@pytest.mark.parametrize("name", sorted(script().SECRETS))
def test_no_secret_that_is_made_is_taken_for_an_option_or_is_quoted(name: str) -> None:
    """What is made means itself in a URL, in an env file, and on a command line."""
    made = [script().SECRETS[name]() for _ in range(300)]
    allowed = r"[A-Za-z0-9_-]+=*" if name == "AIRFLOW_FERNET_KEY" else r"[a-z0-9]+"
    assert [value for value in made if not re.fullmatch(allowed, value)] == []


@pytest.mark.parametrize("name", sorted(script().IN_URLS))
@pytest.mark.parametrize("value", AWKWARD)
def test_a_secret_that_a_url_would_change_is_refused_by_its_name(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in the environment, which wins over the file, as well."""
    path = tmp_path / ".env"
    path.write_text(f"{name}=plain\n")
    script().check_secrets(path)
    if re.fullmatch(r"\w[\w.~-]*", value, re.ASCII):
        return
    monkeypatch.setenv(name, value)
    with pytest.raises(Exception, match=f"{name} stands in a URL"):
        script().check_secrets(path)


@pytest.mark.parametrize("value", ["a b", "a$b", "a#b", 'a"b', "a`b", "a\\b"])
def test_a_password_that_an_env_file_would_change_is_refused_unless_it_is_quoted(
    value: str, tmp_path: Path
) -> None:
    """The error says how to write it."""
    path = tmp_path / ".env"
    path.write_text(f"AIRFLOW_ADMIN_PASSWORD={value}\n")
    with pytest.raises(Exception, match=r"AIRFLOW_ADMIN_PASSWORD has a character .*put it in"):
        script().check_secrets(path)
    path.write_text(f"AIRFLOW_ADMIN_PASSWORD='{value}'\n")
    script().check_secrets(path)


@pytest.mark.parametrize(
    ("version", "buildx", "is_able"), [("29.1.0", 1, False), ("29.1.0", 0, True), ("20.10.24", 1, True)]
)
def test_a_docker_that_cannot_build_says_what_to_install(
    version: str, buildx: int, *, is_able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since version 23 the client builds by buildx alone."""
    environment = put(tmp_path, "docker", DOCKER.format(version=version, buildx=buildx))
    monkeypatch.setenv("PATH", environment["PATH"])
    if is_able:
        script().check_builder()
    else:
        with pytest.raises(Exception, match=r"Docker 29\.1\.0 .*apt-get install docker-buildx"):
            script().check_builder()


def test_what_a_failed_container_said_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose tells the exit code alone."""
    environment = put(tmp_path, "docker", DOCKER.format(version="29.1.0", buildx=0))
    monkeypatch.setenv("PATH", environment["PATH"])
    module = script()
    monkeypatch.setattr(module, "ENVIRONMENT", tmp_path / ".env")
    with pytest.raises(
        module.ComposeError, match=r"one-init, Exited \(2\).*\n.*expected one argument"
    ) as error:
        module.up(argparse.Namespace(workers=1))
    assert "one-done" not in str(error.value)
