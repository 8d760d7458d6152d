"""Images: which local environment an image URI means, and what to run in it.

An image is described by an `image.toml`:

    uri = ["greeter:*", "*/greeter:*"]        # shell patterns
    python = "{dir}/.venv/bin/python"         # optional; else the interpreter of this service
    stop_grace_s = 5                          # optional; between SIGTERM and SIGKILL, else SageMaker's 120
    [entry_points]                            # argv by role; {python} and {dir} are filled in
    train = ["{python}", "-u", "{dir}/entrypoint.py", "train"]
    [environment]                             # set in every process of the image
    MPLBACKEND = "Agg"
    [preload]                                 # optional; see forks.py
    modules = ["pandas"]                      # what a zygote imports before it forks the image's processes
    free = ["LAB_*"]                          # variables that no import of these reads, as shell patterns

or, where its processes are to be Docker containers, [docker] in place of [entry_points]:

    [docker]
    image = "{uri}"                           # optional; the reference to run, {uri} is the one asked for
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from local_sagemaker.engine.processes import docker

#: SageMaker's time between SIGTERM and SIGKILL
STOP_GRACE_S = 120.0
ROLES = ("train", "serve", "process")


class UnknownImageError(Exception):
    """No local environment is known for an image URI."""


class ImageFileError(Exception):
    """An image.toml that cannot be used."""


@dataclass(frozen=True)
class Image:
    """One local environment."""

    #: folder of its image.toml
    folder: Path
    #: shell patterns of the image URIs that mean it
    patterns: tuple[str, ...]
    #: its interpreter
    python: str
    #: argv by role, ready to run
    entry_points: Mapping[str, tuple[str, ...]]
    #: what its processes are given besides the request's environment
    environment: Mapping[str, str]
    #: seconds between SIGTERM and SIGKILL when a job of it is stopped
    stop_grace_s: float = STOP_GRACE_S
    #: modules that are imported once and then forked with
    preload: tuple[str, ...] = ()
    #: patterns of variables that may differ between forks of one process
    preload_free: tuple[str, ...] = ()
    #: reference of the Docker image that it is; empty: its processes are this machine's
    docker: str = ""

    def command(
        self, role: str, entrypoint: Sequence[str] | None = None, arguments: Sequence[str] | None = None
    ) -> tuple[str, ...]:
        """Return what to run: the request's entry point if it has one, else the image's for `role`.

        An entry point whose first word names one of the image's (`process`) means that one, as the name of a
        program on the PATH would in a container; any other is run as it stands, with the image's own
        interpreter first on the PATH. UnknownImageError if the image has nothing for `role`.
        """
        if self.docker:
            return docker.command(self.docker, role, entrypoint, arguments, self.stop_grace_s)
        words = tuple(entrypoint or (role,))
        known = self.entry_points.get(words[0])
        if known is None and not entrypoint:
            raise UnknownImageError(
                f"The image in {self.folder} has no entry point {role!r}. Add it to its image.toml."
            )
        return (*(known or words[:1]), *words[1:], *(arguments or ()))

    def variables(self, given: Mapping[str, str] | None, workspace: Path) -> dict[str, str]:
        """Return a process's environment: bare as a container's, then the image's, then what was `given`."""
        if self.docker:
            return {**self.environment, **(given or {}), docker.WORKSPACE: str(workspace)}
        home = {"HOME": os.environ.get("HOME", "/")}
        return {**bare_environment(self.python), **home, **self.environment, **(given or {})}


class Images:
    """All images of one service, from their image.toml files; the first that fits is taken."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.images = [read(path) for path in paths]

    def resolve(self, uri: str) -> Image:
        """Return the image of `uri`; raise UnknownImageError, with the known patterns, if there is none."""
        for image in self.images:
            if any(fnmatchcase(uri, pattern) for pattern in image.patterns):
                return replace(image, docker=image.docker.replace("{uri}", uri))
        known = ", ".join(pattern for image in self.images for pattern in image.patterns) or "none"
        raise UnknownImageError(
            f"No local environment is known for the image {uri!r} (known patterns: {known}). "
            "Give one of these, or describe the image in an image.toml and start the service with it."
        )


def read(path: Path) -> Image:
    """Return the image that one image.toml describes; raise ImageFileError if the file is wrong."""
    try:
        return _image(path.resolve().parent, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImageFileError(
            f"Cannot use the image file {path} ({type(error).__name__}: {error}). It needs `uri` (a list "
            f"of patterns) and [entry_points] with lists of words under some of {', '.join(ROLES)}, "
            "or [docker]."
        ) from error


def _image(folder: Path, declared: dict[str, Any]) -> Image:
    python = fill(declared.get("python", "{python}"), folder)
    reference = _reference(declared)
    entry_points = {
        role: tuple(fill(word, folder, python) for word in _words(words))
        for role, words in ({} if reference else declared["entry_points"]).items()
    }
    preload = declared.get("preload", {})
    return Image(
        folder,
        patterns=tuple(_words(declared["uri"])),
        python=python,
        entry_points=entry_points,
        environment={
            name: fill(value, folder, python) for name, value in declared.get("environment", {}).items()
        },
        stop_grace_s=float(declared.get("stop_grace_s", STOP_GRACE_S)),
        preload=tuple(_words(preload["modules"])) if preload else (),
        preload_free=tuple(_words(preload["free"])) if "free" in preload else (),
        docker=reference,
    )


def _reference(declared: Mapping[str, Any]) -> str:
    """Return the Docker image of an image file; empty if it is none."""
    if "docker" not in declared:
        return ""
    table = declared["docker"]
    if clash := sorted({"entry_points", "preload", "python"} & set(declared)):
        raise ValueError(f"an image with [docker] has no {', '.join(clash)}")
    if unknown := sorted(set(table) - {"image"}):
        raise ValueError(f"[docker] has no {', '.join(unknown)}")
    reference = table.get("image", "{uri}")
    if not isinstance(reference, str) or not reference or reference.startswith("-"):
        raise ValueError(f"{reference!r} is not the reference of a Docker image")
    return reference


def _words(value: object) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{value!r} is not a list of words")
    return value


def fill(value: object, folder: Path, python: str = sys.executable) -> str:
    """Return a word of a declaration with {dir} and {python} filled in."""
    # not str.format: a word may hold braces of its own
    return str(value).replace("{python}", python).replace("{dir}", str(folder))


def bare_environment(python: str) -> dict[str, str]:
    """Return what every process finds in its environment: no more than in a container.

    :param python: the interpreter, whose folder comes first on the PATH.
    """
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "LANG": "C.UTF-8"}
