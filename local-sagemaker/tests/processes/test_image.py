"""Images: which environment a URI means, and what to run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local_sagemaker.engine.processes.image import ImageFileError, Images, UnknownImageError, read

TEXT = """
uri = ["greeter:*", "*/greeter:*"]
[entry_points]
train = ["{python}", "{dir}/main.py", "train"]
process = ["{python}", "{dir}/main.py", "process"]
[environment]
FOLDER = "{dir}/x"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An image file."""
    made = tmp_path / "image.toml"
    made.write_text(TEXT)
    return made


@pytest.mark.parametrize("uri", ["greeter:local", "000000000000.dkr.ecr.us-east-1.amazonaws.com/greeter:1"])
def test_a_pattern_finds_its_image(path: Path, uri: str) -> None:
    """Registry and account may stand before the name."""
    assert Images([path]).resolve(uri).folder == path.parent


def test_an_unknown_image_is_named_with_the_known(path: Path) -> None:
    """The error says what would have been found."""
    with pytest.raises(UnknownImageError, match=r"'xgboost:1' .* greeter:\*, \*/greeter:\*"):
        Images([path]).resolve("xgboost:1")
    with pytest.raises(UnknownImageError, match=r"'xgboost:1' .* none"):
        Images([]).resolve("xgboost:1")


def test_commands_are_the_images_or_the_requests(path: Path) -> None:
    """A first word that names an entry point means that one; others are programs of their own."""
    image, folder = read(path), path.parent
    process = (sys.executable, f"{folder}/main.py", "process")
    assert image.command("process") == process
    assert image.command("process", None, ["a"]) == (*process, "a")
    assert image.command("process", ["process", "x"], ["a"]) == (*process, "x", "a")
    assert image.command("train", ["python3", "t.py"], ["a"]) == ("python3", "t.py", "a")
    with pytest.raises(UnknownImageError, match="'serve'"):
        image.command("serve")


def test_the_environment_is_bare_then_the_images_then_the_requests(path: Path) -> None:
    """The image's interpreter comes first on the PATH."""
    found = read(path).variables({"LANG": "de"}, path.parent)
    assert found["FOLDER"] == f"{path.parent}/x"
    assert found["LANG"] == "de"
    assert found["PATH"].startswith(sys.executable.rpartition("/")[0] + ":")
    assert set(found) == {"PATH", "HOME", "LANG", "FOLDER"}


@pytest.mark.parametrize(
    "text",
    [
        "uri = [",
        "uri = 'x'\n[entry_points]",
        "[entry_points]",
        "uri = ['x']",
        "uri=['x']\n[entry_points]\ntrain='y'",
    ],
)
def test_an_image_file_that_cannot_be_used_is_named(path: Path, text: str) -> None:
    """The error says which file, and what it needs."""
    path.write_text(text)
    with pytest.raises(ImageFileError, match=r"image\.toml"):
        Images([path])
