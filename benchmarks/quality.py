"""Does retraining pay? Every month's model, and January's, on all flights of the month after.

Each step runs the function its job runs, on a directory laid out as SageMaker would lay it out. Every model
sees what the cycle's own split lets it see: not the last days before its interval's end, which judge it.
`python -m benchmarks.quality DIRECTORY` keeps the cleaned months there, and takes them up again.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from benchmarks.plain_cycle import link
from include.cycles.flights import features
from include.ml.features.labels import class_places
from include.steps.contract import Step
from include.steps.rows import feature_rows, find_partitions, to_columns
from include.steps.serving.inference import Model, read_model

KEY = "0" * 64
#: the last month that there is data for
MONTHS = 12


@dataclass(frozen=True)
class Month:
    """One interval, and the directory of everything made of it."""

    number: int
    root: Path

    @property
    def start(self) -> datetime:
        """Return its first instant."""
        return datetime(2013, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """Return the first instant after it."""
        return datetime(2013 + self.number // 12, self.number % 12 + 1, 1, tzinfo=UTC)

    def step(self, name: str, inputs: dict[str, Path]) -> Step:
        """Return a step of this month, with its inputs in place."""
        base = self.root / f"{self.number:02d}/{name}"
        step = Step(name=name, cycle="flights", start=self.start, end=self.end, key=KEY, base=base)
        link(step.input(""), inputs)
        return step

    @property
    def cleaned(self) -> Path:
        """Return where its cleaned tables are."""
        return self.root / f"{self.number:02d}/clean/processing/output"

    @property
    def input_name(self) -> str:
        """Return where a job that reads many months finds this one's."""
        return f"clean/{self.start:%Y-%m-%d}_{self.end:%Y-%m-%d}/{KEY}"


def run(step: Step) -> Path:
    """Do a step, silently; return its output."""
    module = importlib.import_module(f"include.steps.{step.name}")
    with contextlib.redirect_stdout(io.StringIO()):
        getattr(module, step.name)(step)
    return step.output


def clean(month: Month) -> None:
    """Fetch and clean a month, unless it was done before."""
    if not (month.cleaned / "manifest.json").exists():
        fetched = run(month.step("fetch", {}))
        run(month.step("clean", {"fetch": fetched}))


def train(months: list[Month]) -> tuple[Model, float]:
    """Train on all these months as of the end of the last; return the model, and the seconds it took."""
    shutil.rmtree(months[-1].root / f"{months[-1].number:02d}/transform", ignore_errors=True)
    shutil.rmtree(months[-1].root / f"{months[-1].number:02d}/train", ignore_errors=True)
    rows = run(months[-1].step("transform", {month.input_name: month.cleaned for month in months}))
    step = months[-1].step("train", {"train": rows / "train", "validation": rows / "validation"})
    began = time.perf_counter()
    model = read_model(run(step))
    return model, time.perf_counter() - began


def score(model: Model, month: Month) -> tuple[float, float, float]:
    """Return ROC AUC, average precision and log loss on every flight of a month that arrived."""
    step = month.step("score", {month.input_name: month.cleaned})
    rows = feature_rows(step, find_partitions(step)[0]).dropna(subset=features.LABEL)
    scores = model.probabilities(to_columns(rows, features.SIGNATURE))[:, 1]
    late = class_places(rows[features.LABEL], features.CLASSES)
    return roc_auc_score(late, scores), average_precision_score(late, scores), log_loss(late, scores)


def main(root: Path) -> None:
    """Replay the year and print a line a month."""
    months = [Month(number, root) for number in range(1, MONTHS + 1)]
    frozen: Model | None = None
    compared = []
    print("month   frozen in January      all months so far      training")
    print("        AUC    AP     loss     AUC    AP     loss     s")
    for count in range(1, MONTHS):
        for month in months[: count + 1]:
            clean(month)
        model, seconds = train(months[:count])
        frozen = frozen or model
        figures = (*score(frozen, months[count]), *score(model, months[count]))
        compared.append(figures)
        show(f"{count + 1:2}", figures, f"{seconds:6.1f}")
    show("mean", tuple(np.mean(compared, axis=0)), "")


def show(name: str, figures: tuple[float, ...], rest: str) -> None:
    """Print one line of the table."""
    cells = [f"{value:.4f}" for value in figures]
    print(f"{name:6}  {' '.join(cells[:3])}   {' '.join(cells[3:])}   {rest}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="keeps the cleaned months and the models")
    main(parser.parse_args().directory.resolve())
