"""Brings docker-compose.yml up and down; at the first time it makes .env with this installation's secrets.

Needs only Python's standard library and Docker. `python3 scripts/compose.py up|down|image|push [...]`
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".env"
IMAGE = "flywheel"
HEADING = "# Made once by `make compose-up`. Without them what the volumes hold cannot be read again.\n"


class ComposeError(Exception):
    """Something the user can act on."""


#: what is made once; Airflow signs its tokens with SHA-512 and wants 64 bytes for it
SECRETS: Mapping[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(24),
    "REDIS_PASSWORD": lambda: secrets.token_hex(24),
    "AIRFLOW_FERNET_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "AIRFLOW_JWT_SECRET": lambda: secrets.token_hex(64),
    "AIRFLOW_API_SECRET_KEY": lambda: secrets.token_hex(32),
    "AIRFLOW_ADMIN_PASSWORD": lambda: secrets.token_hex(12),
    "SAGEMAKER_SECRET_ACCESS_KEY": lambda: secrets.token_hex(20),
    # without `local` in it the local SageMaker is not started
    "COMPOSE_PROFILES": lambda: "local",
}

#: stand in URLs, which docker-compose.yml puts together and cannot quote in
IN_URLS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SAGEMAKER_SECRET_ACCESS_KEY")
#: characters that mean themselves in a URL, in an env file of any Compose, and in a shell
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
#: what no Compose reads as it stands, unless the whole value is in single quotes
SPECIAL = re.compile(r"[\s'\"`$#\\]")
#: first version of Docker's client that builds by buildx alone
BUILDX_SINCE = 23
LOG_LINES = 30


def variables(path: Path) -> dict[str, str]:
    """Return what an env file sets."""
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (
        line.strip().partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#")
    )
    return {name.strip(): value.strip() for name, _, value in pairs}


def add_secrets(path: Path) -> list[str]:
    """Add to an env file what is missing in it, and return the names; nobody else may read the file."""
    known = variables(path)
    missing = [name for name in SECRETS if name not in known]
    if not missing:
        return []
    text = path.read_text() if path.exists() else ""
    parts = [text.rstrip("\n") + "\n\n" if text else "", HEADING]
    parts += [f"{name}={SECRETS[name]()}\n" for name in missing]
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("".join(parts))
    draft.replace(path)
    return missing


def check_secrets(path: Path) -> None:
    """Raise for all secrets that would not arrive as they are written, before anything is made with them."""
    faults = []
    for name, written in variables(path).items():
        quoted = re.fullmatch(r"'([^']*)'", written)
        value = os.environ.get(name, quoted[1] if quoted else written)
        if name in IN_URLS and not PLAIN.fullmatch(value):
            faults.append(
                f"{name} stands in a URL: write letters, digits and . _ ~ - alone, a letter or digit first"
            )
        elif name in SECRETS and name not in os.environ and not quoted and SPECIAL.search(written):
            faults.append(f"{name} has a character that an env file takes for its own: put it in '...'")
    if faults:
        raise ComposeError(f"Secrets in {path} would not arrive as they are written. {'; '.join(faults)}.")


def check_builder() -> None:
    """Raise if this Docker client cannot build images."""
    version = asked("docker", "version", "--format", "{{.Client.Version}}").stdout.decode().strip()
    major = version.partition(".")[0]
    if (
        not major.isdecimal()
        or int(major) < BUILDX_SINCE
        or asked("docker", "buildx", "version").returncode == 0
    ):
        return
    raise ComposeError(
        f"Docker {version} builds images by its plugin buildx, which is not installed. Install it: "
        "apt-get install docker-buildx (Debian, Ubuntu), docker-buildx-plugin (from Docker's own packages), "
        "brew install docker-buildx (macOS)."
    )


def compose() -> list[str]:
    """Return the command of this machine's Compose: the plugin, or the older program."""
    if not shutil.which("docker"):
        raise ComposeError(
            "Docker is not installed: there is no command `docker`. See docs/how-to/run-with-compose.md."
        )
    if asked("docker", "compose", "version").returncode == 0:
        return ["docker", "compose"]
    if program := shutil.which("docker-compose"):
        return [program]
    raise ComposeError("Docker has no Compose: install the plugin docker-compose-v2, or docker-compose 1.29.")


def asked(*command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose output is for this program."""
    return subprocess.run(command, capture_output=True, check=False)


def run(*command: str) -> None:
    """Run a command of Docker in the project's directory; its output is the user's."""
    environment = {"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1", **os.environ}
    if (code := subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode) != 0:
        raise ComposeError(f"`{' '.join(command)}` ended with {code}. What it said is above.")


def failed_containers() -> str:
    """Return what the project's containers said that have ended with an error."""
    label = f"label=com.docker.compose.project.working_dir={PROJECT}"
    listed = asked(
        "docker",
        "ps",
        "--all",
        "--filter",
        label,
        "--filter",
        "status=exited",
        "--format",
        "{{.Names}}\t{{.Status}}",
    )
    texts = []
    for line in listed.stdout.decode().splitlines():
        name, _, status = line.partition("\t")
        if status.startswith("Exited (0)"):
            continue
        log = asked("docker", "logs", "--tail", str(LOG_LINES), name)
        texts.append(f"{name}, {status}, said last:\n{(log.stdout + log.stderr).decode(errors='replace')}")
    return "\n".join(texts)


def up(options: argparse.Namespace) -> None:
    """Make the secrets, build the image, and start everything."""
    made = add_secrets(ENVIRONMENT)
    if "AIRFLOW_ADMIN_PASSWORD" in made:
        print(f"Made this installation's secrets in {ENVIRONMENT}; AIRFLOW_ADMIN_PASSWORD there is the UI's.")
    check_secrets(ENVIRONMENT)
    command = compose()
    check_builder()
    run(*command, "build")
    try:
        run(*command, "up", "--detach", "--scale", f"airflow-worker={options.workers}")
    except ComposeError as error:
        raise ComposeError(f"{error}\n{failed_containers()}".rstrip()) from error
    port = {**variables(ENVIRONMENT), **os.environ}.get("FLYWHEEL_AIRFLOW_PORT", "8080")
    print(
        f"Airflow comes up at http://localhost:{port}, user admin; "
        f"`{' '.join(command)} ps` tells when it is healthy."
    )
    print(f"Run the example cycle with: {' '.join(command)} run --rm flywheel flights")


def down(_: argparse.Namespace) -> None:
    """Stop and remove the containers; the volumes, and so all that was made, stay."""
    run(*compose(), "down")


def image(options: argparse.Namespace) -> None:
    """Build the job image, for running by hand: its user is not root."""
    check_builder()
    run("docker", "build", "--file", "include/image/Dockerfile", "--tag", f"{IMAGE}:{options.tag}", ".")


def push(options: argparse.Namespace) -> None:
    """Build the job image for SageMaker, and bring it to ECR."""
    if ".dkr.ecr." not in options.repository:
        raise ComposeError(
            "REPOSITORY must be <account>.dkr.ecr.<region>.amazonaws.com/flywheel: "
            "see docs/how-to/run-on-aws.md."
        )
    name = f"{options.repository}:{options.tag}"
    check_builder()
    # SageMaker runs on x86-64 unless an instance type says otherwise, and asks for root
    build = ["docker", "build", "--platform", "linux/amd64", "--build-arg", "JOB_USER=0"]
    run(*build, "--file", "include/image/Dockerfile", "--tag", name, ".")
    _log_in(options.repository)
    run("docker", "push", name)
    print(f"Set FLYWHEEL_IMAGE_URI={name}")


def _log_in(repository: str) -> None:
    host = repository.partition("/")[0]
    region = host.split(".")[3]
    answer = asked("aws", "ecr", "get-login-password", "--region", region)
    if answer.returncode != 0:
        raise ComposeError(f"AWS gave no login for {host}: {answer.stderr.decode().strip()}")
    login = ["docker", "login", "--username", "AWS", "--password-stdin", host]
    if subprocess.run(login, input=answer.stdout, check=False).returncode != 0:
        raise ComposeError(f"Docker could not log in to {host}.")


def main() -> int:
    """Do one command; 0 if it did what it is for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    start = commands.add_parser("up", help="make the secrets, build, start")
    start.add_argument("--workers", type=int, default=1, help="containers that run tasks")
    start.set_defaults(command=up)
    commands.add_parser("down", help="stop").set_defaults(command=down)
    for name, command in (("image", image), ("push", push)):
        build = commands.add_parser(name, help="the job image")
        build.add_argument("--tag", default="local" if name == "image" else "1")
        build.add_argument("--repository", default="", help="address in ECR")
        build.set_defaults(command=command)
    options = parser.parse_args()
    try:
        options.command(options)
    except (ComposeError, FileNotFoundError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
