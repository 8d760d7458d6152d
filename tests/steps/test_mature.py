"""mature: windows that were watched before are judged again by labels that came late."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.steps.tables import write_table
from tests.steps.container import Container, Containers
from tests.steps.test_collect import truth

DAY_4 = {"start": "2020-01-04T00:00:00+00:00", "end": "2020-01-05T00:00:00+00:00"}
ENDS = [f"2020-01-0{day}T00:00:00+00:00" for day in (3, 4, 5)]
WINDOW = ["2020-01-02T00:00:00+00:00", ENDS[0]]
REFERENCE = {"value": 0.9, "low": 0.88, "high": 0.92}
EVENTS = 400
PLACE = "2020-01-02_2020-01-03/k"


@pytest.fixture
def job(ice: Callable[[str], None], container: Containers, tmp_path: Path) -> Container:
    """A container for mature, with one earlier window of whose events half were labelled in time."""
    ice("file:///nowhere.csv")
    made = container("mature")
    collected = tmp_path / "collected"
    start = datetime.fromisoformat(WINDOW[0])
    times = [start + timedelta(minutes=3 * number) for number in range(EVENTS)]
    ids = [f"e{number}" for number in range(EVENTS)]
    score = np.linspace(0.01, 0.99, EVENTS)
    predictions = pd.DataFrame({"event_id": ids, "event_time": times, "source": "batch", "score": score})
    predictions = predictions.assign(label=np.where(score > 0.5, "1", "0"), model="m")
    write_table(collected / "predictions.parquet", predictions)
    known = predictions.iloc[::2]
    labels = known[["event_id", "label"]].assign(known_time=known["event_time"], version=0)
    write_table(collected / "labels.parquet", labels.reset_index(drop=True))
    made.link(f"earlier/{PLACE}", collected)
    plan = tmp_path / "plan"
    plan.mkdir()
    earlier = {"window": WINDOW, "monitor_key": "mk", "collected": PLACE, "reference": REFERENCE}
    (plan / "plan.json").write_text(json.dumps({"windows": [earlier], "ends": ENDS}))
    made.link("plan", plan)
    return made


def deliver(job: Container, hour: str, lines: list[str]) -> None:
    """Put a ground-truth file."""
    path = job.base / "processing/input/truth" / hour / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")


def matured(job: Container) -> list[dict[str, Any]]:
    """Run the job; its entries."""
    job.run("mature", **DAY_4)
    return list(json.loads((job.output / "matured.json").read_text())["quality"])


def test_late_labels_are_judged_at_the_end_of_the_window_they_came_in(job: Container) -> None:
    """Nothing changes at the window's own end; two days later all are labelled, most of them wrong."""
    lines = [truth(f"e{number}", "0" if number > EVENTS // 2 else "1") for number in range(1, EVENTS, 2)]
    deliver(job, "2020/01/04/11", lines)
    (entry,) = matured(job)
    assert (entry["window"], entry["monitor_key"], entry["cutoff"]) == (WINDOW, "mk", ENDS[2])
    assert (entry["judged"], entry["coverage"], entry["reference"]) == (EVENTS, 1.0, REFERENCE)
    assert entry["value"] < 0.7
    assert entry["is_worse"] is True


def test_a_correction_counts_from_when_it_became_known(job: Container) -> None:
    """One label is corrected on the third and corrected back on the fourth."""
    deliver(job, "2020/01/03/08", [truth("e0", "1")])
    deliver(job, "2020/01/04/08", [truth("e0", "0")])
    entries = matured(job)
    # at the last end the labels are what the window's own monitor knew
    assert [entry["cutoff"] for entry in entries] == [ENDS[1]]
    assert entries[0]["judged"] == EVENTS // 2
    assert entries[0]["value"] < 1.0


def test_labels_of_other_events_change_nothing(job: Container) -> None:
    """An event that the window did not predict, and a label that was known already."""
    deliver(job, "2020/01/04/08", [truth("nobody", "1"), truth("e0", "0"), "{"])
    assert matured(job) == []
    assert json.loads((job.output / "matured.json").read_text())["malformed"]["count"] == 1


def test_a_damaged_plan_is_refused(job: Container, tmp_path: Path) -> None:
    """It is the operator that writes it."""
    (tmp_path / "plan/plan.json").write_text("{")
    assert "plan.json cannot be read" in job.refuse("mature", **DAY_4)
