"""Peak memory of fetch, clean and transform over one partition and over ten times the flights data.

Each step runs in a process of its own, as a job would. The tenfold data is the fetched month of January with
its dates moved: for clean as one partition of ten times the rows, for transform as ten partitions. The
tenfold fetch is of the whole year.

    python -m benchmarks.memory [--times 10]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.harness import PROJECT
from benchmarks.plain_cycle import link
from include.ml.cleaning.arrow_types import plain_frame
from include.steps.tables import TableWriter, read_chunks

START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC)
MONTH = END - START
#: runs a step and prints the peak of its resident memory in KiB; `none` only imports what the steps do
PROGRAM = """
import importlib, resource, sys
step = sys.argv[1]
for name in ("fetch", "clean", "transform"):
    module = importlib.import_module(f"include.steps.{name}")
    for part in ("schema", "cleaning", "features", "source"):
        importlib.import_module(f"include.cycles.flights.{part}")
if step != "none":
    importlib.import_module(f"include.steps.{step}").main()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_mib(base: Path, step: str, start: datetime, end: datetime) -> float:
    """Run a step in a process of its own; return its peak of resident memory."""
    period = ["--start", start.isoformat(), "--end", end.isoformat()]
    arguments = ["--cycle", "flights", *period, "--key", "0" * 64]
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, step, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stdout}")
    return int(done.stdout.split()[-1]) / 1024


def moved(chunk: pd.DataFrame, months: int) -> pd.DataFrame:
    """Return a fetched table's rows with their times later by so many times 31 days, and new identities."""
    if "time_hour" not in chunk:
        return chunk
    times = pd.to_datetime(chunk["time_hour"], utc=True) + months * MONTH
    text = {}
    if "flight" in chunk:
        local = pd.to_datetime(chunk[["year", "month", "day"]].astype(int)) + months * MONTH
        text = {name: getattr(local.dt, name).astype(str) for name in ("year", "month", "day")}
    return chunk.assign(time_hour=times.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), **text)


def replicate(fetched: Path, target: Path, months: Sequence[int]) -> None:
    """Write the fetched tables once for each of `months`, in single files; reference tables stay single."""
    for name in ("flights", "weather", "planes"):
        with TableWriter(target / f"{name}.parquet") as writer:
            for month in months if name != "planes" else [0]:
                for chunk in read_chunks(fetched / f"{name}.parquet"):
                    writer.write(moved(plain_frame(chunk), month))


def output(base: Path) -> Path:
    """Return where a job's result lies."""
    return base / "processing/output"


def clean_peak(root: Path, name: str, fetched: Path, months: Sequence[int]) -> float:
    """Clean the months as one partition; return the peak."""
    replicate(fetched, root / name / "fetched", months)
    link(root / name / "processing/input", {"fetch": root / name / "fetched"})
    start = START + months[0] * MONTH
    return peak_mib(root / name, "clean", start, start + len(months) * MONTH)


def transform_peak(root: Path, name: str, cleaned: Sequence[Path]) -> float:
    """Transform so many partitions of a month each; return the peak."""
    for month, path in enumerate(cleaned):
        start = START + month * MONTH
        interval = f"{start:%Y-%m-%d}_{start + MONTH:%Y-%m-%d}"
        link(root / name / "processing/input/clean", {f"{interval}/key": path})
    end = START + len(cleaned) * MONTH
    return peak_mib(root / name, "transform", end - MONTH, end)


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    with TemporaryDirectory() as directory:
        root = Path(directory)
        idle = peak_mib(root / "none", "none", START, END)
        one = {"fetch": peak_mib(root / "fetch", "fetch", START, END)}
        # the year is all there is: twelve times a month
        many = {"fetch": peak_mib(root / "year", "fetch", START, START + timedelta(days=365))}
        fetched = output(root / "fetch")
        one["clean"] = clean_peak(root, "clean", fetched, [0])
        many["clean"] = clean_peak(root, "clean-many", fetched, range(times))
        cleaned = [output(root / "clean")]
        for month in range(1, times):
            clean_peak(root, f"clean-{month}", fetched, [month])
            cleaned.append(output(root / f"clean-{month}"))
        one["transform"] = transform_peak(root, "transform", cleaned[:1])
        many["transform"] = transform_peak(root, "transform-many", cleaned)
    report(idle, one, many, times)


def report(idle: float, one: dict[str, float], many: dict[str, float], times: int) -> None:
    """Print peaks and ratios, with and without what the imports alone take."""
    print(f"imports alone: {idle:.0f} MiB; tenfold means {times} times January, for fetch all of 2013")
    print(f"{'step':<10} {'1x MiB':>8} {'10x MiB':>8} {'ratio':>6} {'ratio above imports':>20}")
    for step, base in one.items():
        above = (many[step] - idle) / max(base - idle, 1)
        print(f"{step:<10} {base:8.0f} {many[step]:8.0f} {many[step] / base:6.2f} {above:20.2f}")


if __name__ == "__main__":
    main()
