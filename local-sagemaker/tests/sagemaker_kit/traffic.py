"""Clients that invoke the endpoint `flights` without a pause, and what updates it meanwhile."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import httpx

from sagemaker_kit.service import Service


class Load:
    """Clients that invoke an endpoint all the time, each over a connection of its own."""

    def __init__(self, url: str, clients: int) -> None:
        """Begin at once."""
        self.url = f"{url}/endpoints/flights/invocations"
        self.seen: Counter[tuple[int, str]] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._over.is_set():
                answer = client.post(self.url, content=b"who", headers={"content-type": "text/csv"})
                name = answer.json()["name"] if answer.status_code == 200 else answer.text
                self.seen[answer.status_code, name] += 1

    def stop(self) -> Counter[tuple[int, str]]:
        """What was answered, by status and model."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.seen


def configure(service: Service, name: str, *variants: dict[str, Any]) -> None:
    """Create an endpoint configuration."""
    service.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants))


def update(service: Service, config: str, **more: Any) -> None:
    """Update the endpoint `flights`."""
    service.sagemaker.update_endpoint(EndpointName="flights", EndpointConfigName=config, **more)
