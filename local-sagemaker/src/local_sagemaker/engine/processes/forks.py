"""The fork servers of a service: which process can be forked instead of started anew, and from what.

An image names modules in the table `preload` of its image.toml. The first process of one of its entry points
is started as ever, and beside it a zygote (zygote.py) with the same interpreter, options and environment;
later ones are forked from that. What differs between the environments of two processes must not matter to
an import: only the variables that `free` names may differ, any other difference means another zygote.

A zygote is a convenience: whatever is wrong with one, processes are started without it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from local_sagemaker.engine.processes.image import Image, Images

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("zygote.py")
#: zygotes at a time; each holds its modules in memory, once for itself and all its jobs
LIMIT = 2
#: a zygote that nobody needed for so long ends; it comes back when it is needed
IDLE_S = 1800.0
#: how long the imports may take, and how long a fork
READY_S, LAUNCH_S = 60.0, 15.0
#: variables that are every job's own, whatever the image
FREE = ("TRAINING_JOB_*", "PROCESSING_JOB_*", "SAGEMAKER_BIND_TO_PORT", "SAGEMAKER_BASE_DIR")
#: options of an interpreter that stand alone
OPTION = re.compile(r"-[bBdEIOPqsSuv]+")


class ForkError(Exception):
    """A zygote could not do what it is for."""


class Zygote:
    """One zygote process. `is_ready` says whether it can fork."""

    def __init__(self, image: Image, head: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.is_ready = False
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        *python, script = head
        words = [str(theirs.fileno()), str(IDLE_S), script, *image.preload]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (the image's own interpreter)
                [*python, str(PROGRAM), *words],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
            )
        self.pid = self._process.pid

    def wait(self) -> None:
        """Wait until the modules are imported; ForkError says what was wrong with that."""
        self._control.settimeout(READY_S)
        try:
            answer = json.loads(self._control.recv(65_536) or b"{}")
        except (OSError, ValueError) as error:
            raise ForkError(f"no answer within {READY_S:g} s ({error})") from error
        if "ready" not in answer:
            raise ForkError(answer.get("error", "it ended at once"))
        self._control.settimeout(LAUNCH_S)
        self.is_ready = True

    def launch(self, workspace: Path, isolation: str) -> None:
        """Fork a shim for a workspace; returns when it has recorded itself, else ForkError."""
        order = json.dumps({"workspace": str(workspace.absolute()), "isolation": isolation}).encode()
        recorded, recorded_end = os.pipe()
        errors, errors_end = os.pipe()
        with os.fdopen(recorded, "rb"), os.fdopen(errors, "rb"):
            try:
                with self._lock:
                    socket.send_fds(self._control, [order], [recorded_end, errors_end])
            except OSError as error:
                raise ForkError(f"the zygote has ended ({error})") from error
            finally:
                os.close(recorded_end)
                os.close(errors_end)
            if not select.select([recorded], [], [], LAUNCH_S)[0]:
                raise ForkError(f"it has not forked within {LAUNCH_S:g} s")
            if not (workspace / "run/process.json").exists():
                raise ForkError(os.read(errors, 4096).decode("utf-8", "replace") or "it forked nothing")

    def close(self) -> None:
        """End the zygote; what it has forked goes on."""
        self.is_ready = False
        self._process.kill()
        self._process.wait()
        self._control.close()


class Forks:
    """All zygotes of a service, by what has to be the same for a fork to be like a start."""

    def __init__(self, images: Images) -> None:
        self._images = [image for image in images.images if image.preload]
        self._zygotes: dict[tuple[object, ...], Zygote | None] = {}
        self._lock = threading.Lock()
        self._is_closed = not sys.platform.startswith("linux")

    def launch(
        self, argv: tuple[str, ...], environment: Mapping[str, str], workspace: Path, isolation: str
    ) -> bool:
        """Fork a process for a workspace that has its `run/spec.json`; False if it is to be started anew."""
        key, zygote = self._find(argv, environment)
        if zygote is None or not zygote.is_ready:
            return False
        try:
            zygote.launch(workspace, isolation)
        except ForkError as error:
            log.warning("A process for %s is started anew, and not forked: %s", workspace, error)
            with self._lock:
                if self._zygotes.get(key) is zygote:
                    del self._zygotes[key]
            zygote.close()
            return False
        return True

    def ready(self) -> list[int]:
        """Return the process ids of the zygotes that can fork."""
        with self._lock:
            return [zygote.pid for zygote in self._zygotes.values() if zygote is not None and zygote.is_ready]

    def wait(self) -> None:
        """Wait until no zygote is on its way; for measurements and tests."""
        for thread in threading.enumerate():
            if thread.name.startswith("zygote-"):
                thread.join()

    def close(self) -> None:
        """End all zygotes."""
        with self._lock:
            self._is_closed = True
            zygotes = [zygote for zygote in self._zygotes.values() if zygote is not None]
            self._zygotes.clear()
        for zygote in zygotes:
            zygote.close()

    def _find(
        self, argv: tuple[str, ...], environment: Mapping[str, str]
    ) -> tuple[tuple[object, ...], Zygote | None]:
        images = (
            image
            for image in self._images
            for words in image.entry_points.values()
            if argv[: len(words)] == tuple(words)
        )
        image = next(images, None)
        head = None if image is None else head_of(argv, image.python)
        if image is None or head is None:
            return (), None
        free = (*FREE, *image.preload_free)
        common = {
            name: value
            for name, value in environment.items()
            if not any(fnmatchcase(name, pattern) for pattern in free)
        }
        key = (image.folder, head, tuple(sorted(common.items())))
        with self._lock:
            if self._is_closed:
                return key, None
            if key in self._zygotes:
                self._zygotes[key] = self._zygotes.pop(key)  # the least recently used comes first
            else:
                self._begin(key, image, head, common)
            return key, self._zygotes[key]

    def _begin(
        self, key: tuple[object, ...], image: Image, head: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        """Start a zygote, in the place of the least recently used one if there are too many."""
        living = [key for key, zygote in self._zygotes.items() if zygote is not None]
        while len(living) >= LIMIT:
            old = self._zygotes.pop(living.pop(0))
            if old is not None:
                old.close()
        try:
            zygote = self._zygotes[key] = Zygote(image, head, environment)
        except OSError as error:
            self._zygotes[key] = None
            log.warning("No zygote for %s: %s", image.folder, error)
            return
        threading.Thread(
            target=self._watch, args=(key, zygote), name=f"zygote-{id(zygote)}", daemon=True
        ).start()

    def _watch(self, key: tuple[object, ...], zygote: Zygote) -> None:
        try:
            zygote.wait()
        except ForkError as error:
            with self._lock:
                is_known = self._zygotes.get(key) is zygote
                if is_known:
                    self._zygotes[key] = None  # it would fail again: not tried until the service starts anew
            zygote.close()
            if is_known:
                log.warning("Processes of %s are not forked: %s", key[0], error)


def head_of(argv: tuple[str, ...], python: str) -> tuple[str, ...] | None:
    """Interpreter, options and script of a command; None if it is no script for this interpreter."""
    if not argv or argv[0] != python:
        return None
    for count, word in enumerate(argv[1:], start=1):
        if not word.startswith("-"):
            return argv[: count + 1]
        if not OPTION.fullmatch(word):
            return None
    return None
