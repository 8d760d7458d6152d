"""A process that has imported what jobs need, and forks itself for each of them.

Run by the image's interpreter with the options of its entry point, as `zygote.py SOCKET IDLE_S SCRIPT
MODULE...`. It imports the modules, says so on the socket, and waits. Each message there names a workspace;
two pipes come with it. For each it forks a shim (shim.py), which enters a mount namespace of its own, forks
the job and sees its end: neither needs the zygote or the service any more. The job runs the script just as
the interpreter would: as `__main__`, with its own arguments, environment, directory and descriptors, and a
normal way out.

No job's code ever runs in the zygote, so nothing of one job can reach another. The environment is the job's
already while modules are imported, but for variables that are the job's alone. A fork takes one thread along:
a zygote in which an import has left a thread says so and ends. Standard library only; needs no package.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import gc
import importlib
import importlib.machinery
import json
import os
import random
import signal
import socket
import sys
import time
import types
from typing import Any, NoReturn

#: threads that their library stops before a fork and starts again after it, or can do without
FORK_SAFE = {"jemalloc_bg_thd"}
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MESSAGE_BYTES = 65_536
#: what a job may not find changed by the shim that forked it
SIGNALS: tuple[int, ...] = (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)


class ForkedJob(BaseException):
    """Unwinds the stack of a process just forked for a job, so that nothing of the shim is left on it."""

    def __init__(self, argv: list[str]) -> None:
        super().__init__()
        self.argv = argv


def main(words: list[str]) -> list[str] | None:
    """Be a zygote until the service goes; returns, in each forked job alone, the script and its arguments."""
    control = socket.socket(fileno=int(words[0]))
    script, modules = words[2], words[3:]
    # what the interpreter would have put there: the folder of the script, not of this file
    if not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
        sys.path[0] = os.path.dirname(os.path.realpath(script))  # noqa: PTH120 (no more imports than needed)
    # the module beside this file, under a name that no job has
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.py")  # noqa: PTH100, PTH118, PTH120
    loader = importlib.machinery.SourceFileLoader("_sagemaker_shim", path)
    shim = types.ModuleType(loader.name)
    loader.exec_module(shim)
    began, before = time.perf_counter(), dict(os.environ)
    try:
        for module in modules:
            importlib.import_module(module)
        _check_threads()
    except Exception as error:  # noqa: BLE001 - whatever an import raises: the service starts jobs without
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return None
    gc.collect()
    gc.freeze()  # no collection of a job writes to, and so copies, what all share
    pristine = _descriptors() - {control.fileno()}
    made = {name: value for name, value in os.environ.items() if before.get(name) != value}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # shims are reaped by the kernel
    control.settimeout(float(words[1]))
    try:
        control.send(json.dumps({"ready": time.perf_counter() - began}).encode())
    except OSError:
        return None  # the service has gone meanwhile
    try:
        _serve(control, shim, pristine, made)
    except ForkedJob as job:
        return job.argv[job.argv.index(script) :]
    return None


def _serve(control: socket.socket, shim: types.ModuleType, pristine: set[int], made: dict[str, str]) -> None:
    while True:
        try:
            message, pipes, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 2)
        except (TimeoutError, OSError):
            return
        if not message:
            return
        if os.fork() == 0:
            _be_shim({**json.loads(message), "made": made}, pipes, shim, pristine)
        for pipe in pipes:
            os.close(pipe)


def _be_shim(order: dict[str, Any], pipes: list[int], shim: types.ModuleType, pristine: set[int]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(pipes[0], 1)
        os.dup2(pipes[1], 2)
        _close_all_but(pristine)
        if order["isolation"] != "none":
            isolate(order["isolation"] == "overlay", order["workspace"])

        def spawn(spec: dict[str, Any], output: int) -> int:
            # what imports have put into the environment, unless the job says otherwise
            return _fork({**spec, "environment": order["made"] | spec["environment"]}, output, pristine)

        status = shim.main(f"{order['workspace']}/run", spawn)
    except ForkedJob:
        raise
    except BaseException as error:  # noqa: BLE001 - it must not go on as a second zygote
        os.write(2, f"{type(error).__name__}: {error}".encode())
    os._exit(status)


def _fork(spec: dict[str, Any], output: int, pristine: set[int]) -> int:
    """Fork the job; what is a new program's clean state elsewhere is restored by hand here."""
    if spec["cwd"]:
        os.chdir(spec["cwd"])
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # both do it: whoever comes first
        return pid
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, number in ((null, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, number)
        _close_all_but(pristine)
        os.environ.clear()
        os.environ.update(spec["environment"])
        # random numbers of its own, as a new process would have them
        random.seed()
        if (numpy_random := sys.modules.get("numpy.random")) is not None:
            numpy_random.seed()
        argv = spec["argv"]
    except BaseException as error:  # noqa: BLE001 - it must not go on as a second shim
        os.write(2, f"Cannot start the job: {error}\n".encode())
        os._exit(126)
    raise ForkedJob(argv)


def isolate(is_overlay: bool, workspace: str) -> None:  # noqa: FBT001 (what isolation.py's script does)
    """Show the workspace at /opt/ml, in a mount namespace of this process's own; OSError if that fails."""
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWNS | (CLONE_NEWUSER if uid else 0))
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 (no more imports than needed)
                file.write(text)
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    os.makedirs("/opt/ml", exist_ok=True)  # noqa: PTH103
    if is_overlay:
        layers = f"lowerdir={workspace}/linked,upperdir={workspace}/ml,workdir={workspace}/work"
        layers += ",userxattr" if uid else ""
        _call("mount", b"overlay", b"/opt/ml", b"overlay", 0, os.fsencode(layers))
    else:
        _call("mount", os.fsencode(f"{workspace}/ml"), b"/opt/ml", None, MS_BIND, None)
    _hide_database(workspace)


def _hide_database(workspace: str) -> None:
    root = workspace
    while not os.path.exists(f"{root}/sagemaker.sqlite"):  # noqa: PTH110 (no more imports than needed)
        root = root.rpartition("/")[0]
        if not root:
            return
    for name in os.listdir(root):  # noqa: PTH208
        if name.startswith("sagemaker.sqlite"):
            with contextlib.suppress(FileNotFoundError):  # a log of the database may go away meanwhile
                _call("mount", b"/dev/null", os.fsencode(f"{root}/{name}"), None, MS_BIND, None)


def _call(name: str, *arguments: object) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    given = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    if function(*given) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _check_threads() -> None:
    """Fork once, which stops threads of libraries that know of forks; RuntimeError if there are others."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    names = []
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 (no more imports than needed)
        if int(thread) != os.getpid():
            with (
                contextlib.suppress(FileNotFoundError),
                open(f"/proc/self/task/{thread}/comm", encoding="utf-8") as file,  # noqa: PTH123
            ):
                names.append(file.read().strip())
    left = [name for name in names if name not in FORK_SAFE]
    if left:
        raise RuntimeError(f"an import has left {len(left)} thread(s) running, and a fork would lose them")


def _descriptors() -> set[int]:
    """All open descriptors, without that of the folder which lists them."""
    descriptors = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            descriptors.add(int(name))
    return descriptors


def _close_all_but(kept: set[int]) -> None:
    for descriptor in _descriptors() - kept - {0, 1, 2}:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def run(argv: list[str]) -> None:
    """Run a script as `python script arguments` does; what it raises goes to the interpreter's end."""
    sys.argv, script = argv, argv[0]
    module = types.ModuleType("__main__")
    module.__dict__.update({"__builtins__": builtins, "__file__": script})
    sys.modules["__main__"] = module
    sys.excepthook = _excepthook
    try:
        with open(script, "rb") as file:  # noqa: PTH123
            source = file.read()
    except OSError as error:
        sys.stderr.write(f"{sys.executable}: can't open file {script!r}: {error}\n")
        sys.exit(2)
    exec(compile(source, script, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 (its purpose)


def _excepthook(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    """Show a traceback that begins in the job's script."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


if __name__ == "__main__":
    arguments = main(sys.argv[1:])
    if arguments is not None:
        run(arguments)
