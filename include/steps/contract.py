"""The job contract inside the container: arguments, folders of inputs and outputs, and how a job ends."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import NoReturn, TypeVar

from include.core.cycle import JOB_ARGUMENTS, Cycle
from include.core.documents.manifest import RESTORE, InputFile, InputLists
from include.core.exceptions import InvalidCycle, InvalidDocument
from include.core.layout import CODE_INPUT, INPUT_LISTS, LISTS_INPUT, NOT_LISTED
from include.core.tasks import TASKS
from include.ml import cycle_code
from include.ml.exceptions import InvalidInput

#: overrides /opt/ml where a job cannot have a root directory of its own
BASE_VARIABLE = "SAGEMAKER_BASE_DIR"
#: SageMaker shows the first 1,024 bytes of a message
MESSAGE_BYTES = 1024

Content = TypeVar("Content")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of one cycle for one interval, as the job's arguments name it."""

    #: fetch, clean, transform, train, ...
    name: str
    #: name of the cycle, and of its package below include/cycles
    cycle: str
    #: first instant of the interval, in UTC
    start: datetime
    #: first instant after the interval, in UTC
    end: datetime
    #: content key of the step, 64 hex digits
    key: str
    #: the step's own parameters, by their names with dashes ("known-until")
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: directory that SageMaker calls /opt/ml
    base: Path = Path("/opt/ml")

    @property
    def is_training(self) -> bool:
        """Whether this is a training job, whose folders differ from a processing job's."""
        return self.name == "train"

    @property
    def output(self) -> Path:
        """The directory of the step's result; created if it is missing."""
        folder = self.base / ("model" if self.is_training else "processing/output")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def input(self, name: str) -> Path:
        """Return the directory of an input or channel, which need not exist."""
        return self.base / ("input/data" if self.is_training else "processing/input") / name

    def required(self, name: str) -> Path:
        """Return the directory of an input; raise InvalidInput if it is missing or empty."""
        path = self.input(name)
        if not path.is_dir() or not any(path.iterdir()):
            raise InvalidInput(
                f"The input {name!r} of step {self.name} is missing or empty ({path}). "
                "Name it among the job's inputs, and check that the step before it wrote something."
            )
        return path

    def module(self, name: str) -> ModuleType:
        """Return a module of the cycle's package: `schema`, `features`, ...

        :raises InvalidInput: the features have more or fewer CLASSES than the cycle's task
        :raises FaultyCode: it cannot be imported
        """
        path = f"include.cycles.{self.cycle}.{name}"
        module = cycle_code.call(lambda _: importlib.import_module(path), {}, f"{name}.py of {self.cycle}")
        if name == "features":
            # where CLASSES are computed, nobody could know before
            fault = TASKS[self.description.task].class_fault(len(module.CLASSES))
            if fault is not None:
                raise InvalidInput(f"Cycle {self.cycle}: {fault}")
        return module

    @property
    def description(self) -> Cycle:
        """The cycle's description, from its `cycle.py`."""
        cycle: Cycle = self.module("cycle").CYCLE
        return cycle


def base_directory() -> Path:
    """Return /opt/ml, or the directory named by SAGEMAKER_BASE_DIR."""
    return Path(os.environ.get(BASE_VARIABLE) or "/opt/ml")


def parse_time(name: str, text: str) -> datetime:
    """Return an ISO 8601 time with its offset, in UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"--{name} {text!r} is no ISO 8601 time. Write it like 2013-01-01T00:00:00+00:00."
        ) from error
    if time.tzinfo is None:
        raise InvalidInput(
            f"--{name} {text!r} does not say its offset from UTC. Write {text}+00:00 if it is UTC."
        )
    return time.astimezone(UTC)


def read_document(path: Path, parse: Callable[[bytes], Content], advice: str) -> Content:
    """Return what an earlier step wrote.

    :param parse: the `from_text` of a document, or `json.loads`
    :param advice: what to do if the file cannot be read
    :raises InvalidInput: the file is missing, or is not what `parse` expects
    """
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, InvalidDocument) as error:
        raise InvalidInput(f"{path.name} cannot be read ({error}). {advice}") from error


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_inputs(step: Step) -> None:
    """Refuse a job whose files are not those that the steps before it wrote; call it before any is read.

    The files lie on the job's own disk, so that each is read once for its digest and again for its rows
    without the network. What no manifest lists has no digest, and is checked by name and size.

    :raises InvalidInput: a file is missing, too many, or not the one that was written
    """
    root, own = step.input(""), {CODE_INPUT, LISTS_INPUT}
    present = {
        path.relative_to(root).as_posix(): path
        for folder in sorted(root.iterdir() if root.is_dir() else ())
        if folder.is_dir() and folder.name not in own
        for path in _files_below(folder)
    }
    document = step.input(LISTS_INPUT) / INPUT_LISTS
    if not present and not document.exists():
        return
    lists = read_document(document, InputLists.from_text, "The task that starts the job writes it: clear it.")
    expected = {
        f"{name}/{file.name}": (file, f"{given.uri}{file.name}")
        for name, given in lists.inputs.items()
        for file in given.files
        if file.name.rpartition("/")[2] not in NOT_LISTED
    }
    for name in sorted({*present} ^ {*expected}):
        uri = expected[name][1] if name in expected else name
        state = "is missing" if name in expected else "is no file that the step before wrote"
        raise InvalidInput(f"The input {uri} {state}. {RESTORE}")
    for name, (file, uri) in expected.items():
        _check_file(present[name], file, uri)


def _files_below(folder: Path) -> Iterator[Path]:
    # what a job is given may be links to folders, which Path.rglob does not follow in Python 3.11
    for parent, _, names in os.walk(folder, followlinks=True):
        yield from (Path(parent, name) for name in names if name not in NOT_LISTED)


def _check_file(path: Path, file: InputFile, uri: str) -> None:
    if file.sha256 is None:
        size = path.stat().st_size
        if size != file.bytes:
            raise InvalidInput(f"The input {uri} has {size} bytes; it had {file.bytes}. {RESTORE}")
    elif (actual := digest(path)) != file.sha256:
        raise InvalidInput(
            f"The input {uri} has the SHA-256 {actual}; its manifest says {file.sha256}. {RESTORE}"
        )


def step_from(name: str, given: Mapping[str, str], base: Path) -> Step:
    """Return the step that names and values describe."""
    missing = [key for key in JOB_ARGUMENTS if not given.get(key)]
    if missing:
        raise InvalidInput(
            f"Step {name} was not told its {', '.join(missing)} (it was told {sorted(given)}). "
            "Give every job --cycle, --start, --end and --key."
        )
    start, end = parse_time("start", given["start"]), parse_time("end", given["end"])
    if start >= end:
        raise InvalidInput(
            f"The interval {start.isoformat()} to {end.isoformat()} is empty. Its end must be later."
        )
    parameters = {key: value for key, value in given.items() if key not in JOB_ARGUMENTS}
    return Step(
        name=name,
        cycle=given["cycle"],
        start=start,
        end=end,
        key=given["key"],
        parameters=parameters,
        base=base,
    )


def from_arguments(name: str, arguments: Sequence[str], base: Path) -> Step:
    """Return the step of a processing job's arguments: `process <step>`, then `--name value` pairs."""
    role = [word for word in ("process", name) if word in arguments[:2]]
    given = list(arguments[len(role) :])
    names, values = given[0::2], given[1::2]
    odd = [text for text in names if not text.startswith("--")]
    if odd or len(names) != len(values):
        raise InvalidInput(
            f"Arguments {given} are no pairs of `--name value`. Check the job's ContainerArguments."
        )
    return step_from(name, {text[2:]: value for text, value in zip(names, values, strict=True)}, base)


def from_hyperparameters(name: str, base: Path) -> Step:
    """Return the step of a training job's hyperparameters."""
    path = base / "input/config/hyperparameters.json"
    return step_from(
        name, read_document(path, json.loads, "SageMaker writes it before a training job starts."), base
    )


def read_step(name: str) -> Step:
    """Return the step that this process was started for."""
    base = base_directory()
    return from_hyperparameters(name, base) if name == "train" else from_arguments(name, sys.argv[1:], base)


def refuse(message: str, *, training: bool = False) -> NoReturn:
    """Write why the step cannot go on where SageMaker shows it and as the log's last line; exit with 1."""
    path = base_directory() / "output" / ("failure" if training else "message")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = message.encode()[:MESSAGE_BYTES].decode("utf-8", errors="ignore")
    path.write_text(text, encoding="utf-8")
    print(message, flush=True)
    raise SystemExit(1)


def run(name: str, work: Callable[[Step], Mapping[str, float | None]]) -> None:
    """Run a step and print its metric line, or end with the reason why its input is invalid.

    `work` writes the step's files and its manifest, and returns the metrics of the last log line.
    """
    try:
        step = read_step(name)
        check_inputs(step)
        metrics = work(step)
    except (InvalidInput, InvalidCycle) as refusal:
        if isinstance(refusal, cycle_code.FaultyCode) and refusal.__cause__:
            traceback.print_exception(refusal.__cause__)
        refuse(str(refusal), training=name == "train")
    write_profile(step)
    print(metric_line(metrics), flush=True)


def write_profile(step: Step) -> None:
    """Put a profile of a step's tables beside them, for people; the step does not depend on it."""
    if step.is_training:
        return
    from include.steps import explore  # noqa: PLC0415 - serving and training are to start without pages

    title = f"{step.cycle}: {step.name} of {step.start:%Y-%m-%d %H:%M} to {step.end:%Y-%m-%d %H:%M}"
    try:
        explore.write_profile(step.output, title, frozenset(step.description.monitoring.private))
    except Exception as error:  # noqa: BLE001 - data is not to be lost for a page about it
        print(f"There is no profile of the outputs: {error!r}", flush=True)


def metric_line(metrics: Mapping[str, float | None]) -> str:
    """Return metrics as one line, `rows_in=842 roc_auc=0.704`, which metric definitions can match.

    An undefined number is not in it: no definition could match it.

    >>> metric_line({"rows": 3, "roc_auc": None, "accuracy": 0.5})
    'rows=3 accuracy=0.5'
    """
    return " ".join(
        f"{name}={round(value, 6):g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in metrics.items()
        if value is not None and math.isfinite(value)
    )
