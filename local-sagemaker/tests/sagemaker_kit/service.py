"""The real service as a child process, with boto3 clients for it."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

PROJECT = Path(__file__).resolve().parents[2]
READY = re.compile(r"Local SageMaker is ready at (\S+), root ")
REGION = "us-east-1"


class Service:
    """One local SageMaker on a free port, with its state in a temporary directory."""

    def __init__(self, root: Path, log: Path, *options: str, prefix: Sequence[str] = ()) -> None:
        """Know what to start; `prefix` are words before the command, which must become it."""
        self.root, self.log, self.options, self.prefix = root, log, options, prefix
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self._clients: dict[str, Any] = {}

    def start(self) -> None:
        """Start the process, on the port it had before if it was started before."""
        port = self.url.rpartition(":")[2] or "0"
        arguments = ["--root", str(self.root), "--port", port, *self.options]
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "local_sagemaker", *arguments],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        ready = READY.match(line)
        if ready is None:
            self.process.wait()
            pytest.fail(f"The service did not start: {line}{self.log.read_bytes()[begin:].decode()}")
        self.url = ready.group(1)

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client of the service that does not repeat requests."""
        if config or service not in self._clients:
            made = boto3.client(  # type: ignore[call-overload]  # any service by its name
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106 (any is accepted)
                config=Config(retries={"max_attempts": 0}, **config),
            )
            if config:
                return made
            self._clients[service] = made
        return self._clients[service]

    @property
    def s3(self) -> Any:
        """The client of S3."""
        return self.client("s3")

    @property
    def sagemaker(self) -> Any:
        """The client of SageMaker."""
        return self.client("sagemaker")

    @property
    def runtime(self) -> Any:
        """The client that invokes endpoints."""
        return self.client("sagemaker-runtime")

    @property
    def logs(self) -> Any:
        """The client of CloudWatch Logs."""
        return self.client("logs")

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process as a user would."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """End the process at once if it still runs, and start it again on the same port and directory."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End the process and the clients' connections."""
        self.stop()
        for client in self._clients.values():
            client.close()

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None
