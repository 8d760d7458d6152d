"""transform: a training set out of every partition so far, split by time, and nothing from the future."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.steps.conftest import FILES, forget
from tests.steps.container import Containers, History

DAY_2 = {"start": "2020-01-02T00:00:00+00:00", "end": "2020-01-03T00:00:00+00:00"}


def test_rows_are_split_by_time(with_history: History) -> None:
    """The last hours are the holdout, those before it the validation, everything earlier is learnt from."""
    job = with_history("transform", 2)
    manifest = job.run("transform", **DAY_2)
    times = {
        part: pd.read_parquet(job.output / part)["event_time"] for part in ("train", "validation", "holdout")
    }
    assert {part: len(time) for part, time in times.items()} == {"train": 36, "validation": 6, "holdout": 6}
    assert (
        times["train"].max() < times["validation"].min() <= times["validation"].max() < times["holdout"].min()
    )
    assert manifest["metrics"] == {"rows_train": 36, "rows_validation": 6, "rows_holdout": 6}


def test_a_label_that_became_known_later_is_not_learnt_from(with_history: History) -> None:
    """With an earlier cut-off the later rows count as rows without a label."""
    job = with_history("transform", 2)
    manifest = job.run("transform", **DAY_2, known_until="2020-01-02T21:00:00+00:00")
    assert manifest["counts"]["rows_without_label"] == 3
    assert pd.read_parquet(job.output / "holdout")["known_time"].max() <= pd.Timestamp("2020-01-02T21:00Z")


def test_the_baseline_describes_the_training_part(with_history: History) -> None:
    """statistics.json and constraints.json speak of train alone, signature and combined attributes."""
    job = with_history("transform", 2)
    job.run("transform", **DAY_2)
    statistics = json.loads((job.output / "baseline/statistics.json").read_text())
    train = pd.read_parquet(job.output / "train")
    features = {feature["name"]: feature for feature in statistics["features"]}
    assert statistics["dataset"]["item_count"] == len(train)
    assert list(features) == ["station", "country", "temp", "is_cold"]
    assert features["temp"]["numerical_statistics"]["mean"] == pytest.approx(train["temp"].mean())
    buckets = features["temp"]["numerical_statistics"]["distribution"]["kll"]["buckets"]
    assert sum(bucket["count"] for bucket in buckets) == len(train)


@pytest.mark.parametrize("value", ["7", "7.0", "Decimal(7)", "True", "None"])
def test_a_text_is_the_same_beside_a_missing_one_and_without(
    with_history: History, tmp_path: Path, value: str
) -> None:
    """A day with a missing code and one without give the same texts, whatever type joining.py returns."""
    job = with_history("transform", 2)
    whole = "(table['event_time'].dt.day == 1).all()"
    change_joining(tmp_path, f"table.assign(country=[{value} if {whole} else None, *[{value}] * 23])")
    job.run("transform", **DAY_2)
    texts = pd.concat(
        pd.read_parquet(job.output / part)["country"] for part in ("train", "validation", "holdout")
    )
    expected = {"7": {"7"}, "7.0": {"7"}, "Decimal(7)": {"7"}, "True": {"true"}, "None": set()}[value]
    assert set(texts.dropna()) == expected
    assert texts.isna().sum() == (48 if value == "None" else 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "pd.concat([table, table.head(2)])",
            "2 rows more than there are events, such as of the event 'A-20200101T0000'",
        ),
        ("table.assign(country=[1, *'a' * (len(table) - 1)])", "several types in the column country"),
        ("table.assign(country=[[1]] * len(table))", "column country: type list<item: int64> cannot be read"),
    ],
)
def test_rows_that_joining_spoils_are_refused(
    with_history: History, tmp_path: Path, change: str, words: str
) -> None:
    """By the column or the event."""
    job = with_history("transform", 1)
    change_joining(tmp_path, change)
    assert words in job.refuse("transform")


def change_joining(root: Path, change: str) -> None:
    """Let the cycle's build return something else than its table."""
    text = FILES["joining.py"].replace("return tables", "table = tables") + f"    return {change}\n"
    (root / "cycles/ice/joining.py").write_text("import pandas as pd\nfrom decimal import Decimal\n" + text)
    forget()


def test_a_partition_from_the_future_is_refused(with_history: History) -> None:
    """A step for the first day does not read the second day's data, even if it is given it."""
    assert "must not see them" in with_history("transform", 2).refuse("transform")


def test_an_interval_given_twice_is_refused(with_history: History) -> None:
    """Two keys of one interval would count its rows twice."""
    job = with_history("transform", 1)
    job.link(
        "clean/2020-01-01_2020-01-02/other",
        job.base / "processing/input/clean/2020-01-01_2020-01-02" / f"{1:064x}",
    )
    assert "was given twice" in job.refuse("transform")


def test_a_part_without_rows_is_a_file_without_rows(with_history: History) -> None:
    """Without known labels in the last hours there is nothing to judge by, and evaluate can say so."""
    job = with_history("transform", 1)
    manifest = job.run("transform", known_until="2020-01-01T12:00:00+00:00")
    assert manifest["metrics"] == {"rows_train": 12, "rows_validation": 0, "rows_holdout": 0}
    assert all(pd.read_parquet(job.output / part).empty for part in ("validation", "holdout"))


def test_nothing_to_learn_from_is_refused(with_history: History) -> None:
    """Without known labels there is no training part, and the message says what to do."""
    message = with_history("transform", 1).refuse("transform", known_until="2020-01-01T00:00:00+00:00")
    assert "The train part of ice" in message
    assert "shorten the split" in message


def test_a_folder_that_is_no_interval_is_refused(with_history: History) -> None:
    """A partition's folder has to tell its interval."""
    job = with_history("transform", 1)
    job.link("clean/january/key", job.base / "processing/input/clean/2020-01-01_2020-01-02" / f"{1:064x}")
    assert "'january' is no interval" in job.refuse("transform")


def test_transforming_twice_gives_the_same_bytes(with_history: History, container: Containers) -> None:
    """The digest of the output depends on the input alone."""
    job, again = with_history("transform", 2), container("again")
    again.link("clean", job.base / "processing/input/clean")
    assert job.run("transform", **DAY_2)["digest"] == again.run("transform", **DAY_2)["digest"]


def test_an_event_id_of_an_earlier_partition_is_counted_and_named(
    with_history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An id is unique in its own partition, and the next one has it again for 23 of 24 events."""
    job = with_history("transform", 2)
    ids = "[f'{row + table[\"event_time\"].dt.day.iloc[0]}' for row in range(24)]"
    change_joining(tmp_path, f"table.assign(event_id={ids})")
    manifest = job.run("transform", **DAY_2)
    assert manifest["metrics"]["event_ids_repeated"] == 23
    assert manifest["counts"]["rows_in"] == 48
    assert "23 events of 2020-01-02_2020-01-03" in capsys.readouterr().out
