"""A million rows of 20 columns against a stored baseline, beside SciPy's exact test of every column.

Ours is what `monitor` does with the rows: one pass over the Parquet file for statistics and counts in the
baseline's buckets, then distances, corrected p-values and violations. SciPy's is `ks_2samp` for each of 15
columns of numbers and `chi2_contingency` for each of 5 columns of texts, over both whole tables. Each runs in
a process of its own; the memory is the peak above what the process holds when it has imported everything.

    python -m benchmarks.drift [--rows 1000000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy.stats import chi2_contingency, ks_2samp

from benchmarks.harness import PROJECT, memory_mib
from include.ml.monitoring import constraints, drift, violations
from include.ml.monitoring.statistics import Bounds, Profile
from include.steps import tables
from include.steps.tables import write_table

NUMBERS, TEXTS, CATEGORIES = 15, 5, 50
#: share of the numbers that is missing
MISSING = 0.01
NAMES = [f"number_{i}" for i in range(NUMBERS)] + [f"text_{i}" for i in range(TEXTS)]
RULE = drift.DriftRule(minimum_distance=0.1, significance=0.01, minimum_rows=500)


def table(rows: int, seed: int, shift: float) -> pd.DataFrame:
    """Return normal numbers with some missing, and texts; the first number is shifted."""
    generator = np.random.default_rng(seed)
    frame = {}
    for number in range(NUMBERS):
        values = generator.normal(shift if number == 0 else 0.0, 1.0, rows)
        values[generator.random(rows) < MISSING] = np.nan
        frame[f"number_{number}"] = values
    for number in range(TEXTS):
        codes = generator.integers(0, CATEGORIES, rows)
        frame[f"text_{number}"] = np.array([f"value {i}" for i in range(CATEGORIES)], dtype=object)[codes]
    return pd.DataFrame(frame).astype({f"text_{i}": "str" for i in range(TEXTS)})


def prepare(folder: Path, rows: int) -> None:
    """Write both tables, and the baseline's statistics and constraints as transform does."""
    for name, seed, shift in (("baseline", 0, 0.0), ("current", 1, 0.3)):
        write_table(folder / f"{name}.parquet", table(rows, seed, shift))
    bounds = Bounds()
    for batch in tables.read_batches(folder / "baseline.parquet"):
        bounds.add(tables.columns_of(batch, NAMES))
    profile = Profile(bounds.edges())
    for batch in tables.read_batches(folder / "baseline.parquet"):
        profile.add(tables.columns_of(batch, NAMES), batch.num_rows)
    statistics = profile.statistics()
    (folder / "statistics.json").write_text(json.dumps(statistics))
    (folder / "constraints.json").write_text(json.dumps(constraints.suggest_constraints(statistics)))


def read(folder: Path) -> int:
    """Read the current rows, batch by batch, and do nothing else."""
    return sum(batch.num_rows for batch in tables.read_batches(folder / "current.parquet"))


def ours(folder: Path) -> int:
    """Read once, and judge; return the number of features that have drifted."""
    before = json.loads((folder / "statistics.json").read_text())
    rules = json.loads((folder / "constraints.json").read_text())
    features = {feature["name"]: feature for feature in before["features"]}
    edges = {
        name: drift.bucket_edges(feature) for name, feature in features.items() if not drift.is_text(feature)
    }
    known = {
        name: list(drift.categories(feature)) for name, feature in features.items() if drift.is_text(feature)
    }
    profile = Profile(edges, known)
    path = folder / "current.parquet"
    sample = tables.RowSample(tables.count_rows([path]), 5000)
    for batch in tables.read_batches(path):
        profile.add(tables.columns_of(batch, NAMES), batch.num_rows)
        sample.add(batch)
    sample.frame()
    now = profile.statistics()
    moved = drift.movements(before, now, profile.counts(), RULE)
    violations.violations(rules, now, moved)
    return sum(feature.is_drifted for feature in moved)


def exact(folder: Path) -> int:
    """Test whole columns by SciPy, one in memory at a time; return the number of features with p < 0.05."""
    drifted = 0
    for name in NAMES:
        sides = [
            pq.read_table(folder / f"{side}.parquet", columns=[name])[name].to_pandas()
            for side in ("baseline", "current")
        ]
        if name.startswith("number"):
            p_value = ks_2samp(*(side.dropna() for side in sides)).pvalue
        else:
            p_value = chi2_contingency([side.value_counts().sort_index().to_numpy() for side in sides])[1]
        drifted += p_value < 0.05  # noqa: PLR2004 - the usual level
    return int(drifted)


WORK: dict[str, Callable[[Path], int]] = {"read": read, "ours": ours, "exact": exact}


def child(name: str, folder: Path) -> None:
    """Do one kind of work and print what it took."""
    at_rest, began, spent = memory_mib(line="VmRSS"), time.perf_counter(), time.process_time()
    drifted = WORK[name](folder)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - spent
    print(json.dumps({"s": seconds, "cpu_s": cpu_s, "mib": memory_mib() - at_rest, "found": drifted}))


def measure(name: str, folder: Path, repeat: int) -> dict[str, float]:
    """Return the fastest of several runs, each in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.drift", "--child", name, "--folder", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    runs: list[dict[str, float]] = [
        json.loads(
            subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, env=environment).stdout
        )
        for _ in range(repeat)
    ]
    return min(runs, key=lambda run: run["cpu_s"])


def main() -> None:
    """Measure all three, and print them with their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.folder)
        return
    with TemporaryDirectory() as folder:
        prepare(Path(folder), options.rows)
        took = {name: measure(name, Path(folder), options.repeat) for name in WORK}
    print(f"{options.rows:,} rows, {NUMBERS} columns of numbers and {TEXTS} of texts")
    for name, figures in took.items():
        cpu, peak = f"{figures['cpu_s']:7.2f} s of CPU", f"{figures['mib']:7.0f} MiB at the peak"
        print(f"{name:<6} {figures['s']:7.2f} s  {cpu}  {peak}")
    cpu_s, mib = (took["ours"][unit] - took["read"][unit] for unit in ("cpu_s", "mib"))
    print(f"ours beyond reading: {cpu_s:.2f} s of CPU, {mib:.0f} MiB")
    print(
        f"exact over ours: {took['exact']['cpu_s'] / took['ours']['cpu_s']:.1f} times the CPU, "
        f"{took['exact']['mib'] / took['ours']['mib']:.1f} times the memory"
    )


if __name__ == "__main__":
    main()
