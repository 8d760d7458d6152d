"""Services for tests, each in a directory of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from sagemaker_kit.jobs import IMAGE, Lab
from sagemaker_kit.service import Service

# What an example takes depends on what else the machine does; a test that hangs has pytest's timeout.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def _starter(folder: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def start(*options: str) -> Service:
        place = folder / f"service-{len(services)}"
        service = Service(place, folder / f"service-{len(services)}.log", *options)
        services.append(service)
        service.start()
        return service

    yield start
    for service in services:
        service.close()


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """A function that starts a service with options, each in a directory of its own."""
    yield from _starter(tmp_path)


@pytest.fixture(scope="module")
def start_shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """The same for services that all tests of a module share."""
    yield from _starter(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def sagemaker(start_service: Callable[..., Service]) -> Service:
    """A service for one test."""
    return start_service()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The image.toml of the image whose container runs the environment's SCRIPT."""
    path = tmp_path / "image.toml"
    path.write_text(IMAGE)
    return path


@pytest.fixture
def lab(start_service: Callable[..., Service], image: Path) -> Lab:
    """A service for one test, with that image."""
    return Lab(start_service("--image", str(image)))
