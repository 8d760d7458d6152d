"""Rows per second of CPU time that clean takes, on flights data of many months, and the peak of its memory.

The fetched January is repeated with its dates moved, as in benchmarks.memory, and cleaned as one partition.

    python -m benchmarks.clean [--months 12]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from benchmarks.harness import PROJECT
from benchmarks.memory import END, MONTH, START, output, peak_mib, replicate
from benchmarks.plain_cycle import link

#: cleans without the page about the tables, and prints seconds of CPU time and the peak in KiB
PROGRAM = """
import resource, time
from include.steps import clean
from include.steps.contract import read_step
step = read_step("clean")
for name in ("schema", "cleaning", "features"):
    step.module(name)
before = time.process_time()
clean.clean(step)
print(time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure(base: Path, months: int) -> tuple[float, float]:
    """Clean in a process of its own; return seconds of CPU time, and the peak in MiB."""
    end = START + months * MONTH
    arguments = [
        "--cycle",
        "flights",
        "--start",
        START.isoformat(),
        "--end",
        end.isoformat(),
        "--key",
        "0" * 64,
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, peak_kib = map(float, done.stdout.split()[-2:])
    return seconds, peak_kib / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=12)
    months = parser.parse_args().months
    with TemporaryDirectory() as directory:
        root = Path(directory)
        peak_mib(root / "fetch", "fetch", START, END)
        fetched = root / "many"
        replicate(output(root / "fetch"), fetched, range(months))
        rows = sum(pq.read_metadata(path).num_rows for path in fetched.glob("*.parquet"))
        link(root / "clean/processing/input", {"fetch": fetched})
        seconds, peak = measure(root / "clean", months)
    print(f"{rows:,} rows in {seconds:.2f} s of CPU time: {rows / seconds:,.0f} rows/s; peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
