"""The table of steps is complete: each file that can change an output counts, or is listed with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from include.core.code import file_digests, imported_files, step_files
from include.core.cycle import find_cycles
from include.core.sagemaker.kinds import KINDS
from include.core.settings import PROJECT
from include.core.steps import JOBS
from tools.steps_page import DOES_NOT_COUNT

INCLUDE = PROJECT / "include"


def import_closure(files: Iterable[Path]) -> set[Path]:
    """Return files and all within include/ that they import, directly or not."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(imported_files(path))
    return found


def module_file(step: str) -> Path:
    """Return the file of the module that runs in the step's container."""
    return PROJECT / f"{JOBS[step].module.replace('.', '/')}.py"


@pytest.mark.parametrize("cycle", find_cycles())
@pytest.mark.parametrize("step", JOBS)
def test_all_that_a_step_imports_counts_for_it(step: str, cycle: str) -> None:
    """What is missing belongs in the row's `code`, or in `DOES_NOT_COUNT` of tools/steps_page.py."""
    excuses = {path for pattern in DOES_NOT_COUNT for path in INCLUDE.glob(pattern)}
    counted = step_files(JOBS[step], cycle)
    reached: set[Path] = set()
    waiting = [module_file(step), *counted]
    while waiting:
        path = waiting.pop()
        if path not in reached and path not in excuses:
            reached.add(path)
            waiting.extend(imported_files(path))
    assert sorted(path.relative_to(PROJECT).as_posix() for path in reached - counted) == []


@pytest.mark.parametrize("step", JOBS)
def test_a_step_counts_nothing_that_it_does_not_import(step: str) -> None:
    """A list that is too long makes outputs stale for nothing."""
    everything = import_closure([module_file(step), *INCLUDE.glob("cycles/*/*.py")])
    for cycle in find_cycles():
        modules = {path for path in step_files(JOBS[step], cycle) if path.suffix == ".py"}
        counted = {path for path in modules if "cycles" not in path.parts}
        assert sorted(path.relative_to(PROJECT).as_posix() for path in counted - everything) == []


def test_files_that_are_no_python_count_for_some_step() -> None:
    """No import leads to a template, so this asks the folders."""
    counted = {path for row in JOBS.values() for path in step_files(row, "digits")}
    excused = {path for pattern in DOES_NOT_COUNT for path in INCLUDE.glob(pattern)}
    others = {
        path
        for room in ("core", "ml", "steps")
        for path in (INCLUDE / room).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert sorted(path.relative_to(PROJECT).as_posix() for path in others - counted - excused) == []


def test_packages_that_count_for_nothing_hold_no_code(tmp_path: Path) -> None:
    """The marks of packages are docstrings alone."""
    (tmp_path / "empty.py").write_text('"""Marks a package."""')
    (empty,) = file_digests(tmp_path.iterdir(), tmp_path).values()
    marks = [path for room in ("core", "ml", "steps") for path in (INCLUDE / room).rglob("__init__.py")]
    digests = file_digests([INCLUDE / "__init__.py", INCLUDE / "cycles/__init__.py", *marks])
    assert {name for name, digest in digests.items() if digest != empty} == set()


@pytest.mark.parametrize("step", JOBS)
def test_every_job_has_a_module_a_kind_and_a_place(step: str) -> None:
    """A row is whole: its module has a `main`, SageMaker has such jobs, and a DAG or a command runs it."""
    row = JOBS[step]
    assert "\ndef main()" in module_file(step).read_text()
    assert row.kind in KINDS
    assert bool(row.dags) != bool(row.command)
    for cycle in find_cycles().values():
        assert row.compute_of(cycle).instance_count >= 1
