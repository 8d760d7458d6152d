"""The program of the built-in algorithms' containers: `train <algorithm>` or `serve <algorithm>`."""

from __future__ import annotations

import sys

from local_sagemaker.engine.algorithms.built_in import serve, train


def main(role: str, name: str) -> int:
    """Run a role of an algorithm; return the exit status."""
    return {"train": train.main, "serve": serve.main}[role](name)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
