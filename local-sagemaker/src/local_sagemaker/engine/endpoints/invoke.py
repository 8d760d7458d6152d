"""One invocation of an endpoint, from the client's request to the container's answer: the hot path."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.engine.endpoints.capture import Invocation
from local_sagemaker.engine.endpoints.fleet import Fleet, Target, Variant
from local_sagemaker.engine.processes.wire import Answer, ContainerUnreachableError, head

#: SageMaker's limits of one invocation, in bytes and seconds
BODY_LIMIT_BYTES = 6_291_456
TIMEOUT_S = 60.0
#: what of a model's own error message is passed on, in characters
MESSAGE_LIMIT = 1024

#: request headers that reach the container, and no others
PASSED = (
    b"content-type",
    b"accept",
    b"x-amzn-sagemaker-custom-attributes",
    b"x-amzn-sagemaker-target-model",
    b"x-amzn-sagemaker-inference-id",
)
#: answer headers that reach the client, and no others
RETURNED = (b"content-type", b"x-amzn-sagemaker-custom-attributes")
#: header -> (member of InvokeEndpoint, most characters it may have)
LIMITED = {
    b"content-type": ("ContentType", 1024),
    b"accept": ("Accept", 1024),
    b"x-amzn-sagemaker-custom-attributes": ("CustomAttributes", 1024),
    b"x-amzn-sagemaker-inference-id": ("InferenceId", 64),
}
TARGET_VARIANT = b"x-amzn-sagemaker-target-variant"
INFERENCE_ID = b"x-amzn-sagemaker-inference-id"
CUSTOM_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
VARIANT = b"x-amzn-invoked-production-variant"
OK = range(200, 300)
#: states of an endpoint that has a fleet; while it has none yet, the service has just been started
COMING_BACK = frozenset({"InService", "Updating"})


class InvokeError(Exception):
    """An error of InvokeEndpoint: its code, HTTP status, message and further members."""

    def __init__(self, code: str, status: int, message: str, **members: object) -> None:
        super().__init__(message)
        self.code, self.status = code, status
        self.members: dict[str, object] = {"Message": message, **members}

    def reply(self) -> Reply:
        """The error as botocore's model describes it."""
        headers = [(b"content-type", b"application/json"), (b"x-amzn-errortype", self.code.encode())]
        return Reply(self.status, headers, json.dumps(self.members).encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client is answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(eq=False)
class Route:
    """An endpoint as invocations see it."""

    name: str
    account: str
    region: str
    #: EndpointStatus
    status: str
    #: what serves it; None while there is nothing to serve it
    fleet: Fleet | None = None
    #: AsyncInferenceConfig of an endpoint that is invoked by InvokeEndpointAsync, and by that alone
    asynchronous: Mapping[str, Any] | None = None
    #: invocations that failed before any container was chosen
    refused: int = field(default=0)

    @property
    def log_group(self) -> str:
        """Where its containers' logs are."""
        return f"/aws/sagemaker/Endpoints/{self.name}"


def invalid(message: str) -> InvokeError:
    """A request that cannot be carried out as it stands."""
    return InvokeError("ValidationError", 400, message)


def too_large(size: int) -> InvokeError:
    """A request body beyond the limit."""
    return invalid(
        "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length "
        f"less than or equal to {BODY_LIMIT_BYTES}. The body has {size} bytes: send fewer records at a time, "
        "or use a batch transform job."
    )


async def invoke(route: Route, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
    """Carry out one invocation.

    :param headers: the request's headers, names in lower case.
    :raises InvokeError: where SageMaker answers with an error.
    """
    started = time.perf_counter_ns()
    check(headers)
    variant = choose_variant(route, headers)
    passed = [(name, headers[name]) for name in PASSED if name in headers]
    request = head("POST", "/invocations", passed, len(body))
    sent = time.perf_counter_ns()
    answer = await _ask(route, variant, request, body)
    received = time.perf_counter_ns()
    if answer.status in OK:
        capture(variant, headers, body, answer)
    overhead = time.perf_counter_ns() - received + sent - started
    variant.counters.count(answer.status, (received - sent) // 1000, overhead // 1000)
    if answer.status not in OK:
        raise model_error(route, answer.status, answer.body.decode("utf-8", "replace"))
    returned = [(name, answer.headers[name]) for name in RETURNED if name in answer.headers]
    returned.append((VARIANT, variant.name.encode()))
    return Reply(200, returned, answer.body)


def check(headers: Mapping[bytes, bytes]) -> None:
    """Refuse headers that are longer than SageMaker takes."""
    for name, (member, limit) in LIMITED.items():
        if len(headers.get(name, b"")) > limit:
            raise invalid(
                f"1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must "
                f"have length less than or equal to {limit}."
            )


def choose_variant(route: Route, headers: Mapping[bytes, bytes]) -> Variant:
    """The variant that an invocation goes to; InvokeError when there is none."""
    if route.asynchronous is not None:
        raise invalid(
            f"Endpoint {route.name} of account {route.account} does not support this inference type. It is "
            "asynchronous: use InvokeEndpointAsync."
        )
    if route.fleet is None:
        if route.status in COMING_BACK:
            raise InvokeError(
                "ServiceUnavailable",
                503,
                f"Endpoint {route.name} is coming back after a restart of the service. Try again soon.",
            )
        raise invalid(
            f"Endpoint {route.name} of account {route.account} is not in service: its status is "
            f"{route.status}. Wait until DescribeEndpoint says InService, or read its FailureReason."
        )
    wanted = headers.get(TARGET_VARIANT, b"").decode("latin-1")
    variant = route.fleet.named(wanted) if wanted else route.fleet.choose()
    if variant is None and wanted:
        raise invalid(
            f"Variant {wanted} not found for endpoint {route.name} of account {route.account}. It "
            f"has {', '.join(sorted(route.fleet.variants))}."
        )
    if variant is None:
        raise invalid(
            f"Every variant of endpoint {route.name} has weight 0, so none gets traffic. Give one a "
            "weight by UpdateEndpointWeightsAndCapacities, or name it as TargetVariant."
        )
    return variant


async def _ask(route: Route, variant: Variant, request: bytes, body: bytes) -> Answer:
    """Ask a container; another one if the first cannot have read the request."""
    for _ in range(len(variant.targets) + 1):
        target = variant.choose() if variant.pool is None else await variant.pool.take(len(body))
        if target is None:
            break
        target.in_flight += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await target.client.exchange(request, body)
        except TimeoutError:
            # A serverless container is stopped with what it does not end.
            target.is_healthy = target.is_healthy and variant.pool is None
            variant.counters.count(500, int(TIMEOUT_S * 1_000_000), None)
            raise model_error(route, 0, TIMED_OUT) from None
        except ContainerUnreachableError as error:
            if not error.is_unread:
                variant.counters.count(500, None, None)
                raise model_error(route, 0, f"{error} See its log.") from error
            # Until its watcher has found it sick or started it again.
            target.is_healthy = False
        finally:
            target.in_flight -= 1
            if variant.pool is not None:
                variant.pool.give_back(target)
    variant.counters.count(503, None, None)
    raise none_running(route, variant)


def none_running(route: Route, variant: Variant) -> InvokeError:
    """No container is there to be asked."""
    return InvokeError(
        "ServiceUnavailable",
        503,
        f"No container of variant {variant.name} of endpoint {route.name} is running at the moment; it "
        f"is being started again. Try again in a few seconds; {route.log_group} has the reason.",
    )


TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency "
    "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)


def model_error(route: Route, status: int, message: str) -> InvokeError:
    """What the client is told when a container answered with an error (`status`), or with none at all (0)."""
    message = message[:MESSAGE_LIMIT]
    kind = "client" if status in range(400, 500) else "server"
    arn = f"arn:aws:logs:{route.region}:{route.account}:log-group:{route.log_group}"
    return InvokeError(
        "ModelError",
        424,
        f'Received {kind} error ({status}) from primary with message "{message}". See the log group '
        f"{route.log_group} in account {route.account} for more information.",
        OriginalStatusCode=status,
        OriginalMessage=message,
        LogStreamArn=arn,
    )


def capture(variant: Variant, headers: Mapping[bytes, bytes], body: bytes, answer: Answer) -> None:
    """Hold an invocation that the data capture takes, to be written later."""
    buffer = variant.capture
    if buffer is None or not buffer.config.takes():
        return
    given_type = headers.get(b"content-type", b"").decode("latin-1")
    given = (headers.get(name) for name in (INFERENCE_ID, CUSTOM_ATTRIBUTES))
    texts = [None if value is None else value.decode("latin-1") for value in given]
    buffer.add(Invocation(datetime.now(UTC), body, given_type, answer.body, answer.content_type, *texts))


def targets(route: Route) -> list[Target]:
    """All containers that serve an endpoint now."""
    if route.fleet is None:
        return []
    return [target for variant in route.fleet.variants.values() for target in variant.targets]


def summary(route: Route) -> dict[str, Any]:
    """An endpoint's counters and latencies, by variant, as JSON."""
    fleet = route.fleet
    return {
        "endpoint": route.name,
        "status": route.status,
        "variants": {name: _figures(variant) for name, variant in (fleet.variants.items() if fleet else ())},
    }


def _figures(variant: Variant) -> dict[str, Any]:
    counters = variant.counters
    return {
        "weight": variant.weight,
        "instances": len(variant.targets),
        "healthy_instances": sum(target.is_healthy for target in variant.targets),
        "in_flight": sum(target.in_flight for target in variant.targets),
        "invocations": counters.invocations,
        "errors_4xx": counters.errors_4xx,
        "errors_5xx": counters.errors_5xx,
        "restarts": counters.restarts,
        "model_latency_us": _percentiles(counters.model_latency_us),
        "overhead_latency_us": _percentiles(counters.overhead_latency_us),
    }


def _percentiles(values: Any) -> dict[str, int]:  # noqa: ANN401 - any sized iterable of numbers
    ordered = sorted(values)
    return (
        {f"p{p}": ordered[min(len(ordered) * p // 100, len(ordered) - 1)] for p in (50, 99)}
        if ordered
        else {}
    )
