"""The port a container is told to listen on."""

from __future__ import annotations

import socket

PORT_VARIABLE = "SAGEMAKER_BIND_TO_PORT"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
