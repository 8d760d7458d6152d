"""The code that travels to the jobs, as an archive and as digests."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from include.core.exceptions import PermanentError
from include.core.settings import PROJECT

#: the parser of Python 3.11 counts its depth for all threads together, and triggers look in threads
_PARSING = threading.Lock()
#: steps whose code is another module's than their name says
MODULES = {"batch_transform": "serve"}


def archive_files(cycle: str, root: Path = PROJECT) -> list[Path]:
    """What a job of a cycle gets: include/core, include/steps, include/ml and the cycle's package."""
    include = root / "include"
    single = [include / "__init__.py", *(include / "cycles").glob("*.py")]
    trees = [include / "core", include / "steps", include / "ml", include / "cycles" / cycle]
    return sorted(single + [path for tree in trees for path in _sources(tree)])


def archive(files: Iterable[Path], root: Path = PROJECT) -> bytes:
    """The files as a tar.gz that is the same for the same files, whenever and by whomever it is made."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            content = path.read_bytes()
            # a fresh TarInfo has no owner and no time, and a plain mode
            entry = tarfile.TarInfo(path.relative_to(root).as_posix())
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def digest_of(files: Iterable[Path], root: Path = PROJECT) -> str:
    """SHA-256 over names and contents: independent of how a zlib compresses."""
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        name, content = path.relative_to(root).as_posix(), path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@lru_cache(maxsize=64)
def step_digest(step: str, cycle: str, root: Path = PROJECT) -> str:
    """Digest of the code that can change a step's output.

    That is the module of the step and the cycle's package, with all they import from include/.
    Cached for the life of the process: a task lives shortly, and its code should not change under it.
    """
    return digest_of(step_files(step, cycle, root), root)


def step_files(step: str, cycle: str, root: Path = PROJECT) -> set[Path]:
    """The files that `step_digest` is the digest of."""
    module = root / "include/steps" / f"{MODULES.get(step, step)}.py"
    if not module.is_file():
        raise PermanentError(f"Step {step} has no code: {module.relative_to(root)} is missing.")
    return closure([module, *_sources(root / "include/cycles" / cycle)], root)


def closure(files: Iterable[Path], root: Path = PROJECT) -> set[Path]:
    """`files` and everything within include/ that they import, directly or not."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imported(path, root))
    return found


def _sources(tree: Path) -> list[Path]:
    """Every file below `tree` except what Python made itself."""
    return sorted(p for p in tree.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _imported(path: Path, root: Path) -> Iterator[Path]:
    """The files within include/ that one file imports, with the `__init__` of each package on the way."""
    if path.suffix != ".py":
        return
    for name in _imported_names(path):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            place = root.joinpath(*parts[:depth])
            yield from (p for p in (place / "__init__.py", place.with_suffix(".py")) if p.is_file())


def _imported_names(path: Path) -> Iterator[str]:
    """Absolute names of what a file imports from include; the last part may be a name inside a module."""
    with _PARSING:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "include")
