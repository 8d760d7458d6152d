"""A processing job: drops rows without a target, and splits the others for training and validation."""

from __future__ import annotations

import argparse
from pathlib import Path

PLACE = Path("/opt/ml/processing")


def main() -> None:
    """Write `target,first,second` for each usable row of raw.csv, `id,first,second,target`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=5, help="each such row is for validation")
    every = parser.parse_args().every
    lines = (PLACE / "input/raw/raw.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split(",") for line in lines]
    usable = [f"{target},{first},{second}\n" for _, first, second, target in rows if target]
    parts = {
        "validation": usable[::every],
        "train": [line for index, line in enumerate(usable) if index % every],
    }
    for name, part in parts.items():
        folder = PLACE / "output" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rows.csv").write_text("".join(part), encoding="utf-8")
    print(f"rows={len(rows)} train={len(parts['train'])} validation={len(parts['validation'])}")  # noqa: T201 (a job's log)


if __name__ == "__main__":
    main()
