"""Finds the user's code: an archive in S3, or a folder of the container."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
import tarfile
import tempfile
from pathlib import Path

from local_sagemaker.storage.archives import extract

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CodeError(Exception):
    """The user's code is not there, or cannot be unpacked."""


def fetch(directory: str, folder: Path) -> Path:
    """Return the folder with the code of `directory`: an S3 URI of a .tar.gz, or a path of the container."""
    if not directory.startswith("s3://"):
        return Path(directory.removeprefix("file://"))
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "source.tar.gz"
        _download(directory, archive)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tarfile.open(archive) as tar:
                extract(tar, folder)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise CodeError(
                f"Cannot unpack {directory}: {error}. It must be a .tar.gz of your code."
            ) from error
    return folder


def program(folder: Path, name: str) -> Path:
    """Return the user's script in its folder."""
    path = folder / name
    if not path.is_file():
        found = ", ".join(sorted(entry.name for entry in folder.glob("*"))) or "nothing"
        raise CodeError(
            f"There is no {name} in {folder}, which holds {found}. Name the script as it is packed."
        )
    return path


def tell_missing(folder: Path) -> None:
    """Say which requirements of the user's are not installed here; this environment is not changed."""
    path = folder / "requirements.txt"
    if not path.is_file():
        return
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    names = [found.group() for line in lines if (found := REQUIREMENT.match(line))]
    missing = [name for name in names if not _is_installed(name)]
    if missing:
        sys.stderr.write(
            f"requirements.txt is not installed by the local SageMaker; not there: {', '.join(missing)}. "
            "Install it where the service runs, or describe an environment that has it in an image.toml.\n"
        )


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _download(uri: str, target: Path) -> None:
    import boto3  # noqa: PLC0415 (slow to import, and code in the container needs none)
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        boto3.client("s3").download_file(bucket, key, str(target))
    except (BotoCoreError, ClientError, OSError) as error:
        raise CodeError(f"Cannot download the code {uri}: {error}.") from error
