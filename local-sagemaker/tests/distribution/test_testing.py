"""What the distribution gives to other people's tests, and the end of a root."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from local_sagemaker import __main__ as program
from local_sagemaker.reset import FOLDERS, ResetRefusedError, ask, living, reset
from local_sagemaker.service import RootTakenError, lock_root
from local_sagemaker.testing import (
    LocalSageMaker,
    StartError,
    running,
)
from sagemaker_kit.jobs import IMAGE, ROLE
from sagemaker_kit.serving import until


@pytest.fixture
def local_sagemaker_options() -> Sequence[str]:
    """A bucket that is there from the start."""
    return ("--bucket", "given")


def test_the_fixture_is_a_service_of_its_own(local_sagemaker_service: LocalSageMaker) -> None:
    """With clients, and the environment for any other."""
    s3 = local_sagemaker_service.client("s3")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["given"]
    assert local_sagemaker_service.client("s3") is s3
    assert local_sagemaker_service.environment["AWS_ENDPOINT_URL"] == local_sagemaker_service.url
    assert (local_sagemaker_service.root / "sagemaker.sqlite").is_file()


def test_nothing_outlives_a_test(tmp_path: Path) -> None:
    """A job that still runs ends with the service."""
    image = tmp_path / "image.toml"
    image.write_text(IMAGE)
    with running(tmp_path, "--image", str(image)) as service:
        _start_job(service)
        (job,) = until(lambda: list(living(service.root)), "the job's process", 60)
        assert job.is_alive()
    assert not job.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(service.pid, 0)


def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    """With the words that it wrote."""
    with pytest.raises(StartError, match="there is no such file"), running(tmp_path, "--image", "none.toml"):
        pytest.fail("it started")


def test_a_reset_deletes_the_state_and_nothing_else(tmp_path: Path) -> None:
    """What somebody else put beside it stays; the root can be used again."""
    with running(tmp_path, "--bucket", "given") as service:
        service.client("s3").put_object(Bucket="given", Key="a", Body=b"1")
    root = service.root
    (root / "mine.txt").write_text("stays")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (root / "s3" / "link").symlink_to(outside)

    assert program.main(["--root", str(root), "--reset", "--yes"]) == 0
    assert sorted(path.name for path in root.iterdir()) == ["mine.txt", "service.lock"]
    assert (outside / "kept").exists()
    with running(tmp_path) as again:
        assert again.client("s3").list_buckets()["Buckets"] == []


def test_what_runs_is_not_reset(tmp_path: Path) -> None:
    """Neither under a service, nor under jobs that have outlived it."""
    image = tmp_path / "image.toml"
    image.write_text(IMAGE)
    with running(tmp_path, "--image", str(image)) as service:
        _start_job(service)
        (job,) = until(lambda: list(living(service.root)), "the job's process", 60)
        assert program.main(["--root", str(service.root), "--reset", "--yes"]) == 2
        os.kill(service.pid, 15)
        until(lambda: _is_free(service.root), "the end of the service", 60)
        with pytest.raises(ResetRefusedError, match=str(job.pid)):
            reset(service.root, lambda _question: True)
    assert (service.root / "sagemaker.sqlite").exists()


def test_a_reset_is_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By a person, or by --yes; a folder without a service's database is nobody's to delete."""
    assert program.main(["--root", str(tmp_path), "--reset", "--yes"]) == 2
    assert "no sagemaker.sqlite" in capsys.readouterr().err
    (tmp_path / "sagemaker.sqlite").touch()
    (tmp_path / "s3").mkdir()
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(ResetRefusedError, match="Nothing was deleted"):
        reset(tmp_path, refuse)
    assert asked == [f"Delete s3, sagemaker.sqlite in {tmp_path}?"]
    with pytest.raises(ResetRefusedError, match="--yes"):
        ask("Delete it?")
    assert (tmp_path / "s3").is_dir()


def test_every_folder_of_a_root_is_known_to_the_reset(sources: Path) -> None:
    """A new one is added to reset.FOLDERS."""
    words = re.compile(r'\broot / "(\w+)"')
    named = {name for path in sources.rglob("*.py") for name in words.findall(path.read_text())}
    assert named == set(FOLDERS)


@pytest.fixture
def sources() -> Path:
    """The folder of the package."""
    return Path(program.__file__).parent


def _start_job(service: LocalSageMaker) -> None:
    service.client("sagemaker").create_processing_job(
        ProcessingJobName="long",
        AppSpecification={"ImageUri": "script:1"},
        RoleArn=ROLE,
        Environment={"SCRIPT": "while sleep 0.2; do :; done"},
        ProcessingResources={
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
    )


def _is_free(root: Path) -> bool:
    try:
        with lock_root(root):
            return True
    except RootTakenError:
        return False
