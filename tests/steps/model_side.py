"""A small training set of the flights cycle, and jobs run through the image's own entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

from include.core.code import archive, archive_files
from include.cycles.flights.features import COMBINED, SIGNATURE, combine
from tests.steps.container import list_inputs

ROOT = Path(__file__).resolve().parents[2]
ENTRY_POINT = ROOT / "include/image/entrypoint.py"
START, END, KEY = "2013-01-01T00:00:00+00:00", "2013-02-01T00:00:00+00:00", "ab" * 32


def flights(rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows as transform writes them, late more often in the cold and with one carrier; a tenth is missing."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            name: generator.uniform(1, 90, rows)
            if kind == "number"
            else generator.choice(["EV", "UA", "B6"], rows).astype(object)
            for name, kind in SIGNATURE.items()
        }
    )
    chance = 1 / (1 + np.exp((frame["temp_f"] - 40) / 10)) * np.where(frame["carrier"] == "EV", 0.9, 0.6)
    for name in ("temp_f", "plane_year", "manufacturer"):
        frame.loc[generator.random(rows) < 0.1, name] = None
    times = pd.date_range(START, END, periods=rows).as_unit("us")
    late = (generator.random(rows) < chance).astype(float)
    return frame.assign(
        event_id=[f"e{i}" for i in range(rows)], event_time=times, known_time=times, is_late=late
    )


def write_part(folder: Path, frame: pd.DataFrame) -> None:
    """One Parquet file of a training set."""
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "2013-01-01_2013-02-01.parquet", index=False)


def write_code(folder: Path, cycle: str = "flights") -> None:
    """The code archive as a job gets it."""
    folder.mkdir(parents=True)
    (folder / "code.tar.gz").write_bytes(archive(archive_files(cycle)))


def start(base: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start the entry point as the image would, with `base` as its /opt/ml."""
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-I", "-u", str(ENTRY_POINT), *arguments],
        env={
            **known,
            "SAGEMAKER_BASE_DIR": str(base),
            "FLYWHEEL_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=base,
    )


def run(base: Path, *arguments: str) -> tuple[int, str]:
    """Run the entry point to its end; exit code and log."""
    list_inputs(base / ("input/data" if "train" in arguments else "processing/input"))
    with start(base, *arguments) as process:
        log, _ = process.communicate(timeout=120)
    return process.returncode, log


def train(base: Path, train_rows: pd.DataFrame, validation_rows: pd.DataFrame) -> tuple[int, str]:
    """Run a training job; its model is at `base`/model."""
    write_part(base / "input/data/train", train_rows)
    write_part(base / "input/data/validation", validation_rows)
    write_code(base / "input/data/code")
    told = {"cycle": "flights", "start": START, "end": END, "key": KEY, "min_samples_leaf": "20"}
    (base / "input/config").mkdir()
    (base / "input/config/hyperparameters.json").write_text(json.dumps(told))
    return run(base, "train")


def with_combined(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with their combined attributes, as transform writes them."""
    numbers = [name for name, kind in SIGNATURE.items() if kind == "number"]
    made = combine({name: frame[name].to_numpy(float) for name in numbers})
    return frame.assign(**{name: made[name] for name in COMBINED})


def evaluate(base: Path, holdout: pd.DataFrame, **models: Path) -> tuple[int, str]:
    """Run an evaluation of model folders by role; its results are at `base`/processing/output."""
    write_part(base / "processing/input/holdout", holdout)
    write_part(base / "processing/input/train", with_combined(flights(1500)))
    write_code(base / "processing/input/code")
    for role, model in models.items():
        (base / "processing/input" / role).mkdir()
        with tarfile.open(base / "processing/input" / role / "model.tar.gz", "w:gz") as tar:
            tar.add(model, ".")
    told = ("--cycle", "flights", "--start", START, "--end", END, "--key", KEY)
    return run(base, "process", "evaluate", *told)
