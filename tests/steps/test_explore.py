"""The profile that lies beside every step's tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from include.core.layout import PROFILE
from include.steps import explore
from include.steps.tables import GROUP_ROWS, write_table
from tests.steps.conftest import readings, times
from tests.steps.container import Containers, History


def test_steps_leave_a_profile_that_is_no_part_of_their_output(cleaned: Callable[..., Path]) -> None:
    """No manifest names it, so nothing that is made of the output depends on how a page looks."""
    lines = readings()
    lines[3] = lines[3].replace(",US,", ",,")
    output = cleaned(1, lines)
    text = (output / PROFILE).read_text()
    assert "ice: clean of 2020-01-01 00:00 to 2020-01-02 00:00" in text
    assert "24 rows" in text
    assert "most in country (4 %)" in text
    named = {file["name"] for file in json.loads((output / "manifest.json").read_text())["files"]}
    assert PROFILE not in named
    assert "readings.parquet" in named


def test_the_parts_of_a_step_are_its_tables(with_history: History) -> None:
    """Files of one folder are one table, whose rows are all counted."""
    job = with_history("transform", 3)
    job.run("transform", **times(3))
    tables = explore.find_tables(job.output)
    assert sorted(tables) == ["holdout", "train", "validation"]
    train = explore.describe_table("train", tables["train"])
    assert train.rows == sum(len(pd.read_parquet(path)) for path in tables["train"])


def test_a_large_table_is_sampled_from_all_over_it(tmp_path: Path) -> None:
    """Bounded rows are read, and the counts are of all rows."""
    n = GROUP_ROWS * 10
    frame = pd.DataFrame({"x": range(n), "y": [None if i % 4 == 0 else 1.0 for i in range(n)]})
    write_table(tmp_path / "t.parquet", frame)
    table = explore.describe_table("t", [tmp_path / "t.parquet"])
    assert table.rows == n
    assert table.missing == {"x": 0, "y": n // 4}
    assert 0.5 * explore.SAMPLE_ROWS <= len(table.sample) <= explore.SAMPLE_ROWS + explore.GROUPS
    assert table.sample["x"].min() == 0
    assert table.sample["x"].max() > 0.8 * n


def test_tables_without_rows_have_their_columns(tmp_path: Path) -> None:
    """An empty quarantine is worth knowing."""
    write_table(tmp_path / "t.parquet", pd.DataFrame({"x": pd.Series([], dtype=float)}))
    table = explore.describe_table("t", [tmp_path / "t.parquet"])
    assert (table.rows, table.missing) == (0, {"x": 0})


def test_a_failing_profile_costs_no_data(
    cleaned: Callable[..., Path],
    container: Containers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The step ends well, and its log says what is missing."""
    folder = cleaned(1)
    monkeypatch.setattr(explore, "render_profile", lambda *_: 1 / 0)
    job = container("prepare")
    job.link(f"clean/2020-01-01_2020-01-02/{1:064x}", folder)
    manifest = job.run("prepare", **times(1))
    assert manifest["counts"]["rows_out"] == 24
    assert not (job.output / PROFILE).exists()
    assert "There is no profile of the outputs: ZeroDivisionError" in capsys.readouterr().out


def test_private_columns_are_read_from_the_cycle(
    ice: Callable[[str], None], tmp_path: Path, container: Containers
) -> None:
    """The cycle's rule decides what the page may show."""
    (tmp_path / "readings.csv").write_text("station,time,known,country,temp,froze\n" + "\n".join(readings()))
    ice((tmp_path / "readings.csv").as_uri())
    path = tmp_path / "cycles/ice/cycle.py"
    private = "from include.core.monitoring import Monitoring\n" + path.read_text().replace(
        "quarantine_limit_share", "monitoring=Monitoring(private=('country',)), quarantine_limit_share"
    )
    path.write_text(private)
    job = container("fetch")
    job.run("fetch", **times(1))
    text = (job.output / PROFILE).read_text()
    assert "Private: its values are not shown." in text
    assert "<code>US</code>" not in text
    assert "<code>A</code>" in text
