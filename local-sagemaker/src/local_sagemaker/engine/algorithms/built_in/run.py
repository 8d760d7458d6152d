"""The entry point of the built-in algorithms: `run.py train <algorithm>` or `run.py serve <algorithm>`."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = str(Path(__file__).resolve().parents[4])


def main(role: str, name: str) -> int:
    """Run a role of an algorithm; the exit status."""
    sys.path.insert(0, PROJECT)
    from local_sagemaker.engine.algorithms.built_in import serve, train  # noqa: PLC0415 (found by the line above)

    return {"train": train.main, "serve": serve.main}[role](name)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
