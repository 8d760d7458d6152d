"""A forked process is like a started one in all that it can see, and like it survives whoever made it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.engine.processes import logs, process, shim
from local_sagemaker.engine.processes.forks import Forks, head_of
from local_sagemaker.engine.processes.image import Images, read
from local_sagemaker.engine.processes.isolation import Isolation, available
from local_sagemaker.engine.processes.process import LOST, ProcessSpec

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks are made on Linux only")

IMAGE = """
uri = ["x:*"]
[entry_points]
process = ["{{python}}", {options} "{{dir}}/job.py"]
[preload]
modules = [{modules}]
"""
#: everything of a process that a fork could get wrong, one line each
SEES = """
import json, os, signal, sys, threadpoolctl
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
ignored = int(status["SigIgn"], 16) & 0x7fffffff  # without those that the C library keeps for itself
for what in (
    __name__, __file__, sys.argv, sys.path, sys.flags, sys.stdin.read(), os.getcwd(),
    sorted(os.environ.items()),
    sorted(os.listdir("/proc/self/fd")), os.getpgid(0) == os.getpid(), os.getsid(0) == os.getppid(),
    status["SigBlk"], ignored, status["SigCgt"], sys.stdout.line_buffering, os.umask(0), os.nice(0),
    [(found["internal_api"], found["num_threads"]) for found in threadpoolctl.threadpool_info()],
    sorted(os.listdir("/opt/ml")), os.getuid(), signal.getsignal(signal.SIGINT) is signal.default_int_handler,
):
    print(what)
"""


class Bench:
    """An image with a script, and ways to run it."""

    def __init__(self, place: Path, modules: str, options: str) -> None:
        self.place = place
        (place / "image.toml").write_text(IMAGE.format(modules=modules, options=options))
        self.image = read(place / "image.toml")
        self.forks = Forks(Images([place / "image.toml"]))
        self._count = 0

    def start(self, *, is_forked: bool = True, arguments: tuple[str, ...] = (), **environment: str) -> Any:  # noqa: ANN401
        """Start `job.py` in a workspace of its own."""
        self._count += 1
        workspace = self.place / f"workspace-{self._count}"
        workspace.mkdir()
        argv = self.image.command("process", None, arguments)
        given = self.image.variables({"OMP_NUM_THREADS": "2", **environment}, self.image.folder)
        spec = ProcessSpec(argv, given, workspace, self.place / f"log-{self._count}")
        return process.start(spec, self.forks if is_forked else None)

    def run(self, script: str, **given: Any) -> tuple[int | None, list[str]]:  # noqa: ANN401
        """Exit status and output of a script."""
        (self.place / "job.py").write_text(script)
        status = self.start(**given).wait(60)
        return status, self.lines()

    def lines(self, number: int | None = None) -> list[str]:
        """What the process with a number printed, the last one if there is none."""
        path = self.place / f"log-{number or self._count}"
        return [event.message for event in logs.read(path)] if path.exists() else []

    def warm(self) -> int:
        """Have a zygote ready, and return its process id."""
        self.run("")
        self.forks.wait()
        [zygote] = self.forks.ready()
        return zygote


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """A function that makes an image with a zygote."""
    made: list[Bench] = []

    def make(modules: str = '"json"', options: str = '"-I", "-u",') -> Bench:
        made.append(Bench(tmp_path, modules, options))
        return made[-1]

    yield make
    for each in made:
        each.forks.close()


@pytest.mark.parametrize("options", ["", '"-I", "-u",', '"-E", "-B",'])
def test_a_forked_process_sees_what_a_started_one_sees(bench: Callable[..., Bench], options: str) -> None:
    """Arguments, path, environment, descriptors, signals, group, session, threads and their limits."""
    here = bench('"numpy", "threadpoolctl"', options)
    here.warm()
    told = {"arguments": ("--a", "b c"), "TRAINING_JOB_NAME": "j"}
    # the library with the limits is imported in both, before it is asked
    script = f"import numpy\n{SEES}"
    started = here.run(script, is_forked=False, **told)
    forked = here.run(f"{script}print(open('/proc/self/cmdline').read())", **told)
    differences = [pair for pair in zip(forked[1], started[1], strict=False) if pair[0] != pair[1]]
    assert differences == []
    assert (forked[0], len(forked[1]) - 1) == (started[0], len(started[1]))
    assert "zygote.py" in forked[1][-1]
    assert len(started[1]) > 20


def test_threads_are_limited_by_the_jobs_own_variable(bench: Callable[..., Bench]) -> None:
    """Another number of threads is another zygote; what a library read at its import is the job's word."""
    here = bench('"numpy", "threadpoolctl"')
    script = "import numpy, threadpoolctl; print([p['num_threads'] for p in threadpoolctl.threadpool_info()])"
    found = {}
    for threads in ("1", "2"):
        here.run(script, OMP_NUM_THREADS=threads)
        here.forks.wait()
        found[threads] = here.run(script, OMP_NUM_THREADS=threads)
    assert found == {"1": (0, ["[1]"]), "2": (0, ["[2]"])}
    assert len(here.forks.ready()) == 2


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("", 0, []),
        ("import sys; sys.exit(3)", 3, []),
        ("import sys; sys.exit('no')", 1, ["no"]),
        ("import os; os.kill(os.getpid(), 9)", -9, []),
        ("import os; os.kill(os.getpid(), 15)", -15, []),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11, []),
        (
            "import atexit; atexit.register(print, 'bye'); file = open('/opt/ml/x', 'w'); file.write('1')",
            0,
            ["bye"],
        ),
        (
            "import threading; threading.Timer(0.1, print, ['late']).start()",
            0,
            ["late"],
        ),
        ("1 / 0", 1, ["Traceback (most recent call last):", '  File "JOB", line 1, in <module>', "MARK"]),
        ("1 +", 1, ['  File "JOB", line 1', "    1 +", "MARK"]),
    ],
)
def test_it_ends_as_a_started_one_does(
    bench: Callable[..., Bench], script: str, status: int | str, said: list[str]
) -> None:
    """Status and words of the end are the same, whatever the end is."""
    here = bench()
    here.warm()
    started = here.run(script, is_forked=False)
    assert here.run(script) == started
    job = str(here.place / "job.py")
    assert started[0] == status
    assert [line.replace(job, "JOB") for line in started[1]][: len(said)] == said or "MARK" in said


def test_nothing_of_one_job_reaches_the_next(bench: Callable[..., Bench]) -> None:
    """Modules, environment, directory, files and random numbers are each job's own."""
    here = bench('"json", "random", "numpy"')
    here.warm()
    script = """
import json, os, random, sys, numpy
print(hasattr(json, "spoilt"), "SPOILT" in os.environ, "decimal" in sys.modules, os.listdir("/opt/ml"))
print(random.random(), numpy.random.rand())
json.spoilt, os.environ["SPOILT"] = True, "1"
import decimal
os.chdir("/"); os.umask(0o777); open("/opt/ml/made", "w").close()
"""
    found = [here.run(script)[1] for _ in range(3)]
    assert [lines[0] for lines in found] == ["False False False []"] * 3
    assert len({number for lines in found for number in lines[1].split()}) == 6


def test_it_outlives_its_zygote(bench: Callable[..., Bench]) -> None:
    """The shim is nobody's child that matters: a job whose zygote was killed ends with its own status."""
    here = bench()
    zygote = here.warm()
    (here.place / "job.py").write_text(
        f"import os, time\nprint('up')\nwhile not os.path.exists('{here.place}/go'): time.sleep(0.01)\n"
        "raise SystemExit(5)"
    )
    running = here.start()
    while not here.lines():
        time.sleep(0.01)
    os.kill(zygote, signal.SIGKILL)
    adopted = process.adopt(running.workspace)
    assert adopted is not None
    assert adopted.is_alive()
    (here.place / "go").touch()
    assert adopted.wait(30) == 5
    # the next one is started anew, and brings a new zygote
    assert here.run("raise SystemExit(6)") == (6, [])
    assert here.run("raise SystemExit(7)") == (7, [])
    assert here.warm() != zygote


def test_the_whole_group_is_ended(bench: Callable[..., Bench]) -> None:
    """A signal reaches what the job has started, and the job's own handler is called."""
    here = bench()
    here.warm()
    (here.place / "job.py").write_text(
        "import signal, subprocess, sys\n"
        "child = subprocess.Popen(['sleep', '100'])\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print(child.pid)\nsignal.pause()\n"
    )
    running = here.start()
    while not here.lines():
        time.sleep(0.01)
    running.terminate()
    assert running.wait(30) == 9
    child = int(here.lines()[0])
    deadline = time.monotonic() + 10
    while shim.started(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_whose_shim_was_killed_is_lost(bench: Callable[..., Bench]) -> None:
    """Nobody saw its end; it is ended and counted as killed."""
    here = bench()
    here.warm()
    (here.place / "job.py").write_text("import os, time\nprint(os.getpid())\ntime.sleep(100)")
    running = here.start()
    while not here.lines():
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait(30) == LOST
    deadline = time.monotonic() + 10
    while shim.started(int(here.lines()[0])):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("module", "reason"),
    [("raise ValueError('broken')", "ValueError: broken"), ("threads", "has left 1 thread")],
)
def test_without_a_zygote_processes_are_started_anew(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture, module: str, reason: str
) -> None:
    """A failing import, or one that leaves a thread which a fork would lose, is logged once; jobs go on."""
    script = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    here = bench('"preloaded"', "")
    (here.place / "preloaded.py").write_text(script if module == "threads" else module)
    assert here.run("print(1)") == (0, ["1"])
    here.forks.wait()
    assert here.run("print(2)") == (0, ["2"])
    here.forks.wait()
    assert caplog.text.count(reason) == 1
    assert here.forks.ready() == []


@pytest.mark.parametrize("isolation", list(Isolation))
def test_it_sees_its_workspace(bench: Callable[..., Bench], isolation: Isolation) -> None:
    """In every way that this machine can show it."""
    here = bench()
    here.warm()
    if isolation is not Isolation.NONE and available(here.place) is Isolation.NONE:
        pytest.skip("this machine refuses mount namespaces")
    (here.place / "job.py").write_text(
        "import os\nbase = os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml')\n"
        "print(open(f'{base}/given').read(), os.getcwd())"
    )
    workspace = here.place / "own"
    for layer in ("ml", "linked"):
        (workspace / layer).mkdir(parents=True)
    (workspace / "ml/given").write_text("seen")
    spec = ProcessSpec(
        here.image.command("process"),
        here.image.variables({"OMP_NUM_THREADS": "2"}, here.image.folder),
        workspace,
        here.place / "log",
        isolation=isolation,
    )
    assert process.start(spec, here.forks).wait(30) == 0
    [*_, line] = [event.message for event in logs.read(here.place / "log")]
    assert line == f"seen {workspace / 'ml' if isolation is Isolation.NONE else '/opt/ml'}"
    forked = json.loads((workspace / "run/spec.json").read_text())["argv"]
    assert forked == list(here.image.command("process"))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("py", "-I", "-u", "s.py", "x"), ("py", "-I", "-u", "s.py")),
        (("py", "s.py"), ("py", "s.py")),
        (("py", "-m", "module"), None),
        (("py", "-c", "print()"), None),
        (("py", "-X", "dev", "s.py"), None),
        (("sh", "s.py"), None),
        (("py",), None),
    ],
)
def test_only_a_script_of_the_interpreter_is_forked(
    argv: tuple[str, ...], expected: tuple[str, ...] | None
) -> None:
    """Anything else is started anew."""
    assert head_of(argv, "py") == expected
