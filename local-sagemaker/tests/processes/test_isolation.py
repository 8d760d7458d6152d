"""A process of a job does not see the service's database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local_sagemaker.engine.processes.isolation import Isolation, available, wrap

FORKED = """
import sys
from local_sagemaker.engine.processes import zygote
zygote.isolate(sys.argv[1] == "overlay", sys.argv[2])
sys.stdout.write(open(sys.argv[3]).read())
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A job's workspace below a root with a database of three files."""
    for ending in ("", "-wal", ".schema-1"):
        (tmp_path / f"sagemaker.sqlite{ending}").write_text("all that the service knows")
    place = tmp_path / "jobs/processing-job/one"
    for name in ("ml", "linked", "work"):
        (place / name).mkdir(parents=True)
    return place


@pytest.mark.parametrize("ending", ["", "-wal", ".schema-1"])
@pytest.mark.parametrize("is_forked", [False, True], ids=["started", "forked"])
def test_the_database_looks_empty_to_a_job(workspace: Path, ending: str, is_forked: bool) -> None:  # noqa: FBT001 (a parameter)
    """However its process came to be; the service's own view stays."""
    isolation = available(workspace)
    if isolation is Isolation.NONE:
        pytest.skip("this machine gives no mount namespaces")
    path = workspace.parents[2] / f"sagemaker.sqlite{ending}"
    started = wrap(isolation, workspace, ["/bin/cat", str(path)])
    forked = [sys.executable, "-c", FORKED, isolation.value, str(workspace), str(path)]
    done = subprocess.run(forked if is_forked else started, capture_output=True, text=True, check=True)
    assert (done.stdout, path.read_text()) == ("", "all that the service knows")
