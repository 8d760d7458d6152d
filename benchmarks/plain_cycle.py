"""The steps of one training called one after the other in one process: no Airflow, no SageMaker, no S3.

Each step runs the very entry point its job runs, on a directory laid out as SageMaker would lay it out.
`python -m benchmarks.plain_cycle DIRECTORY [--keep]` prints seconds per step as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from include.core.documents.manifest import InputFile, InputList, InputLists
from include.core.layout import INPUT_LISTS, LISTS_INPUT
from include.steps.contract import digest
from include.steps.manifest import write_document

CYCLE, START, END = "flights", "2013-01-01T00:00:00+00:00", "2013-02-01T00:00:00+00:00"
INTERVAL = "2013-01-01_2013-02-01"
TOLD = {"cycle": CYCLE, "start": START, "end": END, "key": "0" * 64}


def processing(step: str, base: Path, inputs: dict[str, Path], **parameters: str) -> Path:
    """Run a processing step and return its output directory."""
    link(base / "processing/input", inputs)
    arguments = {**TOLD, **parameters}
    sys.argv = [step, *(part for name, value in arguments.items() for part in (f"--{name}", value))]
    call(step, base)
    return base / "processing/output"


def training(base: Path, inputs: dict[str, Path]) -> Path:
    """Run the training step and return the directory with its `model.tar.gz`."""
    link(base / "input/data", inputs)
    config = base / "input/config/hyperparameters.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps(TOLD))
    sys.argv = ["train"]
    call("train", base)
    output = base / "output"
    output.mkdir(exist_ok=True)
    with tarfile.open(output / "model.tar.gz", "w:gz") as archive:
        archive.add(base / "model", arcname=".")
    return output


def link(folder: Path, inputs: dict[str, Path]) -> None:
    """Put a job's inputs in place."""
    for name, source in inputs.items():
        link_path = folder / name
        link_path.parent.mkdir(parents=True, exist_ok=True)
        link_path.unlink(missing_ok=True)
        link_path.symlink_to(source)
    if inputs:
        list_files(folder, inputs)


def list_files(folder: Path, inputs: dict[str, Path]) -> None:
    """Write the list of a job's files, by which it checks them."""
    lists = {
        name: InputList(
            uri=f"{source}/",
            files=tuple(
                InputFile(name=str(path.relative_to(source)), bytes=path.stat().st_size, sha256=digest(path))
                for path in sorted(source.rglob("*"))
                if path.is_file()
            ),
        )
        for name, source in inputs.items()
    }
    write_document(folder / LISTS_INPUT / INPUT_LISTS, InputLists(inputs=lists))


def call(step: str, base: Path) -> None:
    """Call a step's own `main`, as the image's entry point does; what it prints is not what is measured."""
    os.environ["SAGEMAKER_BASE_DIR"] = str(base)
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            importlib.import_module(f"include.steps.{step}").main()
    except SystemExit as refusal:
        raise RuntimeError(f"The step {step} refused:\n{output.getvalue()}") from refusal


def verify(model: Path, golden: Path) -> None:
    """Load the model as serving does, and compare the golden rows, as `deploy` and `verify` do."""
    inference = importlib.import_module("include.steps.serving.inference")
    payload = importlib.import_module("include.steps.serving.payload")
    loaded = inference.read_model(model)
    rows = [json.loads(line) for line in golden.read_text().splitlines()]
    body = "".join(f"{json.dumps(row['row'])}\n" for row in rows).encode()
    columns = payload.parse_body(body, payload.JSON_LINES, loaded.signature.columns)
    arrays = inference.to_arrays(loaded.signature, columns)
    labels, _ = loaded.label(loaded.probabilities(arrays))
    assert labels == [row["label"] for row in rows]


def main(root: Path) -> dict[str, float]:
    """Do the cycle in `root`; return seconds per step."""
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[Path], Path | None]) -> Path:
        began = time.perf_counter()
        result = work(root / name)
        seconds[name] = time.perf_counter() - began
        return result or root

    fetched = timed("fetch", lambda base: processing("fetch", base, {}))
    cleaned = timed("clean", lambda base: processing("clean", base, {"fetch": fetched}))
    partitions = {f"clean/{INTERVAL}/{TOLD['key']}": cleaned}
    rows = timed("transform", lambda base: processing("transform", base, partitions))
    parts = {"train": rows / "train", "validation": rows / "validation"}
    model = timed("train", lambda base: training(base, parts))
    tried = {"train": rows / "train", "holdout": rows / "holdout", "challenger": model}
    evaluated = timed("evaluate", lambda base: processing("evaluate", base, tried))
    timed("verify", lambda _: verify(root / "train/model", evaluated / "golden.jsonl"))
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="made anew")
    parser.add_argument("--keep", action="store_true", help="leave it, with the model in train/model")
    options = parser.parse_args()
    base = options.directory.resolve()
    shutil.rmtree(base, ignore_errors=True)
    try:
        print(json.dumps(main(base)))
    finally:
        if not options.keep:
            shutil.rmtree(base)
