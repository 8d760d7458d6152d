"""Write docs/emulated-api.md, the list of emulated operations, from their registry.

Run it after a change of an operation: a test fails while the page is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from local_sagemaker import services
from local_sagemaker.protocol import models
from local_sagemaker.services.registry import OPERATIONS, Operation

PAGE = Path(__file__).resolve().parent.parent / "docs" / "emulated-api.md"
HEAD = """# Emulated API

The operations that the local SageMaker carries out. Made from the code by `python tools/emulated_api.py`;
do not edit it by hand. Any other operation is refused by name: HTTP 400 `UnknownOperationException`
(S3: HTTP 501 `NotImplemented`; query services: HTTP 400 `InvalidAction`). "Accepted without effect" lists
members of the request that are checked and otherwise make no difference here.

`InvokeEndpoint` and `InvokeEndpointWithResponseStream` of sagemaker-runtime are carried out besides, on a
path of their own (http/runtime.py, engine/endpoints/streaming.py). Without effect there:
`TargetContainerHostname`, `EnableExplanations`, `InferenceComponentName`, `SessionId`, `PrefixAwareId`.
`GET /endpoints/<name>/metrics` answers with an endpoint's counters and latencies as JSON.

CloudWatch has the metrics of endpoints: the namespace AWS/SageMaker with the dimensions EndpointName and
VariantName, and with EndpointConfigName besides for those of one configuration alone, in periods from one
second on (15 minutes back) or one minute on (a day back). They are counted in memory: a restart of the
service forgets them. What PutMetricData puts into other namespaces is kept on the disk for fifteen days. It
is asked by JSON or query; the CBOR protocol is refused.
"""


def page() -> str:
    """Return the whole page."""
    services.load()
    return "\n".join([HEAD, *sections()]) + "\n"


def sections() -> Iterator[str]:
    """One section for each service."""
    for service in sorted({service for service, _ in OPERATIONS}):
        found = [operation for (owner, _), operation in sorted(OPERATIONS.items()) if owner == service]
        total = len(models.service_model(service).operation_names)
        yield f"## {service}\n\n{len(found)} of {total} operations.\n"
        yield "| operation | what it does | accepted without effect |\n| --- | --- | --- |"
        yield from (row(operation) for operation in found)
        yield ""


def row(operation: Operation) -> str:
    """One line of a table."""
    ignored = ", ".join(f"`{name}`" for name in operation.ignored)
    return f"| {operation.name} | {operation.summary} | {ignored} |"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE.name}: {len(OPERATIONS)} operations")
