"""The code archive and the digests of steps."""

from __future__ import annotations

import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from include.core.code import archive, archive_files, closure, digest_of, step_digest, step_files
from include.core.exceptions import PermanentError
from include.core.settings import PROJECT


def names(paths: object, root: Path) -> set[str]:
    """Paths as the names below the project."""
    return {path.relative_to(root).as_posix() for path in paths}


def test_a_job_gets_the_shared_code_and_its_own_cycle_only(project: Path):
    """The other cycle's package stays at home, and so does what Python compiled."""
    (project / "include/steps/__pycache__").mkdir()
    (project / "include/steps/__pycache__/clean.pyc").write_bytes(b"x")
    found = names(archive_files("one", project), project)
    assert "include/cycles/one/words.txt" in found
    assert {"include/__init__.py", "include/core/cycle.py", "include/steps/clean.py"} <= found
    assert not [name for name in found if "two" in name or "pycache" in name]


@pytest.mark.parametrize("cycle", ["flights", "digits"])
def test_a_job_gets_all_that_its_step_imports(cycle: str):
    """No module of include/ that a step imports stays at home."""
    given = set(archive_files(cycle))
    steps = [path.stem for path in (PROJECT / "include/steps").glob("*.py")]
    assert {step: lacking for step in steps if (lacking := step_files(step, cycle) - given)} == {}


def test_the_archive_does_not_depend_on_when_it_is_made(project: Path):
    """Touching a file changes no byte."""
    first = archive(archive_files("one", project), project)
    os.utime(project / "include/steps/clean.py", (1, 1))
    (project / "include/steps/clean.py").chmod(0o600)
    assert archive(archive_files("one", project), project) == first


def test_the_archive_unpacks_to_the_same_files(project: Path):
    """What the job sees is what was packed."""
    content = archive(archive_files("one", project), project)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        text = tar.extractfile("include/steps/clean.py").read()
        assert set(tar.getnames()) == names(archive_files("one", project), project)
    assert text == (project / "include/steps/clean.py").read_bytes()


def test_the_closure_follows_imports_within_include(project: Path):
    """Modules that are imported by name, by member or as a package's content are found; others are not."""
    found = names(closure([project / "include/steps/clean.py"], project), project)
    assert found == {
        "include/__init__.py",
        "include/steps/__init__.py",
        "include/steps/clean.py",
        "include/steps/contract.py",
        "include/ml/__init__.py",
        "include/ml/rules.py",
    }


@pytest.mark.parametrize(
    "name",
    [
        "include/steps/clean.py",
        "include/steps/contract.py",
        "include/ml/rules.py",
        "include/cycles/one/words.txt",
        "include/ml/combining.py",
    ],
)
def test_a_steps_digest_changes_with_all_it_can_depend_on(project: Path, name: str):
    """The step, what it imports, the cycle's package, and what that imports."""
    before = digest_of_step(project)
    (project / name).write_text("# other\n")
    assert digest_of_step(project) != before


@pytest.mark.parametrize(
    "name", ["include/steps/evaluate.py", "include/ml/scores.py", "include/cycles/two/cycle.py"]
)
def test_a_steps_digest_ignores_what_it_does_not_import(project: Path, name: str):
    """A change of the evaluation leaves the cleaned data valid."""
    before = digest_of_step(project)
    (project / name).write_text("# other\n")
    assert digest_of_step(project) == before


def test_a_digest_tells_apart_where_one_file_ends_and_the_next_begins(tmp_path: Path):
    """Moving a byte from one file to another is a change."""
    (tmp_path / "a").write_text("xy")
    (tmp_path / "b").write_text("z")
    before = digest_of(tmp_path.iterdir(), tmp_path)
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("yz")
    assert digest_of(tmp_path.iterdir(), tmp_path) != before


def test_a_step_without_code_is_refused_by_name(project: Path):
    """The error names the file that should be there."""
    with pytest.raises(PermanentError, match=r"include/steps/polish\.py is missing"):
        step_digest("polish", "one", project)


def digest_of_step(project: Path) -> str:
    """The digest as a new process would see it."""
    step_digest.cache_clear()
    return step_digest("clean", "one", project)


def test_digests_can_be_computed_in_several_threads():
    """As the triggerer does; the parser itself cannot."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: step_digest.__wrapped__("evaluate", "flights"), range(16)))
    assert len(found) == 1
