"""Settings are read from the environment, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.core.settings import Settings


def test_a_variable_sets_its_field(tmp_path: Path) -> None:
    """Values are parsed to the field's type."""
    given = Settings.from_environment({"FLYWHEEL_HOME": str(tmp_path), "FLYWHEEL_AIRFLOW_PORT": "8090"})
    assert (given.home, given.airflow_port) == (tmp_path, 8090)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLYWHEEL_AIRFLOW_PORT", "eighty"),
        ("FLYWHEEL_AIRFLOW_PORT", "0"),
        ("FLYWHEEL_SAGEMAKER_PORT", "65536"),
        ("FLYWHEEL_SAGEMAKER_PORT", "8080"),
        ("FLYWHEEL_THREADS", "0"),
        ("FLYWHEEL_POLL_INTERVAL_S", "nan"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_the_variables_name(name: str, value: str) -> None:
    """The message names the variable, whatever is wrong with its value."""
    with pytest.raises(ValueError, match=name):
        Settings.from_environment({name: value})
