"""The wheel holds everything that the service needs, and says what it needs of others."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sagemaker_kit.wheel import DISTRIBUTION, build_wheel

SOURCES = DISTRIBUTION / "src"
PACKAGE = SOURCES / "local_sagemaker"
PROJECT = tomllib.loads((DISTRIBUTION / "pyproject.toml").read_text())["project"]
#: the extra whose packages the modules of a folder or a file may import besides those that are always there
EXTRAS = {
    "engine/algorithms": "algorithms",
    "engine/workflows/gaussian.py": "tuning",
    "engine/notebooks": "notebooks",
    "testing.py": "testing",
}
#: distribution -> modules, where the names differ, and what comes with JupyterLab
MODULES = {
    "scikit-learn": {"sklearn"},
    "jupyterlab": {"jupyterlab", "jupyter_server", "tornado", "traitlets"},
}


def modules_of(requirements: list[str]) -> set[str]:
    """The top-level modules of requirements such as `botocore>=1.43`."""
    names = {re.split(r"[^A-Za-z0-9_-]", requirement)[0] for requirement in requirements}
    return {module for name in names for module in MODULES.get(name, {name})}


def imported(path: Path) -> Iterator[str]:
    """The top-level modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]


def allowed(path: Path) -> set[str]:
    """The modules of other distributions that a file may import."""
    place = path.relative_to(PACKAGE).as_posix()
    extras = [extra for prefix, extra in EXTRAS.items() if place.startswith(prefix)]
    optional = PROJECT["optional-dependencies"]
    return modules_of([*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel."""
    return zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel")))


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """Data as well: the schema, the image files. Nothing else but what describes the distribution."""
    files = {
        path.relative_to(SOURCES).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {
        "local_sagemaker/storage/schema.sql",
        "local_sagemaker/engine/algorithms/images/pca.toml",
    } <= files
    assert files == {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_the_wheel_has_the_command_and_the_version(wheel: zipfile.ZipFile) -> None:
    """What pip reads from it."""
    info = f"local_sagemaker-{PROJECT['version']}.dist-info"
    assert "local-sagemaker=local_sagemaker.__main__:main" in wheel.read(f"{info}/entry_points.txt").decode()
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"\nVersion: {PROJECT['version']}\n" in metadata
    assert {f"Provides-Extra: {extra}" for extra in PROJECT["optional-dependencies"]} <= set(
        metadata.split("\n")
    )


def test_only_declared_packages_are_imported() -> None:
    """A module imports the standard library, this package, and what its distribution or extra declares."""
    wrong = {
        f"{path.relative_to(SOURCES)}: {module}"
        for path in PACKAGE.rglob("*.py")
        for module in set(imported(path)) - allowed(path) - sys.stdlib_module_names - {"local_sagemaker"}
    }
    assert wrong == set()


def test_the_changelog_has_the_version() -> None:
    """The newest heading is the version of pyproject.toml."""
    newest = re.search(r"^## (\S+)", (DISTRIBUTION / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == PROJECT["version"]


def test_the_pages_lead_to_files_of_the_distribution() -> None:
    """No link of its pages leads out of the folder."""
    pages = [*DISTRIBUTION.glob("*.md"), *DISTRIBUTION.glob("docs/*.md")]
    targets = [
        (page.parent / target).resolve()
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target
    ]
    assert targets
    assert [
        target for target in targets if not target.is_relative_to(DISTRIBUTION) or not target.exists()
    ] == []
