"""Runs one Docker container as a job's process: a program of its own, for images with [docker] in image.toml.

`command` makes its command line, in the service. The program's environment is the container's, but for the
Docker client's own, which stands in the command line. SIGTERM becomes `docker stop`. A second process of the
program (`reap`), in a session of its own, waits for the program's end and then removes the container: neither
SIGKILL nor a lost shim leaves one running. Standard library only.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

#: variable of the program alone: the folder whose `ml` the container sees as /opt/ml
WORKSPACE = "LOCAL_SAGEMAKER_WORKSPACE"
PORT_VARIABLE = "SAGEMAKER_BIND_TO_PORT"
#: what the program is told, and a container is not: there /opt/ml is what it is
NOT_PASSED = (WORKSPACE, "SAGEMAKER_BASE_DIR")
#: what the Docker client may need of the service's environment
CLIENT = ("PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
          "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")  # fmt: skip
#: where containers that serve listen, as in SageMaker
SERVING_PORT = 8080
LABEL = "local-sagemaker"
#: what the program exits with when there is no container, as `docker run` does
NO_CONTAINER = 125
#: how often a request to the daemon is made again, seconds
PAUSE_S = 0.3
#: for how long the end of a container that is not there is waited for: its creation may be under way
REAP_S = 3.0
#: for how long a daemon that refuses to remove one is asked again
LIMIT_S = 60.0


class DockerError(Exception):
    """No container could be made; the text says what to do."""


def command(
    reference: str,
    role: str,
    entrypoint: Sequence[str] | None,
    arguments: Sequence[str] | None,
    grace_s: float,
) -> tuple[str, ...]:
    """Return the words that start an image's program; the container runs as the service's user.

    `train` and `serve` are the container's first argument unless the request has an entry point.
    """
    own = (role,) if role != "process" and not entrypoint else ()
    plan = {
        "image": reference,
        "is_server": role == "serve",
        "entrypoint": list(entrypoint or ()),
        "arguments": [*own, *(arguments or ())],
        "user": f"{os.getuid()}:{os.getgid()}",
        "grace_s": grace_s,
        "client": {name: os.environ[name] for name in CLIENT if name in os.environ},
    }
    return (sys.executable, "-I", "-S", str(Path(__file__)), json.dumps(plan))


def create_words(
    plan: Mapping[str, Any], environment: Mapping[str, str], name: str, *, is_rootless: bool = False
) -> list[str]:
    """Return the words after `docker` that create the container; values of variables are not among them."""
    workspace = environment[WORKSPACE]
    words = ["create", "--rm", "--init", "--pull", "never", "--name", name, "--stop-signal", "SIGTERM"]
    words += ["--label", f"{LABEL}.workspace={workspace}", "--label", f"{LABEL}.pid={os.getpid()}"]
    words += ["--mount", f'type=bind,"source={workspace}/ml",target=/opt/ml', "--workdir", "/opt/ml"]
    if not is_rootless:  # there the container's root is the service's user already
        words += ["--user", plan["user"]]
        if not plan["user"].startswith("0:") and "HOME" not in environment:
            words += ["--env", "HOME=/tmp"]  # the image may not know this user, whose home would be /
    passed = {name: value for name, value in environment.items() if name not in NOT_PASSED}
    if plan["is_server"]:
        words += ["--publish", f"127.0.0.1:{passed[PORT_VARIABLE]}:{SERVING_PORT}"]
        passed.pop(PORT_VARIABLE)
        words += ["--env", f"{PORT_VARIABLE}={SERVING_PORT}"]
    else:
        words += ["--network", "host"]
    for variable in sorted(passed):
        # by name alone the client takes the value from its environment, where some would change what it does
        words += ["--env", f"{variable}={passed[variable]}" if _is_clients(variable) else variable]
    if plan["entrypoint"]:
        words += ["--entrypoint", plan["entrypoint"][0]]
    return [*words, plan["image"], *plan["entrypoint"][1:], *plan["arguments"]]


def ask(environment: Mapping[str, str], *words: str) -> str:
    """Return the output of a command of the Docker client; raise DockerError with its message."""
    try:
        done = subprocess.run(  # noqa: S603 (the words are ours, or the image's)
            ["docker", *words],  # noqa: S607 (wherever it is installed)
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise DockerError(
            "There is no `docker` on the service's PATH. Install the Docker client, or describe the image by "
            "[entry_points] in its image.toml."
        ) from error
    if done.returncode:
        raise DockerError(done.stderr.strip() or f"docker {words[0]} ended with {done.returncode}.")
    return done.stdout.strip()


class Run:
    """One container from its creation to its end."""

    def __init__(self, plan: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.plan, self.environment = plan, dict(environment)
        passed = {name: value for name, value in environment.items() if not _is_clients(name)}
        self.client_environment = {**passed, **plan["client"]}
        self.ask = functools.partial(ask, self.client_environment)
        digest = hashlib.sha256(self.environment[WORKSPACE].encode()).hexdigest()[:12]
        #: no two runs have the same, so the end of one never removes another
        self.name = f"{LABEL}-{digest}-{os.getpid()}"
        self.client: subprocess.Popen[bytes] | None = None
        self.is_stopping = False

    def stop(self, *_: object) -> None:
        """Let the container end; it may not have started yet."""
        if not self.is_stopping:
            self.is_stopping = True
            threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        while self.client is None or self.client.returncode is None:
            with suppress(DockerError):
                self.ask("stop", "--time", str(math.ceil(self.plan["grace_s"])), self.name)
            time.sleep(PAUSE_S)

    def run(self, announce: Callable[[], object]) -> int:
        """Create, start, and wait; the container's exit code. `announce` is called before there is one."""
        is_rootless = self._check()
        # what a run in this workspace has left behind that ended with the machine or the daemon
        label = f"label={LABEL}.workspace={self.environment[WORKSPACE]}"
        form = f'{{{{.ID}}}} {{{{.Label "{LABEL}.pid"}}}}'
        for line in self.ask("ps", "--all", "--filter", label, "--format", form).splitlines():
            container, _, pid = line.partition(" ")
            if not _is_run(pid):
                with suppress(DockerError):  # it may be on its way out
                    self.ask("rm", "--force", "--volumes", container)
        announce()
        self.ask(*create_words(self.plan, self.environment, self.name, is_rootless=is_rootless))
        if self.is_stopping:
            return 128 + signal.SIGTERM
        # its output is this program's; a signal to the group does not reach it
        self.client = subprocess.Popen(  # noqa: S603
            ["docker", "start", "--attach", self.name],  # noqa: S607
            env=self.client_environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        return self.client.wait()

    def _check(self) -> bool:
        """Whether the daemon is one without root; DockerError if none answers, or it has no such image."""
        try:
            options = self.ask("info", "--format", "{{.SecurityOptions}}")
        except DockerError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise
            raise DockerError(
                f"No Docker daemon answers: {error} Start it, or let the service's user reach it."
            ) from error
        image = self.plan["image"]
        try:
            self.ask("image", "inspect", "--format", "{{.Id}}", image)
        except DockerError as error:
            raise DockerError(
                f"Docker has no image {image!r} here: {error} Nothing is pulled for a job: build it, or run "
                f"`docker pull {image}`, and start again."
            ) from error
        return "name=rootless" in options


def reap(name: str) -> int:
    """Wait for the end of the program that holds the other end of our input, then remove its container."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if not sys.stdin.buffer.read():
        return 0  # it has never asked for a container
    deadline = time.monotonic() + REAP_S
    while True:
        is_over = time.monotonic() > deadline
        try:
            # of a container that is not there, some versions complain, and others do not
            ask(os.environ, "rm", "--force", "--volumes", name)
        except DockerError as error:
            is_over &= "No such container" in str(error) or time.monotonic() > deadline + LIMIT_S
        if is_over:
            return 0
        time.sleep(PAUSE_S)


def main(plan: Mapping[str, Any]) -> int:
    """Run the container of a plan; its exit code, or NO_CONTAINER with the reason as the last words."""
    run = Run(plan, os.environ)
    signal.signal(signal.SIGTERM, run.stop)
    reaper = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", __file__, "--reap", run.name],
        env=dict(plan["client"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    try:
        return run.run(lambda: os.write(reaper.stdin.fileno(), b"."))  # type: ignore[union-attr]
    except DockerError as error:
        sys.stderr.write(f"{error}\n")
        return NO_CONTAINER
    finally:
        reaper.returncode = 0  # it outlives this program; nobody waits for it


def _is_clients(variable: str) -> bool:
    """Whether a variable means something to the Docker client itself."""
    return variable in CLIENT or variable.startswith(("DOCKER_", "LD_"))


def _is_run(pid: str) -> bool:
    with suppress(OSError, ValueError):
        return __file__.encode() in Path(f"/proc/{int(pid)}/cmdline").read_bytes()
    return False


if __name__ == "__main__":
    sys.exit(reap(sys.argv[2]) if sys.argv[1] == "--reap" else main(json.loads(sys.argv[1])))
