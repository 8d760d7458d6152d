"""Write docs/emulated-api.md, the list of emulated operations, from their registry.

Run it after a change of an operation: a test fails while the page is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from local_sagemaker import services
from local_sagemaker.protocol import models
from local_sagemaker.services import members
from local_sagemaker.services.registry import DIRECT, OPERATIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "emulated-api.md"
HEAD = """# Emulated API

The operations that the local SageMaker carries out. Made from the code by `python tools/emulated_api.py`;
do not edit it by hand. Any other operation is refused by name: HTTP 400 `UnknownOperationException`
(S3: HTTP 501 `NotImplemented`; query services: HTTP 400 `InvalidAction`).

So is any member of a request that is not honoured: HTTP 400 `ValidationException` (S3: HTTP 501
`NotImplemented`) names it. "Refused" lists these members, and the values that are refused of a member
that has others. "Accepted without effect" lists members that are checked and otherwise make no difference
here. All others are honoured; services/members.toml has them. A member that AWS's model does not know is
refused as well.

`GET /endpoints/<name>/metrics` answers with an endpoint's counters and latencies as JSON.

CloudWatch has the metrics of endpoints: the namespace AWS/SageMaker with the dimensions EndpointName and
VariantName, and with EndpointConfigName besides for those of one configuration alone, in periods from one
second on (15 minutes back) or one minute on (a day back). They are counted in memory: a restart of the
service forgets them. What PutMetricData puts into other namespaces is kept on the disk for fifteen days. It
is asked by JSON or query; the CBOR protocol is refused.
"""


def render_page() -> str:
    """Return the whole page."""
    services.load()
    return "\n".join([HEAD, *comparison(), *sections()]) + "\n"


def sections() -> Iterator[str]:
    """One section for each service."""
    summaries = {key: operation.summary for key, operation in OPERATIONS.items()} | DIRECT
    for service in sorted({service for service, _ in summaries}):
        served = sorted(name for owner, name in summaries if owner == service)
        total = len(models.service_model(service).operation_names)
        yield f"## {service}\n\n{len(served)} of {total} operations.\n"
        yield "| operation | what it does | accepted without effect | refused |\n| --- | --- | --- | --- |"
        yield from (row(service, name, summaries[service, name]) for name in served)
        yield ""
        if missing := sorted({*models.service_model(service).operation_names} - {*served}):
            yield f"<details><summary>{len(missing)} of AWS's operations are not here</summary>\n"
            yield "\n".join(f"- {name}" for name in missing)
            yield "\n</details>\n"


def comparison() -> Iterator[str]:
    """The table of services beside AWS's: how many of their operations are carried out."""
    yield "| service | AWS's operations | here |\n| --- | --- | --- |"
    summaries = {*OPERATIONS} | {*DIRECT}
    for service in sorted({service for service, _ in summaries}):
        here = sum(owner == service for owner, _ in summaries)
        yield f"| [{service}](#{service}) | {len(models.service_model(service).operation_names)} | {here} |"
    yield ""


def row(service: str, name: str, summary: str) -> str:
    """One line of a table."""
    shape = models.operation_model(service, name).input_shape
    declared = [] if shape is None else list(members.declared(service, name, shape))
    lists = (
        ", ".join(f"`{path}`" for word, path in declared if word == kind) for kind in ("ignored", "refused")
    )
    return f"| {name} | {summary} | {' | '.join(lists)} |"


if __name__ == "__main__":
    PAGE.write_text(render_page())
    print(f"wrote {PAGE.name}: {len(OPERATIONS)} operations")
