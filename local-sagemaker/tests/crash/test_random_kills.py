"""A service that is killed at random instants under load keeps every promise it made."""
# ruff: noqa: S311 (the same instants again for a seed)

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sagemaker_kit import serving
from sagemaker_kit.crash_load import Load
from sagemaker_kit.crash_processing import IMAGE, JOB
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until

SEED = 2013


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with room for three jobs, with the load's image and the echo model's."""
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "image.toml").write_text(IMAGE)
    echo = serving.image(tmp_path / "echo")
    return start_service("--jobs", "3", "--image", str(tmp_path / "image.toml"), "--image", str(echo))


def start_in_vain(service: Service, delay_s: float) -> None:
    """Start the service and kill it in the middle of taking up what it finds."""
    arguments = ["--root", str(service.root), "--port", service.url.rpartition(":")[2], *service.options]
    with service.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_sagemaker", *arguments], stdout=log, stderr=log
        )
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()


def kill_under_load(service: Service, load: Load, kills: int, seed: int) -> None:
    """Kill it so often, at instants that the seed decides, and check after each restart."""
    dice = random.Random(seed)
    done = 0
    while done < kills:
        threads = load.start(service, dice)
        time.sleep(dice.uniform(0.0, 0.8))
        service.kill()
        done += 1
        for thread in threads:
            thread.join()
        if dice.random() < 0.2 and done < kills:
            start_in_vain(service, dice.uniform(0.2, 2.0))
            done += 1
        service.start()
        load.check(service)


@pytest.mark.parametrize(
    "kills", [5, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(3600)])], ids=str
)
def test_nothing_that_was_acknowledged_is_lost(service: Service, tmp_path: Path, kills: int) -> None:
    """Objects are whole, jobs end once, endpoints and notebook serve, and nothing is left over at the end."""
    # the few kills of every check-in leave out what needs a JupyterLab
    load = Load(service, tmp_path / "marks", has_notebook=kills > 5)
    kill_under_load(service, load, kills, SEED + kills)
    load.finish(service)
    assert len(load.later.accepted) > 0
    assert load.notebook is None or load.notebook.turns > 0
    assert load.hosted.answers > 0
    assert "Completed" in load.jobs.ended.values()
    until(lambda: not list(service.root.glob("jobs/*/*")), "the removal of all workspaces")
    assert list((service.root / "s3/.state/tmp").iterdir()) == []
