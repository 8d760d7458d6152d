"""The SageMaker Python SDKs v2 and v3, each in an environment of its own, do real work with the service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit.environments import HERE, environment
from sagemaker_kit.service import Service

pytestmark = [pytest.mark.long, pytest.mark.timeout(3000)]

#: of the SDK: nothing of a test is told to AWS
SETTINGS = """
SchemaVersion: '1.0'
SageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}
"""
#: rows with a target, of the 200 of lab.py
USABLE = 190
STEPS = {"Split", "Train", "Judge", "Decide"}


def told(version: str, url: str, folder: Path) -> dict[str, Any]:
    """What came out of each step of a version's program."""
    python = str(environment(version) / "python")
    settings = folder / "config.yaml"
    settings.write_text(SETTINGS, encoding="utf-8")
    # the program gets no endpoint but the one it is given, and no configuration of this machine's user
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
    }
    flow = [python, "-B", str(HERE / f"flow_{version}.py")]
    done = subprocess.run(
        flow, env=variables, cwd=folder, capture_output=True, text=True, check=False, timeout=2400
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    found = {line["step"]: line["found"] for line in lines}
    assert done.returncode == 0, (found, done.stdout[-1000:], done.stderr[-4000:])
    return found


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_the_sdk_goes_from_raw_rows_to_a_pipeline(sagemaker: Service, tmp_path: Path, version: str) -> None:
    """Processing, training, endpoint, batch, tuning, registry, experiment and pipeline, by their results."""
    found = told(version, sagemaker.url, tmp_path)
    processed = {step: counts for step, counts in found.items() if step.startswith("process ")}
    check_data(processed, version)
    assert found["train"] == ["Completed", {"validation:mse": pytest.approx(0, abs=1e-9)}]
    check_answers(found)
    check_tuning(*found["tune"])
    assert found["register"] == [
        [1, "PendingManualApproval", ["text/csv"]],
        [2, "Approved", ["text/csv"]],
    ]
    # a metric is told as its count, its last value and its least
    assert found["experiment"] == [
        "Completed",
        {"alpha": 0.5, "solver": "auto"},
        {"mse": [3, 0.125, 0.125]},
    ]
    runs, metrics = found["analytics"]
    assert runs == [{"alpha": 0.5, "mse - Last": 0.125, "mse - Count": 3}]
    assert metrics == [{"metric_name": "validation:mse", "value": pytest.approx(0, abs=1e-9)}]
    check_pipeline(found)


def check_data(processed: dict[str, list[int]], version: str) -> None:
    """Rows without a target are gone, and each processor split as its arguments said."""
    kinds = {"v2": ["ScriptProcessor", "SKLearnProcessor", "FrameworkProcessor"]}
    named = kinds.get(version, ["ScriptProcessor", "FrameworkProcessor"])
    assert list(processed) == [f"process {kind}" for kind in named]
    every = [20, 10, 5][-len(named) :]
    expected = [[USABLE - -(-USABLE // each), -(-USABLE // each)] for each in every]
    assert list(processed.values()) == expected


def check_answers(found: dict[str, Any]) -> None:
    """`3 first - 2 second + 1`, from the endpoint, in the capture, and beside the ids of the batch."""
    assert [float(line) for line in found["predict"].split()] == pytest.approx([2, -19])
    (event,) = found["capture"]
    sent = [[float(cell) for cell in row.split(",")] for row in event["endpointInput"]["data"].split()]
    assert sent == [[1, 1], [0, 10]]
    assert [float(line) for line in event["endpointOutput"]["data"].split()] == pytest.approx([2, -19])
    rows = [line.split(",") for line in found["transform"].splitlines()]
    assert [name for name, _ in rows] == ["a", "b", "c"]
    assert [float(answer) for _, answer in rows] == pytest.approx([2, -19, -6])


def check_tuning(best: str, reached: dict[str, float]) -> None:
    """Three trainings reached errors of their own, and the least is the best."""
    assert len(set(reached.values())) == 3
    assert best == min(reached, key=lambda name: reached[name])


def check_pipeline(found: dict[str, Any]) -> None:
    """It registers what serves, fails with its words when the limit is lower, and stops when asked."""
    done = found["pipeline"]
    assert {status for status, _ in done.values()} == {"Succeeded"}
    assert set(done) > STEPS
    assert [float(line) for line in found["registered"].split()] == pytest.approx([2, -19])
    status, steps = found["refused"]
    assert (status, steps["Refuse"]) == ("Failed", ["Failed", "The error is above -1.0"])
    assert found["stopped"] == "Stopped"
