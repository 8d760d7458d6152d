"""A service for tests: the real one, on a free port, with its state in a temporary folder.

With pytest, in conftest.py:

    pytest_plugins = ["local_sagemaker.testing"]

A test then asks for the fixture `local_sagemaker_service`, which has an empty service for this test alone.
Without pytest's fixtures, `running(folder)` is the same as a context manager.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_sagemaker.reset import living

READY = re.compile(r"Local SageMaker is ready at (\S+), root ")
REGION = "us-east-1"
#: how long the service and what it runs have to end by themselves, in seconds
GRACE_S = 30.0


class StartError(Exception):
    """The service did not start; the text has the end of its log."""


class LocalSageMaker:
    """A service that runs."""

    def __init__(self, url: str, root: Path, pid: int) -> None:
        #: where clients reach it
        self.url = url
        #: the folder of all it keeps
        self.root = root
        #: of its process
        self.pid = pid
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return the boto3 client of a service, such as `sagemaker`, `sagemaker-runtime`, `s3` or `logs`."""
        if service not in self._clients:
            self._clients[service] = boto3.client(  # type: ignore[call-overload]  # any service by its name
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106 (any is accepted)
            )
        return self._clients[service]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead any AWS client here, and to nothing of AWS's."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    def close(self) -> None:
        """Close the connections of the clients."""
        for client in self._clients.values():
            client.close()


@contextmanager
def running(folder: Path, *options: str) -> Iterator[LocalSageMaker]:
    """Start a service, and stop it in the end with all that it has started, by their process ids.

    :param folder: gets the service's root, `state`, and its log, `service.log`.
    :param options: more of the command line, such as `"--image", "image.toml"`.
    :raises StartError: it does not start.
    """
    root, log = folder / "state", folder / "service.log"
    command = [sys.executable, "-m", "local_sagemaker", "--root", str(root), "--port", "0", *options]
    with (
        log.open("ab") as errors,
        subprocess.Popen(  # noqa: S603 (this module's own command)
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            line = process.stdout.readline().decode() if process.stdout else ""
            ready = READY.match(line)
            if ready is None:
                process.wait(GRACE_S)
                raise StartError(
                    f"The service did not start: {line}{log.read_text(errors='replace')[-2000:]}"
                )
            service = LocalSageMaker(ready[1], root, process.pid)
            try:
                yield service
            finally:
                service.close()
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
            process.kill()
    # jobs outlive a service, so that it can be started again; a test's have nobody to go back to
    for job in living(root):
        job.kill()
        job.wait(GRACE_S)


@pytest.fixture
def local_sagemaker_options() -> Sequence[str]:
    """More options of the command line; override it in a conftest or a test module."""
    return ()


@pytest.fixture
def local_sagemaker_service(
    tmp_path_factory: pytest.TempPathFactory, local_sagemaker_options: Sequence[str]
) -> Iterator[LocalSageMaker]:
    """An empty service for one test."""
    with running(tmp_path_factory.mktemp("local-sagemaker"), *local_sagemaker_options) as service:
        yield service
