"""STS, and with it the example of how an operation is added."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"


@pytest.fixture(scope="module")
def sts(start_shared_service: Callable[..., Service]) -> Any:
    """A client of a service."""
    return start_shared_service().client("sts", parameter_validation=False)


def test_an_access_key_belongs_to_the_one_account(sts: Any) -> None:
    """Any key that looks like one."""
    assert sts.get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE")["Account"] == "000000000000"


def test_what_is_no_access_key_is_refused(sts: Any) -> None:
    """The pattern is that of botocore's model; no line of the handler checks it."""
    with refused("ValidationError", "accessKeyId"):
        sts.get_access_key_info(AccessKeyId="a key of no kind")


def test_the_readme_shows_the_files_as_they_are() -> None:
    """Each block of code under "Add an operation" stands, to the letter, in the file that it is of."""
    text = README.read_text().partition("## Add an operation")[2]
    blocks = re.findall(r"^ *```python\n(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL)
    files = [PROJECT / "src/local_sagemaker/services/sts.py", Path(__file__)]
    for block, file in zip(blocks, files, strict=True):
        assert textwrap.dedent(block) in file.read_text()


def test_the_readme_leads_to_what_is_there() -> None:
    """A relative link names a file or folder, and a heading in it."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#([^)]*))?\)", README.read_text())
    assert links
    for target, heading in links:
        place = README.parent / target
        assert place.exists(), target
        found = re.findall(r"^#+ (.*)$", place.read_text(), flags=re.MULTILINE) if heading else []
        assert not heading or heading in [each.lower().replace(" ", "-") for each in found]
