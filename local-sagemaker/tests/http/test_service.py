"""The service as a process: how it starts, refuses to start, answers and ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from sagemaker_kit.service import Service

PROJECT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the service's command to its end."""
    command = [sys.executable, "-m", "local_sagemaker", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


def test_health_tells_that_it_is_up(sagemaker: Service) -> None:
    """GET /health answers JSON with the root."""
    with urllib.request.urlopen(f"{sagemaker.url}/health") as answer:  # noqa: S310 (loopback)
        assert json.load(answer) == {
            "status": "ok",
            "service": "local-sagemaker",
            "root": str(sagemaker.root),
        }


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """The message names the port and what to do; the exit code is 2."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run("--root", str(tmp_path), "--port", str(port))
    assert ended.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in ended.stderr
    assert "--port" in ended.stderr


def test_a_second_service_on_one_root_is_refused(sagemaker: Service) -> None:
    """The message names the process that has the root; the first service goes on."""
    ended = run("--root", str(sagemaker.root), "--port", "0")
    assert ended.returncode == 2
    assert sagemaker.process is not None
    assert f"belongs to another local SageMaker (process {sagemaker.process.pid})" in ended.stderr
    assert sagemaker.client("sts").get_caller_identity()["Account"] == "000000000000"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--host", "0.0.0.0"], "can be reached from other machines"),  # noqa: S104 (to be refused)
        (["--host", "example.org"], "can be reached from other machines"),
        (["--jobs", "0"], "at least 1 job"),
        (["--image", "none.toml"], "there is no such file"),
        (["--port", "many"], "invalid int value"),
        (["--bucket", "../up"], "a bucket's name is"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """What cannot work, or is not safe, is refused before anything starts."""
    ended = run("--root", str(tmp_path / "root"), *arguments)
    assert (ended.returncode, expected in ended.stderr) == (2, True)
    assert not (tmp_path / "root").exists()


def test_the_service_ends_when_asked(start_service: Callable[..., Service]) -> None:
    """SIGTERM ends the process with code 0, and the root can be used again at once."""
    service = start_service()
    process = service.process
    assert process is not None
    service.stop()
    assert process.returncode == 0
    service.start()
    assert service.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_bucket_of_the_command_line_is_made_once(start_service: Callable[..., Service]) -> None:
    """It is there at the first answer, and keeps its objects at the next start."""
    service = start_service("--bucket", "lab")
    service.s3.put_object(Bucket="lab", Key="k", Body=b"kept")
    service.stop()
    service.start()
    assert service.s3.get_object(Bucket="lab", Key="k")["Body"].read() == b"kept"


def test_a_mistake_of_the_service_is_told_with_the_id_in_its_log(sagemaker: Service) -> None:
    """An unexpected exception is InternalError in the protocol's shape, and its traceback is in the log."""
    sagemaker.s3.create_bucket(Bucket="broken")
    sagemaker.s3.put_object(Bucket="broken", Key="k", Body=b"")
    for path in (sagemaker.root / "s3" / ".state" / "properties" / "broken").rglob("*.*"):
        path.unlink()
        path.mkdir()
    with pytest.raises(sagemaker.s3.exceptions.ClientError) as error:
        sagemaker.s3.get_object(Bucket="broken", Key="k")
    answer = error.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("InternalError", 500)
    assert f"Request {answer['ResponseMetadata']['RequestId']} failed" in sagemaker.log.read_text()
    assert "IsADirectoryError" in sagemaker.log.read_text()
