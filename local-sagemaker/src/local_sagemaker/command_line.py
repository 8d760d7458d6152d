"""The options of the command line, checked before anything is started."""

from __future__ import annotations

import argparse
import ipaddress
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from local_sagemaker.auth import credentials
from local_sagemaker.service import Options
from local_sagemaker.storage.objects.places import BUCKET

#: images that every service knows; those that the command line names come first
ALWAYS = tuple(sorted((Path(__file__).resolve().parent / "engine/algorithms/images").glob("*.toml")))


def options_from(arguments: Sequence[str]) -> Options:
    """Return the options of the command line; a wrong one ends the process with status 2."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if wrong := _wrong(given):
        parser.error(wrong)
    try:
        keys = credentials.from_environment(os.environ)
        keys |= credentials.read(given.credentials) if given.credentials else {}
    except credentials.CredentialsError as error:
        parser.error(str(error))
    if not keys and not _is_loopback(given.host):
        parser.error(
            f"--host {given.host} can be reached from other machines, and this service runs whatever code "
            "it is given. Say whose requests it answers with --credentials, or use 127.0.0.1."
        )
    return Options(
        root=given.root.resolve(),
        host=given.host,
        port=given.port,
        images=(*(image.resolve() for image in given.image), *ALWAYS),
        notebooks=given.notebooks.resolve() if given.notebooks else None,
        jobs=given.jobs,
        serverless_idle_s=given.serverless_idle,
        buckets=tuple(given.bucket),
        keys=keys,
        is_reset=given.reset,
        is_confirmed=given.yes,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local-sagemaker", description="Run the local SageMaker until it is stopped."
    )
    add = parser.add_argument
    add("--version", action="version", version=f"%(prog)s {version('local-sagemaker')}")
    add("--root", type=Path, required=True, help="directory of everything the service keeps")
    add("--port", type=int, default=4566, help="0 takes any free port (default: 4566)")
    add("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    add("--bucket", action="append", default=[], help="bucket to make if it is not there, may be repeated")
    add("--image", type=Path, action="append", default=[], help="image.toml of an image, may be repeated")
    add("--notebooks", type=Path, help="folder of samples that new notebook instances are given")
    add("--jobs", type=int, default=2, help="jobs that run at the same time (default: 2)")
    add(
        "--serverless-idle",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long a serverless container may have nothing to do before it is stopped (default: 300)",
    )
    add(
        "--credentials",
        type=Path,
        help="access keys, as in ~/.aws/credentials: requests must then be signed by one of them",
    )
    add("--reset", action="store_true", help="delete what the service has kept in --root, and end")
    add("--yes", action="store_true", help="let --reset ask nothing")
    return parser


def _wrong(given: argparse.Namespace) -> str | None:
    """Return what is wrong with a single option, or None."""
    for image in given.image:
        if not image.is_file():
            return f"--image {image}: there is no such file."
    for bucket in given.bucket:
        if not BUCKET.fullmatch(bucket):
            return f"--bucket {bucket}: a bucket's name is 3 to 63 of a-z, 0-9, dot, hyphen."
    if given.notebooks is not None and not given.notebooks.is_dir():
        return f"--notebooks {given.notebooks}: there is no such folder."
    if given.jobs < 1:
        return f"--jobs {given.jobs}: at least 1 job must be allowed to run."
    if not given.serverless_idle >= 0:
        return f"--serverless-idle {given.serverless_idle}: give a number of seconds, 0 or more."
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
