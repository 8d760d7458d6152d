"""The sample notebooks run, one after the other, in a kernel such as an instance has."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from local_sagemaker.engine.notebooks.home import read_samples
from sagemaker_kit.service import Service

SAMPLES = Path(__file__).resolve().parents[2] / "include/notebooks"
NOTEBOOKS = sorted(SAMPLES.glob("*.ipynb"))


def execute(path: Path, environment: dict[str, str]) -> list[str]:
    """Run a notebook top to bottom where it lies; what its cells have shown as text."""
    book = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": path.parent}}
    client = NotebookClient(
        book, timeout=240, startup_timeout=240, kernel_name="python3", resources=resources
    )
    client.execute(env=environment)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    return [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_notebooks_go_through_a_month_one_after_the_other(service: Service, tmp_path: Path) -> None:
    """From fetching to an endpoint whose answers are those of evaluation, and each says how it went."""
    samples = read_samples(SAMPLES)
    place = tmp_path / "SageMaker"
    place.mkdir()
    samples.copy(place)
    aws = {"AWS_ENDPOINT_URL": service.url, "AWS_DEFAULT_REGION": "us-east-1"}
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    environment = {**samples.variables(), **aws, **keys, "HOME": str(tmp_path)}
    shown = {path.stem: execute(place / path.name, environment) for path in NOTEBOOKS}
    assert "rows_in=32398 rows_out=32398" in "".join(shown["1_explore"])
    assert "nowhere" in "".join(shown["2_clean"])
    assert "validation_roc_auc" in "".join(shown["3_train"])
    assert "promote" in "".join(shown["4_evaluate"])
    assert "largest difference of 20 scores" in "".join(shown["5_deploy"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_sample_is_kept_without_what_a_run_left_in_it(path: Path) -> None:
    """No outputs, no counts, and it is a valid notebook."""
    book = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert code
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)
