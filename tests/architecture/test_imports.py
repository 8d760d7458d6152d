"""The import table of docs/explanation/architecture.md holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: folder -> modules its files must not import, at any depth of the module's name
FORBIDDEN = {
    "dags": ["pandas", "numpy", "sklearn", "boto3", "include.steps", "include.ml", "local_sagemaker"],
    "plugins/flywheel": ["pandas", "sklearn", "include.steps", "include.ml", "local_sagemaker"],
    "include/cycles": [
        "airflow",
        "boto3",
        "botocore",
        "flywheel",
        "local_sagemaker",
        "include.core.settings",
    ],
    "include/steps": [
        "airflow",
        "boto3",
        "botocore",
        "flywheel",
        "local_sagemaker",
        "include.core.settings",
    ],
    "include/ml": ["os", "pathlib", "time", "airflow", "boto3", "botocore", "flywheel", "include"],
    "local-sagemaker/src/local_sagemaker": [
        "airflow",
        "flywheel",
        "include",
    ],
    "include/core": [
        "airflow",
        "pandas",
        "sklearn",
        "flywheel",
        "include.steps",
        "include.ml",
        "include.cli",
    ],
    "include/cli": ["pandas", "sklearn", "airflow", "include.steps", "include.ml"],
    "include/compose": [
        "pandas",
        "sklearn",
        "airflow",
        "include.steps",
        "include.ml",
        "local_sagemaker",
    ],
}
#: the same, with what is allowed after all
ALLOWED = {"include/ml": ["include.ml", "include.core.documents", "include.core.tasks"]}
#: files that Airflow reads while it parses DAGs: standard library and the light parts of this project
LIGHT = [
    "include/core/settings.py",
    "include/core/cycle.py",
    *(str(p.relative_to(ROOT)) for p in ROOT.glob("include/cycles/*/cycle.py")),
]


def imported(path: Path) -> Iterator[str]:
    """The absolute names of all modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the module's full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, modules: list[str]) -> bool:
    """Whether `name` is one of `modules` or lies below one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_part_imports_only_what_the_table_allows(folder: str) -> None:
    """No file of a part imports what the part must not know."""
    files = sorted((ROOT / folder).rglob("*.py"))
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in imported(path)
        if within(name, FORBIDDEN[folder]) and not within(name, ALLOWED.get(folder, []))
    ]
    assert files
    assert wrong == []


@pytest.mark.parametrize("path", LIGHT)
def test_what_is_read_at_parse_time_is_light(path: str) -> None:
    """Files that Airflow imports while parsing need nothing but the standard library."""
    heavy = ["pandas", "numpy", "sklearn", "scipy", "boto3", "botocore", "airflow", "pyarrow"]
    assert [name for name in imported(ROOT / path) if within(name, heavy)] == []


@pytest.mark.parametrize("folder", ["dags", "plugins/flywheel"])
def test_airflow_is_used_through_its_public_interface(folder: str) -> None:
    """DAGs and operators never reach into Airflow's models or its database."""
    private = ["airflow.models", "airflow.settings", "airflow.utils.session", "airflow.jobs", "sqlalchemy"]
    files = sorted((ROOT / folder).rglob("*.py"))
    wrong = [f"{p.relative_to(ROOT)}: {name}" for p in files for name in imported(p) if within(name, private)]
    assert wrong == []
