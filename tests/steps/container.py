"""One job's container, in a directory of its own."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.core.documents.manifest import InputFile, InputList, InputLists
from include.core.layout import CODE_INPUT, INPUT_LISTS, LISTS_INPUT
from include.steps.contract import digest
from include.steps.manifest import write_document

DAY = ("2020-01-01T00:00:00+00:00", "2020-01-02T00:00:00+00:00")


def list_inputs(root: Path) -> None:
    """Write the list of a job's files, as the task that starts it does, from those that are there."""
    own = {CODE_INPUT, LISTS_INPUT}
    folders = [folder for folder in root.iterdir() if folder.name not in own] if root.is_dir() else []
    lists = {
        folder.name: InputList(
            uri=f"s3://b/{folder.name}/",
            files=tuple(
                InputFile(
                    name=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=digest(path)
                )
                for place, _, names in os.walk(folder, followlinks=True)
                for path in (Path(place, name) for name in names)
            ),
        )
        for folder in folders
    }
    if lists:
        write_document(root / LISTS_INPUT / INPUT_LISTS, InputLists(inputs=lists))


@dataclass
class Container:
    """One job's private /opt/ml."""

    base: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def output(self) -> Path:
        """Where the job writes."""
        return self.base / "processing/output"

    def link(self, name: str, place: Path) -> None:
        """Give the job an input."""
        path = self.base / "processing/input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(place)

    def run(
        self, step: str, *, cycle: str = "ice", start: str = DAY[0], end: str = DAY[1], **more: str
    ) -> dict[str, Any]:
        """Run a step as the container's entry point does; its manifest."""
        told = {"--cycle": cycle, "--start": start, "--end": end, "--key": "ab" * 32}
        told |= {f"--{name.replace('_', '-')}": value for name, value in more.items()}
        arguments = ["entrypoint.py", "process", step, *(text for pair in told.items() for text in pair)]
        self.monkeypatch.setattr(sys, "argv", arguments)
        self.monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(self.base))
        list_inputs(self.base / "processing/input")
        importlib.import_module(f"include.steps.{step}").main()
        return dict(json.loads((self.output / "manifest.json").read_text()))

    def refuse(self, step: str, **told: str) -> str:
        """Run a step that has to refuse its input; the message it leaves."""
        with pytest.raises(SystemExit) as stopped:
            self.run(step, **told)
        assert stopped.value.code == 1
        assert not (self.output / "manifest.json").exists()
        return (self.base / "output/message").read_text()

    def table(self, name: str) -> pd.DataFrame:
        """A table the job wrote."""
        return pd.read_parquet(self.output / name)


#: makes a container by its name
Containers = Callable[[str], Container]
#: makes a container, by its name, that is given the first days of January
History = Callable[[str, int], Container]
