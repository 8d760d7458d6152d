"""InvokeEndpoint, from the client's request to the container's answer: the hot path."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from local_sagemaker.engine.endpoints.capture import CapturedInvocation
from local_sagemaker.engine.endpoints.fleet import Fleet, Target, Variant
from local_sagemaker.engine.processes.tasks import run_in_background
from local_sagemaker.engine.processes.wire import Answer, ContainerUnreachableError, head

Result = TypeVar("Result")
#: SageMaker's limits of one invocation, in bytes and seconds
BODY_LIMIT_BYTES = 6_291_456
TIMEOUT_S = 60.0
#: how much of a model's error message is passed on, in characters
MESSAGE_LIMIT = 1024

#: copies of invocations that may be on their way to shadow variants at a time; more are not sent
COPIES_LIMIT = 1000
_COPIES: set[asyncio.Task[None]] = set()

#: the only request headers that reach the container
PASSED = (
    b"content-type",
    b"accept",
    b"x-amzn-sagemaker-custom-attributes",
    b"x-amzn-sagemaker-inference-id",
)
#: the only answer headers that reach the client
RETURNED = (b"content-type", b"x-amzn-sagemaker-custom-attributes")
#: header -> (member of InvokeEndpoint, limit in characters)
LIMITED = {
    b"content-type": ("ContentType", 1024),
    b"accept": ("Accept", 1024),
    b"x-amzn-sagemaker-custom-attributes": ("CustomAttributes", 1024),
    b"x-amzn-sagemaker-inference-id": ("InferenceId", 64),
    b"x-amzn-sagemaker-target-model": ("TargetModel", 1024),
}
ACCEPT = b"accept"
TARGET_MODEL = b"x-amzn-sagemaker-target-model"
TARGET_VARIANT = b"x-amzn-sagemaker-target-variant"
INFERENCE_ID = b"x-amzn-sagemaker-inference-id"
CUSTOM_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
VARIANT = b"x-amzn-invoked-production-variant"
OK = range(200, 300)
#: statuses of an endpoint with a fleet; it has none only just after a restart of the service
RESTARTING = frozenset({"InService", "Updating"})


class InvokeError(Exception):
    """An error of InvokeEndpoint: code, HTTP status, message and further members."""

    def __init__(self, code: str, status: int, message: str, **members: object) -> None:
        super().__init__(message)
        self.code, self.status = code, status
        self.members: dict[str, object] = {"Message": message, **members}
        original = members.get("OriginalStatusCode", status)
        #: the status that the invocation counts with: the container's own, 500 if it did not answer
        self.counted = original if isinstance(original, int) and original else 500

    def reply(self) -> Reply:
        """Return the error as botocore's model describes it."""
        headers = [(b"content-type", b"application/json"), (b"x-amzn-errortype", self.code.encode())]
        return Reply(self.status, headers, json.dumps(self.members).encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the client."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(eq=False)
class EndpointRoute:
    """An endpoint as invocations see it."""

    name: str
    account: str
    region: str
    #: EndpointStatus
    status: str
    #: the containers that serve it; None while there are none
    fleet: Fleet | None = None
    #: AsyncInferenceConfig of an endpoint that only InvokeEndpointAsync invokes
    asynchronous: Mapping[str, Any] | None = None

    @property
    def log_group(self) -> str:
        """Return the log group of its containers."""
        return f"/aws/sagemaker/Endpoints/{self.name}"


def invalid(message: str) -> InvokeError:
    """Return the error of a request that cannot be carried out as it stands."""
    return InvokeError("ValidationError", 400, message)


def too_large(size: int) -> InvokeError:
    """Return the error of a request body beyond the limit."""
    return invalid(
        "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length "
        f"less than or equal to {BODY_LIMIT_BYTES}. The body has {size} bytes: send fewer records at a time, "
        "or use a batch transform job."
    )


async def invoke(route: EndpointRoute, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
    """Carry out one invocation.

    :param headers: the request's headers, names in lower case.
    :raises InvokeError: where SageMaker answers with an error.
    """
    started = time.perf_counter_ns()
    check_headers(headers)
    variant = choose_variant(route, headers)
    check_target_model(route, variant, headers)
    send_copy(route, variant, headers, body)
    answer = await _exchange(route, variant, headers, body, started)
    returned = [(name, answer.headers[name]) for name in RETURNED if name in answer.headers]
    returned.append((VARIANT, variant.name.encode()))
    return Reply(200, returned, answer.body)


def send_copy(route: EndpointRoute, variant: Variant, headers: Mapping[bytes, bytes], body: bytes) -> None:
    """Send an invocation of a variant to its shadow as well, if it is due; nobody waits for the answer."""
    shadow = variant.choose_shadow()
    if shadow is not None and len(_COPIES) < COPIES_LIMIT:
        run_in_background(_COPIES, _invoke_shadow(route, shadow, headers, body))


async def _invoke_shadow(
    route: EndpointRoute, shadow: Variant, headers: Mapping[bytes, bytes], body: bytes
) -> None:
    with suppress(InvokeError):  # it is counted, and nobody's answer
        await _exchange(route, shadow, headers, body, time.perf_counter_ns())


async def _exchange(
    route: EndpointRoute, variant: Variant, headers: Mapping[bytes, bytes], body: bytes, started: int
) -> Answer:
    """Return a container's answer, counted and captured.

    :param started: when the service began with the invocation, by the clock of performance counters.
    :raises InvokeError: where SageMaker answers with an error.
    """
    sent = time.perf_counter_ns()
    try:
        answer = await _pass_through(route, variant, headers, body)
    except TimeoutError:
        variant.counters.count(500, int(TIMEOUT_S * 1_000_000), None)
        raise model_error(route, 0, TIMED_OUT) from None
    except ContainerUnreachableError as error:
        variant.counters.count(500, None, None)
        raise model_error(route, 0, f"{error} See its log.") from error
    except InvokeError as error:
        variant.counters.count(error.counted, None, None)
        raise
    received = time.perf_counter_ns()
    if answer.status in OK:
        capture_invocation(variant, headers, body, answer)
    overhead = time.perf_counter_ns() - received + sent - started
    variant.counters.count(answer.status, (received - sent) // 1000, overhead // 1000)
    if answer.status not in OK:
        raise model_error(route, answer.status, answer.body.decode("utf-8", "replace"))
    return answer


async def _pass_through(
    route: EndpointRoute, variant: Variant, headers: Mapping[bytes, bytes], body: bytes
) -> Answer:
    """Return the answer of a variant's container; of a pipeline, that of the last.

    Each container gets what the one before it has answered, with its content type; the last one is told what
    the client accepts.
    """
    passed = {name: headers[name] for name in PASSED if name in headers}
    while True:
        sent = [one for one in passed.items() if variant.next_stage is None or one[0] != ACCEPT]
        request = head("POST", "/invocations", sent, len(body))
        ask = functools.partial(_ask, request, body)
        if variant.is_multi_model:
            sent.append((TARGET_MODEL, headers[TARGET_MODEL]))
            ask = functools.partial(_ask_model, sent, body)
        answer = await use_container(route, variant, len(body), ask)
        if variant.next_stage is None or answer.status not in OK:
            return answer
        variant, body = variant.next_stage, answer.body
        passed[b"content-type"] = answer.content_type.encode("latin-1")


async def _ask(request: bytes, body: bytes, target: Target) -> Answer:
    async with asyncio.timeout(TIMEOUT_S):
        return await target.client.exchange(request, body)


async def _ask_model(headers: list[tuple[bytes, bytes]], body: bytes, target: Target) -> Answer:
    """Return the answer of the model that a header names, in a container of a multi-model endpoint."""
    client, name = target.client, dict(headers)[TARGET_MODEL].decode("utf-8", "replace")
    if target.models is None:
        raise RuntimeError("A container of a multi-model endpoint has no models.")

    async def ask(path: str) -> Answer:
        return await client.exchange(head("POST", path, headers, len(body)), body)

    async with asyncio.timeout(TIMEOUT_S):
        return await target.models.use(client, name, ask)


def check_target_model(route: EndpointRoute, variant: Variant, headers: Mapping[bytes, bytes]) -> None:
    """Raise InvokeError unless an invocation names a model where, and only where, there are several."""
    if variant.is_multi_model and not headers.get(TARGET_MODEL):
        raise invalid(
            f"Endpoint {route.name} is a multi-model endpoint: the target model is missing. Give a "
            "TargetModel, the key of an archive below the model's ModelDataUrl."
        )
    if not variant.is_multi_model and TARGET_MODEL in headers:
        raise invalid(
            f"Endpoint {route.name} is not a multi-model endpoint: it serves one model. Leave out "
            "TargetModel."
        )


def check_headers(headers: Mapping[bytes, bytes]) -> None:
    """Raise InvokeError if a header is longer than SageMaker allows."""
    for name, (member, limit) in LIMITED.items():
        if len(headers.get(name, b"")) > limit:
            raise invalid(
                f"1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must "
                f"have length less than or equal to {limit}."
            )


def choose_variant(route: EndpointRoute, headers: Mapping[bytes, bytes]) -> Variant:
    """Return the variant of an invocation; raise InvokeError if there is none."""
    if route.asynchronous is not None:
        raise invalid(
            f"Endpoint {route.name} of account {route.account} does not support this inference type. It is "
            "asynchronous: use InvokeEndpointAsync."
        )
    if route.fleet is None:
        if route.status in RESTARTING:
            raise InvokeError(
                "ServiceUnavailable",
                503,
                f"Endpoint {route.name} is starting again after a restart of the service. Try again soon.",
            )
        raise invalid(
            f"Endpoint {route.name} of account {route.account} is not in service: its status is "
            f"{route.status}. Wait until DescribeEndpoint says InService, or read its FailureReason."
        )
    wanted = headers.get(TARGET_VARIANT, b"").decode("latin-1")
    variant = route.fleet.variant_named(wanted) if wanted else route.fleet.choose_variant()
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


async def use_container(
    route: EndpointRoute, variant: Variant, size: int, use: Callable[[Target], Awaitable[Result]]
) -> Result:
    """Let `use` send a request of `size` bytes to a container; to another if the first cannot have read it.

    :raises InvokeError: when no container is running.
    """
    for _ in range(len(variant.targets) + 1):
        target = variant.choose_target() if variant.pool is None else await variant.pool.take(size)
        if target is None:
            break
        target.in_flight += 1
        try:
            return await use(target)
        except ContainerUnreachableError as error:
            if not error.is_unread:
                raise
            # until its watcher finds out or starts it again
            target.is_healthy = False
        except (TimeoutError, asyncio.CancelledError):
            # A serverless container that does not finish is stopped, and its invocation with it.
            target.is_healthy = target.is_healthy and variant.pool is None
            raise
        finally:
            variant.release(target)
    raise no_container(route, variant)


def no_container(route: EndpointRoute, variant: Variant) -> InvokeError:
    """Return the error of a variant without a running container."""
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


def model_error(route: EndpointRoute, status: int, message: str) -> InvokeError:
    """Return the error of a container that answered with `status`, or did not answer (0)."""
    message = message[:MESSAGE_LIMIT]
    kind = "client" if status in range(400, 500) else "server"
    return InvokeError(
        "ModelError",
        424,
        f'Received {kind} error ({status}) from primary with message "{message}". See the log group '
        f"{route.log_group} in account {route.account} for more information.",
        OriginalStatusCode=status,
        OriginalMessage=message,
        LogStreamArn=f"arn:aws:logs:{route.region}:{route.account}:log-group:{route.log_group}",
    )


def capture_invocation(variant: Variant, headers: Mapping[bytes, bytes], body: bytes, answer: Answer) -> None:
    """Buffer an invocation for the data capture, if it is sampled."""
    buffer = variant.capture
    if buffer is None or not buffer.config.is_sampled():
        return
    input_type = headers.get(b"content-type", b"").decode("latin-1")
    values = (headers.get(name) for name in (INFERENCE_ID, CUSTOM_ATTRIBUTES))
    texts = [None if value is None else value.decode("latin-1") for value in values]
    now = datetime.now(UTC)
    buffer.add(CapturedInvocation(now, body, input_type, answer.body, answer.content_type, *texts))


def endpoint_figures(route: EndpointRoute) -> dict[str, Any]:
    """Return an endpoint's counters and latencies by variant, as JSON."""
    variants = route.fleet.variants if route.fleet is not None else {}
    shadows = {one.shadow.name: one.shadow for one in variants.values() if one.shadow is not None}
    figures = {name: variant.figures() for name, variant in {**variants, **shadows}.items()}
    return {"endpoint": route.name, "status": route.status, "variants": figures}
