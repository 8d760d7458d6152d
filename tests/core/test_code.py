"""The code archive, and the digests of the code that steps take in."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from include.core.code import (
    archive,
    archive_digest,
    archive_files,
    code_digest,
    file_digests,
    imported_files,
    step_digest,
    step_files,
)
from include.core.exceptions import FlywheelError, PermanentError
from include.core.settings import PROJECT
from include.core.steps import JOBS, StepRow
from tests.examples import not_none

CLEAN = StepRow(name="clean", code=("core/cycle.py", "steps/clean.py", "steps/contract.py", "ml/rules.py"))
MODULE = '''"""A module."""

import json
from include.ml.rules import unify  # what it is for


def clean(rows: list, limit: int = 3) -> list:
    """Return clean rows."""
    return [unify(row) for row in rows if row["n"] < limit]
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with two steps, two cycles and some modules that they import or do not."""
    files = {
        "include/__init__.py": "",
        "include/core/cycle.py": "LIMIT = 3\n",
        "include/steps/__init__.py": "",
        "include/steps/clean.py": MODULE,
        "include/steps/contract.py": "import json\n",
        "include/steps/evaluate.py": "from include.ml import scores\n",
        "include/ml/__init__.py": "",
        "include/ml/rules.py": "def unify(row): return row\n",
        "include/ml/scores.py": "",
        "include/ml/combining.py": "from include.ml.deeper import more\n",
        "include/ml/deeper.py": "def more(): ...\n",
        "include/cycles/__init__.py": "",
        "include/cycles/one/cycle.py": "from include.core.cycle import LIMIT\n",
        "include/cycles/one/features.py": "import include.ml.combining\n",
        "include/cycles/one/words.txt": "a\n",
        "include/cycles/two/cycle.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def names(paths: Iterable[Path], root: Path) -> set[str]:
    """Return paths as the names below the project."""
    return {path.relative_to(root).as_posix() for path in paths}


def digest(root: Path, row: StepRow = CLEAN) -> str:
    """Return the digest of a step's code in the cycle `one`."""
    return code_digest(file_digests(step_files(row, "one", root), root))


def test_a_job_gets_the_shared_code_and_its_own_cycle_only(project: Path) -> None:
    """The other cycle's package stays at home, and so does what Python compiled."""
    (project / "include/steps/__pycache__").mkdir()
    (project / "include/steps/__pycache__/clean.pyc").write_bytes(b"x")
    found = names(archive_files("one", project), project)
    assert "include/cycles/one/words.txt" in found
    assert {"include/__init__.py", "include/core/cycle.py", "include/steps/clean.py"} <= found
    assert not [name for name in found if "two" in name or "pycache" in name]


@pytest.mark.parametrize("cycle", ["flights", "digits"])
@pytest.mark.parametrize("step", JOBS)
def test_a_job_gets_all_that_its_step_takes_in(cycle: str, step: str) -> None:
    """No file that counts for a step, and nothing that one imports, stays at home."""
    counted = step_files(JOBS[step], cycle)
    needed = counted | {path for each in counted for path in imported_files(each)}
    assert names(needed - set(archive_files(cycle)), PROJECT) == set()


def test_the_archive_does_not_depend_on_when_it_is_made(project: Path) -> None:
    """Touching a file changes no byte."""
    first = archive(archive_files("one", project), project)
    os.utime(project / "include/steps/clean.py", (1, 1))
    (project / "include/steps/clean.py").chmod(0o600)
    assert archive(archive_files("one", project), project) == first


def test_the_archive_unpacks_to_the_same_files(project: Path) -> None:
    """What the job sees is what was packed."""
    content = archive(archive_files("one", project), project)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        text = not_none(tar.extractfile("include/steps/clean.py")).read()
        assert set(tar.getnames()) == names(archive_files("one", project), project)
    assert text == (project / "include/steps/clean.py").read_bytes()


def test_an_archives_digest_goes_by_bytes(project: Path) -> None:
    """What travels is another archive even where only a comment differs."""
    before = archive_digest(archive_files("one", project), project)
    (project / "include/steps/contract.py").write_text("import json  # as text\n")
    assert archive_digest(archive_files("one", project), project) != before


def test_an_archives_digest_tells_apart_where_one_file_ends(tmp_path: Path) -> None:
    """Moving a byte from one file to another is a change."""
    (tmp_path / "a").write_text("xy")
    (tmp_path / "b").write_text("z")
    before = archive_digest(tmp_path.iterdir(), tmp_path)
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("yz")
    assert archive_digest(tmp_path.iterdir(), tmp_path) != before


def test_a_step_counts_its_list_the_cycle_and_what_the_cycle_uses(project: Path) -> None:
    """What the cycle's files import of include/ml counts with them; packages' marks do not."""
    assert names(step_files(CLEAN, "one", project), project) == {
        "include/core/cycle.py",
        "include/cycles/one/cycle.py",
        "include/cycles/one/features.py",
        "include/cycles/one/words.txt",
        "include/ml/combining.py",
        "include/ml/deeper.py",
        "include/ml/rules.py",
        "include/steps/clean.py",
        "include/steps/contract.py",
    }


def test_a_step_can_count_some_files_of_a_cycle_only(project: Path) -> None:
    """Then what the others import does not count either."""
    row = StepRow(name="fetch", code=("steps/contract.py",), cycle_code=("cycle.py",))
    assert names(step_files(row, "one", project), project) == {
        "include/cycles/one/cycle.py",
        "include/steps/contract.py",
    }


def test_a_digest_changes_with_what_the_cycle_uses(project: Path) -> None:
    """However deep it lies."""
    before = digest(project)
    (project / "include/ml/deeper.py").write_text("def more(): return 1\n")
    assert digest(project) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit: int = 3", "limit: int = 4"),
        ('"n"', '"m"'),
        ("<", "<="),
        ("ml.rules import", "ml.scores import"),
        ("import unify", "import unite as unify"),
        ("def clean", "def tidy"),
    ],
)
def test_a_digest_changes_with_values_operators_names_and_imports(project: Path, old: str, new: str) -> None:
    """All that Python executes counts."""
    before, path = digest(project), project / "include/steps/clean.py"
    path.write_text(MODULE.replace(old, new))
    assert digest(project) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # what it is for", ""),
        ('"""A module."""', '"""A module that cleans."""'),
        ('    """Return clean rows."""\n', ""),
        ("rows: list, limit", "rows: list,\n    limit"),
        ('"n"', "'n'"),
        ("import json\n", ""),
        ("\n\n\n", "\n"),
    ],
)
def test_a_digest_ignores_comments_docstrings_and_formatting(project: Path, old: str, new: str) -> None:
    """Nor does it matter where in a file an import stands."""
    text = MODULE.replace(old, new)
    if "import json" not in text:
        text = text.replace("    return [", "    import json\n    return [")
    before = digest(project)
    (project / "include/steps/clean.py").write_text(text)
    assert text != MODULE
    assert digest(project) == before


@pytest.mark.parametrize(
    "name", ["include/steps/evaluate.py", "include/ml/scores.py", "include/cycles/two/cycle.py"]
)
def test_a_digest_ignores_files_that_do_not_count(project: Path, name: str) -> None:
    """A change of the evaluation leaves the cleaned data valid."""
    before = digest(project)
    (project / name).write_text("OTHER = 1\n")
    assert digest(project) == before


def test_a_digest_takes_in_other_files_by_their_bytes(project: Path) -> None:
    """A list of words has no syntax."""
    before = digest(project)
    (project / "include/cycles/one/words.txt").write_text("a \n")
    assert digest(project) != before


def test_a_file_that_is_missing_or_no_python_is_named(project: Path) -> None:
    """The error says which one it is."""
    with pytest.raises(PermanentError, match=r"include/steps/polish\.py"):
        digest(project, StepRow(name="polish", code=("steps/polish.py",)))
    (project / "include/cycles/one/features.py").write_text("def\n")
    with pytest.raises(PermanentError, match=r"features\.py"):
        digest(project)


def test_a_step_that_the_table_does_not_have_is_refused() -> None:
    """Nor has a step in Airflow any code that counts."""
    for name in ("polish", "deploy"):
        with pytest.raises(FlywheelError, match=name):
            step_digest(name, "flights")


def test_digests_can_be_computed_in_several_threads() -> None:
    """As the triggerer does; the parser itself cannot."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: step_digest.__wrapped__("evaluate", "flights"), range(16)))
    assert len(found) == 1
