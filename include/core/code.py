"""The code that travels to jobs, as an archive, and the digest of the code that a step's key takes in.

What travels is named by its bytes. What counts for a key is read as a syntax tree: comments, docstrings,
formatting and the place of an import change nothing.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from include.core.cycle import find_cycles
from include.core.exceptions import PermanentError
from include.core.settings import PROJECT
from include.core.steps import JOBS, StepRow, job_step

#: the parser of Python 3.11 counts its depth for all threads together, and triggers look in threads
_PARSING = threading.Lock()
#: what a cycle's files import from here counts for them: a cycle may use any of these pure functions
_CYCLES_MAY_USE = "include/ml/"


# The archive


def archive_files(cycle: str, root: Path = PROJECT) -> list[Path]:
    """Return what a job of a cycle gets: include/core, include/steps, include/ml and the cycle's package."""
    include = root / "include"
    single = [include / "__init__.py", *(include / "cycles").glob("*.py")]
    trees = [include / "core", include / "steps", include / "ml", include / "cycles" / cycle]
    return sorted(single + [path for tree in trees for path in tree.rglob("*") if _is_source(path)])


def archive(files: Iterable[Path], root: Path = PROJECT) -> bytes:
    """Return the files as a tar.gz, which is the same for the same files whoever makes it."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            content = path.read_bytes()
            # a fresh TarInfo has no owner and no time, and a plain mode
            entry = tarfile.TarInfo(path.relative_to(root).as_posix())
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def archive_digest(files: Iterable[Path], root: Path = PROJECT) -> str:
    """Return the SHA-256 over names and contents: independent of how a zlib compresses."""
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        name, content = path.relative_to(root).as_posix(), path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


# The digest of a step


@lru_cache(maxsize=64)
def step_digest(step: str, cycle: str, root: Path = PROJECT) -> str:
    """Return the digest of the code that can change a step's output.

    It is cached for the life of the process: a task lives shortly, and its code should not change under it.
    """
    return code_digest(file_digests(step_files(job_step(step), cycle, root), root))


def warm() -> None:
    """Read the code of all steps of all cycles, for this process and those that are forked from it."""
    for cycle in find_cycles():
        for row in JOBS.values():
            file_digests(step_files(row, cycle))


def code_digest(digests: dict[str, str]) -> str:
    """Return one digest for many files, given each one's by its name."""
    text = "".join(f"{name}\0{digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def file_digests(files: Iterable[Path], root: Path = PROJECT) -> dict[str, str]:
    """Return each file's digest by its path below `root`: of Python its syntax, of others their bytes."""
    return {path.relative_to(root).as_posix(): _file_digest(path) for path in files}


def step_files(row: StepRow, cycle: str, root: Path = PROJECT) -> set[Path]:
    """Return the files that count for a step: those of its row, and what the cycle's use of include/ml.

    :raises PermanentError: the row names files that are not there
    """
    package = root / "include/cycles" / cycle
    own = {path for pattern in row.cycle_code for path in package.glob(pattern) if _is_source(path)}
    return {*_shared_files(row, root), *own, *_used_by(own, root)}


def imported_files(path: Path, root: Path = PROJECT) -> Iterator[Path]:
    """Yield the modules within include/ that a file imports; packages' `__init__` are not among them."""
    if path.suffix != ".py":
        return
    for name in _syntax_of(path).imports:
        module = root.joinpath(*name.split("."))
        # the last part may be a name inside a module
        yield from (p for p in (module.with_suffix(".py"), module.parent.with_suffix(".py")) if p.is_file())


def _shared_files(row: StepRow, root: Path) -> Iterator[Path]:
    for pattern in row.code:
        paths = [path for path in (root / "include").glob(pattern) if path.name != "__init__.py"]
        if not paths:
            raise PermanentError(
                f"Step {row.name} counts include/{pattern}, which is missing. "
                "Correct its row in include/core/steps.py."
            )
        yield from paths


def _used_by(files: Iterable[Path], root: Path) -> set[Path]:
    """Return what files import from include/ml, directly or not."""
    used: set[Path] = set()
    waiting = list(files)
    while waiting:
        for path in imported_files(waiting.pop(), root):
            if path not in used and path.relative_to(root).as_posix().startswith(_CYCLES_MAY_USE):
                used.add(path)
                waiting.append(path)
    return used


def _is_source(path: Path) -> bool:
    """Return whether a path is a file that Python did not make itself."""
    return path.is_file() and "__pycache__" not in path.parts


def _file_digest(path: Path) -> str:
    return _syntax_of(path).digest if path.suffix == ".py" else hashlib.sha256(path.read_bytes()).hexdigest()


# The syntax of a file


@dataclass(frozen=True)
class Syntax:
    """What counts of a Python file."""

    digest: str
    #: absolute names that it imports from include; the last part may be a name inside a module
    imports: tuple[str, ...]


def _syntax_of(path: Path) -> Syntax:
    try:
        return _syntax(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise PermanentError(f"{path} is no Python that can be parsed: {error}. Correct it.") from error


@lru_cache(maxsize=2048)
def _syntax(content: bytes) -> Syntax:
    """Return the syntax of a file's content; cached, since parsing takes milliseconds for each file."""
    with _PARSING:
        tree = ast.parse(content)
    parts: list[str] = []
    bindings: set[tuple[str, str]] = set()
    _write(tree, parts, bindings)
    text = "\n".join([*(f"{name} as {alias}" for name, alias in sorted(bindings)), *parts])
    names = sorted({name for name, _ in bindings if name.split(".")[0] == "include"})
    return Syntax(hashlib.sha256(text.encode()).hexdigest(), tuple(names))


def _write(value: object, parts: list[str], bindings: set[tuple[str, str]]) -> None:
    """Append a node's text: no positions, no bare strings; imports go to `bindings`, wherever they stand.

    Fields without a value are left out, so that nodes read alike in all versions of Python that have them.
    """
    match value:
        case ast.Import() | ast.ImportFrom():
            prefix = f"{'.' * value.level}{value.module or ''}." if isinstance(value, ast.ImportFrom) else ""
            bindings.update((f"{prefix}{alias.name}", alias.asname or alias.name) for alias in value.names)
        case ast.Expr(value=ast.Constant(value=str())):
            pass  # a docstring, or another text that nothing reads
        case ast.AST():
            parts.append(f"{type(value).__name__}(")
            for name in value._fields:
                child = getattr(value, name, None)
                if child is not None and child != []:
                    parts.append(name)
                    _write(child, parts, bindings)
            parts.append(")")
        case list():
            parts.append("[")
            for child in value:
                _write(child, parts, bindings)
            parts.append("]")
        case _:
            parts.append(repr(value))
