"""The entry point of the image: `run.py train` or `run.py serve`."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = str(Path(__file__).resolve().parents[4])


def main(role: str) -> int:
    """Run a role of the image; the exit status."""
    sys.path.insert(0, PROJECT)
    from local_sagemaker.engine.algorithms.scikit_learn import serve, train  # noqa: PLC0415 (found by the line above)

    # what the user's script imports is its own affair
    sys.path.remove(PROJECT)
    return {"train": train.main, "serve": serve.main}[role]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
