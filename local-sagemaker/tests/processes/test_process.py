"""Processes that outlive the service, in every way this machine can show them their workspace."""
# ruff: noqa: ANN401 (a specification has members of many types)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.engine.processes import logs, process, shim
from local_sagemaker.engine.processes.isolation import Isolation, available, wrap
from local_sagemaker.engine.processes.process import LOST, ProcessSpec

PROJECT = Path(__file__).resolve().parents[2]
NAMESPACE_PROBE = [
    "/usr/bin/env",
    *["setpriv", "--reuid", "65534", "--clear-groups", "unshare", "--map-root-user", "--mount", "true"],
]
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def spec(tmp_path: Path, script: str, **given: Any) -> ProcessSpec:
    """A shell script to run in a workspace of its own."""
    workspace = tmp_path / "workspace"
    workspace.mkdir(exist_ok=True)
    return ProcessSpec(("sh", "-c", script), ENVIRONMENT, workspace, tmp_path / "log", **given)


def lines(tmp_path: Path) -> list[str]:
    """What the process printed."""
    return [event.message for event in logs.read(tmp_path / "log")]


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("kill -TERM $$", -15)]
)
def test_an_exit_status_is_kept(tmp_path: Path, script: str, status: int | str) -> None:
    """Exit codes are positive, signals negative, and both are found again later."""
    running = process.start(spec(tmp_path, script))
    assert running.wait(30) == status
    adopted = process.adopt(tmp_path / "workspace")
    assert adopted is not None
    assert (adopted.exit_status(), adopted.is_alive(), adopted.is_lost()) == (status, False, False)


def test_a_workspace_in_which_nothing_ran_has_no_process(tmp_path: Path) -> None:
    """There is nothing to adopt."""
    assert process.adopt(tmp_path) is None


def test_a_process_that_runs_is_not_started_again(tmp_path: Path) -> None:
    """A second start gives the first process."""
    first = process.start(spec(tmp_path, "echo once; sleep 60"))
    second = process.start(spec(tmp_path, "echo once; sleep 60"))
    assert second.pid == first.pid
    assert first.wait(0.05) is None
    first.kill()
    assert second.wait(30) == -signal.SIGKILL
    assert lines(tmp_path) == ["once"]


def test_the_whole_group_is_ended(tmp_path: Path) -> None:
    """What a process has started ends with it."""
    running = process.start(spec(tmp_path, "sleep 100 & echo $!; wait"))
    while not (tmp_path / "log").exists() or not lines(tmp_path):
        time.sleep(0.01)
    running.terminate()
    assert running.wait(30) == -signal.SIGTERM
    child = int(lines(tmp_path)[0])
    deadline = time.monotonic() + 10
    while shim.started(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    """Its starter is killed; another process adopts it and learns how it ended."""
    code = (
        "import os, sys; from pathlib import Path; from local_sagemaker.engine.processes import process\n"
        "place = Path(sys.argv[1])\n"
        "script = 'while [ ! -e go ]; do sleep 0.02; done; exit 5'\n"
        "process.start(process.ProcessSpec(('sh', '-c', script), dict(os.environ), place / 'workspace',"
        " place / 'log', cwd=place))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "workspace").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT, check=False)
    adopted = process.adopt(tmp_path / "workspace")
    assert adopted is not None
    assert adopted.is_alive()
    (tmp_path / "go").touch()
    assert adopted.wait(30) == 5


def test_a_process_whose_shim_was_killed_is_lost(tmp_path: Path) -> None:
    """Nobody saw its end; it is ended and counted as killed."""
    running = process.start(spec(tmp_path, "echo $$; sleep 100"))
    while not lines(tmp_path):
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait(30) == LOST
    assert running.is_lost()
    deadline = time.monotonic() + 10
    while shim.started(int(lines(tmp_path)[0])):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_environment_is_the_given_one(tmp_path: Path) -> None:
    """Nothing of the service's own environment leaks into a container."""
    os.environ["LEAKED"] = "1"
    try:
        process.start(spec(tmp_path, 'echo "${LEAKED:-none}"; pwd')).wait(30)
    finally:
        del os.environ["LEAKED"]
    assert lines(tmp_path)[0] == "none"


@pytest.mark.parametrize("isolation", list(Isolation))
def test_a_process_sees_its_workspace(tmp_path: Path, isolation: Isolation) -> None:
    """At /opt/ml where namespaces are allowed, else at SAGEMAKER_BASE_DIR; the log says so."""
    if isolation is not Isolation.NONE and available(tmp_path) is Isolation.NONE:
        pytest.skip("this machine refuses mount namespaces")
    base = "${SAGEMAKER_BASE_DIR:-/opt/ml}"
    given = spec(tmp_path, f"cat {base}/given; echo new > {base}/made; pwd", isolation=isolation)
    (given.workspace / "ml").mkdir()
    (given.workspace / "ml/given").write_text("seen\n")
    (given.workspace / "linked").mkdir()
    assert process.start(given).wait(30) == 0
    assert (given.workspace / "ml/made").read_text() == "new\n"
    if isolation is Isolation.NONE:
        folder = str(given.workspace / "ml")
        assert lines(tmp_path)[0].startswith("Mount namespaces are refused here")
        assert lines(tmp_path)[1:] == ["seen", folder]
    else:
        assert lines(tmp_path) == ["seen", "/opt/ml"]


def test_linked_files_cannot_be_spoiled(tmp_path: Path) -> None:
    """Behind the overlay a hard link is as safe as a copy."""
    if available(tmp_path) is not Isolation.OVERLAY:
        pytest.skip("this machine has no overlays: inputs are copied")
    stored = tmp_path / "stored"
    stored.write_text("1\n")
    given = spec(tmp_path, "cat /opt/ml/in; echo 2 >> /opt/ml/in; : > /opt/ml/in; rm /opt/ml/in; ls /opt/ml")
    (given.workspace / "linked").mkdir()
    os.link(stored, given.workspace / "linked/in")
    assert process.start(given).wait(30) == 0
    assert lines(tmp_path) == ["1"]
    assert stored.read_text() == "1\n"


def test_a_lot_of_output_arrives_whole(tmp_path: Path) -> None:
    """Lines keep their order; a line without end is cut, not lost."""
    process.start(spec(tmp_path, "seq 100000; head -c 600000 /dev/zero | tr '\\0' x")).wait(60)
    found = lines(tmp_path)
    assert found[:100_000] == [str(number) for number in range(1, 100_001)]
    assert "".join(found[100_000:]) == "x" * 600_000


#: in a namespace of its own: an /opt without ml that nobody may write to, then the given command as nobody
AS_NOBODY = """
mount -t tmpfs none /opt && mkdir /opt/kept && : > /opt/file &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""


@pytest.mark.parametrize("isolation", [Isolation.OVERLAY, Isolation.BIND])
def test_a_user_without_rights_sees_the_workspace_too(isolation: Isolation) -> None:
    """Through a user namespace, even where /opt/ml cannot be made; /opt keeps what it had."""
    if os.geteuid() != 0 or subprocess.run(NAMESPACE_PROBE, capture_output=True, check=False).returncode:
        pytest.skip("becoming nobody needs root, and user namespaces")
    # beside pytest's own folder, which nobody may not enter
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        for layer in ("ml", "linked", "work"):
            (workspace / layer).mkdir()
        (workspace / "ml/in").write_text("seen\n")
        for path in (workspace, *workspace.rglob("*")):
            os.chown(path, 65534, 65534)
        script = "cat /opt/ml/in; ls /opt; echo new > /opt/ml/made"
        command = wrap(isolation, workspace, ["/bin/sh", "-c", script], is_root=False)
        outer = ["/usr/bin/env", "unshare", "--mount", "/bin/sh", "-c", AS_NOBODY, "sh", *command]
        done = subprocess.run(outer, capture_output=True, text=True, check=False)
        assert (done.stdout.split(), done.stderr) == (["seen", "file", "kept", "ml"], "")
        assert (workspace / "ml/made").read_text() == "new\n"
