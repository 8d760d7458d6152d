"""The program of the scikit-learn image's containers: `train` or `serve`."""

from __future__ import annotations

import sys

from local_sagemaker.engine.algorithms.scikit_learn import serve, train


def main(role: str) -> int:
    """Run a role of the image; return the exit status."""
    return {"train": train.main, "serve": serve.main}[role]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
