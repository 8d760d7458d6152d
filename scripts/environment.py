"""Makes the project's virtual environment from its hashed lock; run again, it does nothing.

Needs only Python's standard library. `python3 scripts/environment.py [--dev] [--production]`
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
INTERPRETER = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / ".installed"
BOOTSTRAP = PROJECT / "requirements-bootstrap.txt"
#: the distribution of this project that is installed from its folder, and the file that says what it is
LOCAL_SAGEMAKER = PROJECT / "local-sagemaker"
#: locks of other people's clients, each of which gets an environment of its own in the long tests
CLIENTS = "local-sagemaker/tests/sdk/requirements-"
OLDEST, TOO_NEW = (3, 11), (3, 14)
HASHED = ("--require-hashes", "--requirement")


class SetupError(Exception):
    """Something the user can act on."""


def main() -> int:
    """Set up what the options name; 0 if it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also what the tests and linters need")
    parser.add_argument("--production", action="store_true", help="Celery and real users instead")
    parser.add_argument("--lock", action="store_true", help="compile the locks from the *.in files, anew")
    options = parser.parse_args()
    base = "requirements-production.txt" if options.production else "requirements.txt"
    locks = [PROJECT / base, *([PROJECT / "requirements-dev.txt"] if options.dev else [])]
    try:
        set_up(locks)
        if options.lock:
            compile_locks()
    except SetupError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(locks: list[Path]) -> None:
    """Bring the environment to what the locks say, if it is not there yet."""
    done = installed()
    wanted = [lock for lock in locks if digest(lock) not in done]
    is_linked = digest_of_local_sagemaker() in done
    if not wanted and is_linked and INTERPRETER.exists():
        return
    began = time.monotonic()
    refuse_python()
    names = [lock.name for lock in wanted]
    print(
        f"Setting up {ENVIRONMENT.name} with {', '.join([*names, LOCAL_SAGEMAKER.name])} ...",
        file=sys.stderr,
        flush=True,
    )
    # an interrupted install leaves no stamp, so it is taken up again
    STAMP.unlink(missing_ok=True)
    is_new = make_environment()
    if wanted or is_new:
        install(locks)
    install_local_sagemaker()
    STAMP.write_text("\n".join([*map(digest, locks), digest_of_local_sagemaker()]) + "\n")
    print(f"Set up in {time.monotonic() - began:.0f} s.", file=sys.stderr, flush=True)


def installed() -> set[str]:
    """Digests of the locks that were installed to their end."""
    return set(STAMP.read_text().split()) if STAMP.exists() else set()


def digest(lock: Path) -> str:
    """Return what identifies a lock and the Python it was installed for."""
    python = ".".join(map(str, sys.version_info[:2]))
    return hashlib.sha256(lock.read_bytes() + python.encode()).hexdigest()


def digest_of_local_sagemaker() -> str:
    """Return what identifies its installation: the metadata, and the folder that is linked to."""
    project = digest(LOCAL_SAGEMAKER / "pyproject.toml")
    return hashlib.sha256(f"{project} {LOCAL_SAGEMAKER}".encode()).hexdigest()


def refuse_python() -> None:
    """Raise if this Python cannot carry the environment."""
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        raise SetupError(
            f"Flywheel needs Python 3.11, 3.12 or 3.13; {sys.executable} is {sys.version.split()[0]}. "
            "Install one of them and name it: `make run PYTHON=python3.12`."
        )


def make_environment() -> bool:
    """Create `.venv`, or repair one whose interpreter is gone or another; whether there is nothing in it."""
    if INTERPRETER.exists() and version_of(INTERPRETER) == sys.version_info[:2]:
        return False
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    done = run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
    if done.returncode != 0:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        raise SetupError(
            f"Python could not make a virtual environment:\n{tail(done)}\n"
            "On Debian and Ubuntu its module is a package of its own: `apt install python3-venv`. "
            "Then run the same command again."
        )
    return True


def version_of(interpreter: Path) -> tuple[int, ...]:
    """Major and minor version of an interpreter; empty if it does not run."""
    done = run([str(interpreter), "-c", "import sys; print(*sys.version_info[:2])"])
    return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else ()


def install(locks: list[Path]) -> None:
    """Install the locks with uv, or where it cannot be had with pip: slower, the same set."""
    files = [part for lock in locks for part in ("--requirement", str(lock))]
    if has_uv():
        uv = [str(INTERPRETER), "-m", "uv", "pip", "install", "--python", str(INTERPRETER), *index_options()]
        done = run([*uv, "--compile-bytecode", "--require-hashes", *files])
        if done.returncode == 0:
            return
        print(
            "uv could not install the lock; trying pip, which takes a few minutes ...",
            file=sys.stderr,
            flush=True,
        )
    done = run([str(INTERPRETER), "-m", "pip", "install", "--compile", "--require-hashes", *files])
    if done.returncode != 0:
        raise SetupError(
            f"The packages could not be installed:\n{tail(done)}\n"
            "Without a network, give pip a directory of wheels (PIP_NO_INDEX=1 PIP_FIND_LINKS=...). "
            "Then run the same command again: it goes on where it stopped."
        )


def install_local_sagemaker() -> None:
    """Install the folder `local-sagemaker` in place; what it needs is in the locks already."""
    command = [str(INTERPRETER), "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = run([*command, "--editable", str(LOCAL_SAGEMAKER)])
    if done.returncode != 0:
        raise SetupError(f"local-sagemaker could not be installed from its folder:\n{tail(done)}")


def has_uv() -> bool:
    """Get uv into the environment; False where it cannot be had."""
    return run([str(INTERPRETER), "-m", "pip", "install", "--quiet", *HASHED, str(BOOTSTRAP)]).returncode == 0


def compile_locks() -> None:
    """Resolve the `requirements*.in` for all supported Pythons; pins that still fit are kept."""
    if not has_uv():
        raise SetupError("uv could not be installed, and only uv resolves for all Pythons at once.")
    # the development lock is constrained by requirements.txt, so that one comes first
    kinds = ("-bootstrap", "", "-production", "-image", "-dev")
    names = [
        *(f"requirements{kind}" for kind in kinds),
        *(f"{CLIENTS}{client}" for client in ("v2", "v3", "cli")),
    ]
    command = [str(INTERPRETER), "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", "3.11", "--custom-compile-command", "make lock", "--no-emit-index-url"]
    for name in names:
        done = run([*command, *index_options(), f"{name}.in", "--output-file", f"{name}.txt"], PROJECT)
        if done.returncode != 0:
            raise SetupError(f"{name}.in could not be resolved:\n{tail(done)}")
        print(f"{name}.txt", file=sys.stderr, flush=True)


def index_options() -> list[str]:
    """Where pip looks for packages, in uv's words: uv does not read pip's configuration."""
    options = {
        "PIP_INDEX_URL": "--index-url",
        "PIP_EXTRA_INDEX_URL": "--extra-index-url",
        "PIP_FIND_LINKS": "--find-links",
    }
    arguments: list[str] = []
    for variable, option in options.items():
        for address in configured(variable).split():
            arguments += [option, address]
    # the hashes say what is right, so it may come from any of the indexes
    arguments += ["--index-strategy", "unsafe-best-match"]
    return [*arguments, *(["--no-index"] if configured("PIP_NO_INDEX") in {"1", "true", "yes"} else [])]


def configured(variable: str) -> str:
    """Return a setting of pip, from the environment or else from pip's configuration files."""
    if variable in os.environ:
        return os.environ[variable]
    name = variable.removeprefix("PIP_").lower().replace("_", "-")
    done = run([str(INTERPRETER), "-m", "pip", "config", "get", f"global.{name}"])
    return done.stdout.strip() if done.returncode == 0 else ""


def run(command: list[str], directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with its output kept."""
    environment = {**os.environ}
    # bytecode makes every start of Airflow three times faster
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if "PIP_CERT" in environment:
        environment.setdefault("SSL_CERT_FILE", environment["PIP_CERT"])
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environment, cwd=directory, check=False
    )


def tail(done: subprocess.CompletedProcess[str]) -> str:
    """Return the end of what a command said."""
    return "\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()[-12:])


if __name__ == "__main__":
    sys.exit(main())
