"""A disk that is full or read-only: clear errors, nothing corrupt, and work goes on when there is room."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagemaker_kit.service import PROJECT, Service
from sagemaker_kit.serving import until

MEGABYTES = 24
NAMESPACE = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
#: writes a model if it trains, says that it runs, and ends when it is told to
JOB = """
import os, time
model = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml") + "/model"
if os.path.isdir(model):
    with open(model + "/weights", "wb") as file:
        file.write(b"".join(os.urandom(1 << 10) for _ in range(1 << 10)))
with open(os.environ["MARK"], "a") as file:
    file.write("run\\n")
while not os.path.exists(os.environ["MARK"] + ".go"):
    time.sleep(0.02)
"""
COMMAND = '["{python}", "-I", "-S", "-u", "{dir}/job.py"]'
IMAGE = f'uri = ["crash:*"]\n[entry_points]\nprocess = {COMMAND}\ntrain = {COMMAND}\n'
#: no more than this is left on a disk that counts as full, bytes
CRUMB = 4096


class Disk:
    """A small disk of its own, which a process that sleeps keeps mounted."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        script = f"mount -t tmpfs -o size={MEGABYTES}m none {place} && echo ready && exec sleep 600"
        self.keeper = subprocess.Popen([*NAMESPACE, "sh", "-c", script], stdout=subprocess.PIPE)
        assert self.keeper.stdout is not None
        if self.keeper.stdout.readline() != b"ready\n":
            self.close()
            pytest.skip("this machine refuses to mount a small disk")
        #: the disk as this process sees it
        self.view = Path(f"/proc/{self.keeper.pid}/root{place}")

    @property
    def prefix(self) -> list[str]:
        """The words before a command that is to see the disk."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", f"--target={self.keeper.pid}", *user, "--mount", f"--wd={PROJECT}"]

    def fill(self) -> None:
        """Leave no byte."""
        with (self.view / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, CRUMB, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def free(self) -> None:
        """Make room again."""
        (self.view / "filler").unlink()

    def close(self) -> None:
        """Let it go."""
        self.keeper.kill()
        self.keeper.wait()
        if self.keeper.stdout is not None:
            self.keeper.stdout.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 24 MB."""
    if not sys.platform.startswith("linux") or shutil.which("nsenter") is None:
        pytest.skip("small disks are made on Linux only, with util-linux")
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


@pytest.fixture
def service(disk: Disk, tmp_path: Path) -> Iterator[Service]:
    """A service whose root is on the small disk."""
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "image.toml").write_text(IMAGE)
    made = Service(
        tmp_path / "disk/root", tmp_path / "log", "--image", str(tmp_path / "image.toml"), prefix=disk.prefix
    )
    made.start()
    made.s3.create_bucket(Bucket="lab")
    yield made
    made.close()


def refused(ask: Callable[[], Any]) -> ClientError:
    """The error of a request that the disk does not allow."""
    with pytest.raises(ClientError, match=r"No space left|disk is full|disk I/O error") as caught:
        ask()
    assert caught.value.response["Error"]["Code"] == "InsufficientStorage"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert "Make room" in str(caught.value) or "look into" in str(caught.value)
    return caught.value


def make_job(service: Service, name: str, mark: Path) -> None:
    """Create a job that ends when the file `<mark>.go` is there; its output is small."""
    service.sagemaker.create_processing_job(
        ProcessingJobName=name,
        AppSpecification={"ImageUri": "crash:1"},
        RoleArn="arn:aws:iam::000000000000:role/r",
        ProcessingResources={
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
        Environment={"MARK": str(mark)},
    )


def status(service: Service, name: str) -> str:
    """The status of a job."""
    found = service.sagemaker.describe_processing_job(ProcessingJobName=name)
    return str(found["ProcessingJobStatus"])


def models_until_full(service: Service) -> int:
    """Create models until one is refused; how many there are. The database may have some room left."""
    for number in range(2000):
        try:
            service.sagemaker.create_model(
                ModelName=f"m{number}",
                ExecutionRoleArn="arn:aws:iam::000000000000:role/r",
                PrimaryContainer={"Image": "x"},
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InsufficientStorage"  # noqa: PT017 (it may be the first)
            return number
    raise AssertionError("A full disk held two thousand models.")


def test_a_full_disk_is_told_and_spoils_nothing(service: Service, disk: Disk, tmp_path: Path) -> None:
    """Writes are refused by name, what was there stays, a job that ends meanwhile ends rightly afterwards."""
    s3 = service.s3
    s3.put_object(Bucket="lab", Key="old", Body=b"old")
    upload = s3.create_multipart_upload(Bucket="lab", Key="parts")["UploadId"]
    make_job(service, "ends-meanwhile", tmp_path / "mark")
    until((tmp_path / "mark").exists, "the start of the job")
    disk.fill()
    for key in ("old", "new"):
        refused(partial(s3.put_object, Bucket="lab", Key=key, Body=b"x" * 500_000))
    refused(
        lambda: s3.upload_part(Bucket="lab", Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * 500_000)
    )
    created = models_until_full(service)
    refused(lambda: make_job(service, "refused", tmp_path / "other"))
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="lab")["Contents"]] == ["old"]
    (tmp_path / "mark.go").touch()
    run = disk.view / "root/jobs/processing-job/ends-meanwhile/run/exit.json"
    until(run.exists, "the record of the job's end, for which room was kept")
    disk.free()
    until(lambda: status(service, "ends-meanwhile") == "Completed", "the job's end")
    service.restart()
    assert s3.get_object(Bucket="lab", Key="old")["Body"].read() == b"old"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="lab")["Contents"]] == ["old"]
    models = service.sagemaker.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 100})
    assert {m["ModelName"] for page in models for m in page["Models"]} == {f"m{n}" for n in range(created)}
    assert status(service, "ends-meanwhile") == "Completed"
    assert (tmp_path / "mark").read_text() == "run\n"
    s3.put_object(Bucket="lab", Key="new", Body=b"x" * 500_000)
    assert list((disk.view / "root/s3/.state/tmp").iterdir()) == []
    service.kill()
    for path in (disk.view / "root").glob("sagemaker.sqlite*"):
        shutil.copy(path, tmp_path)
    with closing(sqlite3.connect(tmp_path / "sagemaker.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_model_waits_for_room(service: Service, disk: Disk, tmp_path: Path, *, is_killed: bool) -> None:
    """A training that ends on a full disk keeps its model and puts it when there is room, killed or not."""
    service.sagemaker.create_training_job(
        TrainingJobName="waits",
        AlgorithmSpecification={"TrainingImage": "crash:1", "TrainingInputMode": "File"},
        RoleArn="arn:aws:iam::000000000000:role/r",
        OutputDataConfig={"S3OutputPath": "s3://lab/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        Environment={"MARK": str(tmp_path / "mark")},
    )
    until((tmp_path / "mark").exists, "the start of the job")
    disk.fill()
    (tmp_path / "mark.go").touch()
    until(lambda: "waits for the disk" in (tmp_path / "log").read_text(), "the job's wait")
    if is_killed:
        service.kill()
        service.start()
    assert training(service)["TrainingJobStatus"] == "InProgress"
    disk.free()
    until(lambda: training(service)["TrainingJobStatus"] != "InProgress", "the job's end")
    assert training(service)["TrainingJobStatus"] == "Completed"
    archive = service.s3.get_object(Bucket="lab", Key="out/waits/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert {member.name: member.size for member in tar} == {"weights": 1 << 20}


def training(service: Service) -> dict[str, Any]:
    """The description of the training job that waits."""
    found: dict[str, Any] = service.sagemaker.describe_training_job(TrainingJobName="waits")
    return found


def test_a_service_starts_on_a_full_disk_to_be_read(service: Service, disk: Disk) -> None:
    """What is there can be read, and so saved or deleted; what needs room is refused until there is some."""
    service.s3.put_object(Bucket="lab", Key="old", Body=b"old")
    service.kill()
    disk.fill()
    service.start()
    assert service.s3.get_object(Bucket="lab", Key="old")["Body"].read() == b"old"
    refused(lambda: service.s3.put_object(Bucket="lab", Key="new", Body=b"x" * 500_000))
    service.s3.delete_object(Bucket="lab", Key="old")
    disk.free()
    service.s3.put_object(Bucket="lab", Key="new", Body=b"x" * 500_000)
    assert [item["Key"] for item in service.s3.list_objects_v2(Bucket="lab")["Contents"]] == ["new"]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_read_only_root_is_refused(disk: Disk, tmp_path: Path, *, is_new: bool) -> None:
    """The message names the directory, the reason and what to do; nothing is written."""
    root = tmp_path / "disk/root"
    if not is_new:
        first = Service(root, tmp_path / "log", prefix=disk.prefix)
        first.start()
        first.close()
    before = sorted(path.name for path in disk.view.rglob("*"))
    subprocess.run([*disk.prefix, "mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
    command = [sys.executable, "-m", "local_sagemaker", "--root", str(root), "--port", "0"]
    ended = subprocess.run(
        [*disk.prefix, *command], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    assert f"Cannot start: The disk below {root} cannot be written" in ended.stderr
    assert "Read-only file system" in ended.stderr
    assert "Mount it writable, or give another --root." in ended.stderr
    assert sorted(path.name for path in disk.view.rglob("*")) == before
