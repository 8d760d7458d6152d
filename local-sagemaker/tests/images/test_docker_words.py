"""The words by which a container is made, and what an image file may say of Docker; no Docker is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from local_sagemaker.engine.processes import docker
from local_sagemaker.engine.processes.image import Image, ImageFileError, Images, read


def image(folder: Path, table: str = "[docker]") -> Image:
    """The image that `mine:1` means."""
    path = folder / "image.toml"
    path.write_text(f'uri = ["mine:*"]\nstop_grace_s = 7\n{table}\n')
    return Images([path]).resolve("mine:1")


def words(found: Image, role: str, *request: list[str] | None, **given: str) -> list[str]:
    """What the program would have Docker do in the workspace /w."""
    plan = json.loads(found.command(role, *request)[-1])
    return docker.create_words(plan, found.variables(given, Path("/w")), "name")


def after_image(made: list[str]) -> list[str]:
    """The words that the container is given."""
    return made[made.index("mine:1") + 1 :]


def options(made: list[str], name: str) -> list[str]:
    """The values of an option."""
    return [value for option, value in pairwise(made) if option == name]


def test_a_container_is_told_its_role_unless_the_request_has_an_entry_point(tmp_path: Path) -> None:
    """Processing has no role; an entry point's first word replaces the image's, the rest are arguments."""
    found = image(tmp_path)
    assert after_image(words(found, "train")) == ["train"]
    assert after_image(words(found, "process")) == []
    assert after_image(words(found, "process", None, ["a", "b"])) == ["a", "b"]
    made = words(found, "train", ["sh", "-c"], ["true"])
    assert (options(made, "--entrypoint"), after_image(made)) == (["sh"], ["-c", "true"])


def test_a_container_has_the_folder_the_user_and_the_network(tmp_path: Path) -> None:
    """Its outputs belong to the service; nothing is privileged, nothing pulled."""
    made = words(image(tmp_path), "process")
    assert options(made, "--mount") == ['type=bind,"source=/w/ml",target=/opt/ml']
    assert options(made, "--user") == [f"{os.getuid()}:{os.getgid()}"]
    assert options(made, "--network") == ["host"]
    assert options(made, "--pull") == ["never"]
    assert {"--rm", "--init"} <= set(made)
    assert not {"--privileged", "--cap-add", "--publish"} & set(made)


def test_values_of_variables_stay_out_of_the_words(tmp_path: Path) -> None:
    """Only what would mean something to the Docker client stands with its value."""
    made = words(image(tmp_path), "process", NAME="rows", PATH="/bin", HOME="/h", SAGEMAKER_BASE_DIR="/w/ml")
    assert options(made, "--env") == ["HOME=/h", "NAME", "PATH=/bin"]


def test_a_server_is_published_on_the_loopback(tmp_path: Path) -> None:
    """It listens where SageMaker's containers do."""
    made = words(image(tmp_path), "serve", SAGEMAKER_BIND_TO_PORT="4711", HOME="/h")
    assert options(made, "--publish") == ["127.0.0.1:4711:8080"]
    assert options(made, "--env") == ["SAGEMAKER_BIND_TO_PORT=8080", "HOME=/h"]
    assert options(made, "--network") == []
    assert after_image(made) == ["serve"]


def test_without_root_the_daemons_user_is_the_services(tmp_path: Path) -> None:
    """Another number would be somebody else outside of the container."""
    plan = json.loads(image(tmp_path).command("process")[-1])
    made = docker.create_words(plan, {docker.WORKSPACE: "/w"}, "name", is_rootless=True)
    assert "--user" not in made


def test_a_user_whom_the_image_may_not_know_has_a_home(tmp_path: Path) -> None:
    """It is one that can be written to, unless the request names another."""
    plan = {**json.loads(image(tmp_path).command("process")[-1]), "user": "1000:1000"}
    given = {docker.WORKSPACE: "/w"}
    assert options(docker.create_words(plan, given, "name"), "--env") == ["HOME=/tmp"]
    assert options(docker.create_words(plan, {**given, "HOME": "/h"}, "name"), "--env") == ["HOME=/h"]


def test_an_image_is_the_uri_or_a_fixed_reference(tmp_path: Path) -> None:
    """The reference may be made of the URI."""
    assert image(tmp_path).docker == "mine:1"
    assert image(tmp_path, '[docker]\nimage = "here.example/{uri}"').docker == "here.example/mine:1"
    assert image(tmp_path, '[docker]\nimage = "other:2"').docker == "other:2"


@pytest.mark.parametrize(
    "table",
    [
        '[docker]\nimage = ""',
        '[docker]\nimage = "--privileged"',
        "[docker]\nprivileged = true",
        '[docker]\n[entry_points]\ntrain = ["true"]',
        '[docker]\n[preload]\nmodules = ["json"]',
    ],
)
def test_what_docker_is_not_told_is_refused(tmp_path: Path, table: str) -> None:
    """An image file either is a Docker image's or describes processes."""
    path = tmp_path / "image.toml"
    path.write_text(f'uri = ["mine:*"]\n{table}\n')
    with pytest.raises(ImageFileError, match="docker"):
        read(path)


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (None, "There is no `docker` on the service's PATH"),
        ("#!/bin/sh\necho cannot connect >&2; exit 1", "No Docker daemon answers: cannot connect"),
    ],
)
def test_without_docker_the_program_says_what_to_do(tmp_path: Path, client: str | None, reason: str) -> None:
    """Its last words become the reason of the job's failure."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if client is not None:
        (folder / "docker").write_text(client)
        (folder / "docker").chmod(0o755)
    *program, text = image(tmp_path).command("process")
    plan = {**json.loads(text), "client": {"PATH": str(folder)}}
    assert program[0] == sys.executable
    done = subprocess.run(
        [*program, json.dumps(plan)],
        env={docker.WORKSPACE: str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == docker.NO_CONTAINER
    assert reason in done.stderr
