"""serve: load the model and answer over HTTP until stopped."""

from __future__ import annotations

import logging
import os

import uvicorn

from include.ml.exceptions import InvalidInput
from include.steps.contract import base_directory
from include.steps.serving.inference import read_model
from include.steps.serving.server import BODY_LIMIT, Server, log


def main() -> int:
    """Load the model and serve it; return the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    # only batch transform sends many rows at once
    is_batch = os.environ.get("SAGEMAKER_BATCH") == "true"
    threads = int(os.environ.get("FLYWHEEL_THREADS", "1")) if is_batch else 1
    try:
        model = read_model(base_directory() / "model", threads=threads)
    except InvalidInput as error:
        log.critical("%s", error)
        return 1
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)
    limit = int(os.environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB") or 0) * 2**20 or BODY_LIMIT
    log.info("Serving %s on port %d", model.signature.cycle, port)
    uvicorn.run(
        Server(model, limit),
        # a container is reached from outside of it
        host=os.environ.get("FLYWHEEL_SERVE_HOST", "0.0.0.0"),  # noqa: S104
        port=port,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=25,
    )
    return 0
