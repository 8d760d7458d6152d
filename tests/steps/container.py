"""One job's container, in a directory of its own."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

DAY = ("2020-01-01T00:00:00+00:00", "2020-01-02T00:00:00+00:00")


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
