"""The accepted requests of asynchronous endpoints, kept in the store until they are answered."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO

from local_sagemaker.base import Service
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.store import Query, Resource, Store

KIND = "async-invocation"
#: SageMaker's limit of an input object, in bytes
INPUT_LIMIT_BYTES = 1024**3
#: stands for the "optimal value" that SageMaker chooses for MaxConcurrentInvocationsPerInstance
DEFAULT_PER_INSTANCE = 4
#: how many requests are read at once; each comes with its body
PAGE = 200


class InputError(Exception):
    """The model cannot get the input; the text says why."""


@dataclass(frozen=True, kw_only=True)
class AsyncRequest:
    """One request as it was accepted: later changes of the endpoint's configuration do not touch it."""

    #: unique; names the objects that answer the request
    id: str
    endpoint: str
    #: headers for the container, names in lower case
    headers: Mapping[str, str]
    #: S3 URI of the body; None: it is `body`
    input_uri: str | None
    #: the body in base64
    body: str | None
    #: S3 URI of the answer
    output_uri: str
    #: S3 URI of the error if the request fails; None: it is not written
    failure_uri: str | None
    #: seconds since 1970
    accepted: float
    #: how long it may wait, in seconds
    ttl_s: float
    #: how long the container may take, in seconds
    timeout_s: float

    @property
    def is_expired(self) -> bool:
        """Return whether it has waited too long."""
        return time.time() > self.accepted + self.ttl_s


def keep_request(service: Service, request: AsyncRequest) -> None:
    """Put a request into the store; it is on the disk on return."""
    resource = Resource(
        kind=KIND,
        name=request.id,
        arn=service.arn("sagemaker", f"{KIND}/{request.id}"),
        created=request.accepted,
        modified=request.accepted,
        document={},
        state=asdict(request),
        parent=request.endpoint,
    )
    service.store.insert(resource)


def load_request(store: Store, request_id: str) -> AsyncRequest | None:
    """Return a request that is not answered yet; None if it is."""
    resource = store.get(KIND, request_id)
    return None if resource is None else AsyncRequest(**resource.state)


def waiting_requests(store: Store, endpoint: str | None = None) -> list[tuple[str, str]]:
    """Return endpoint and id of every request (of one endpoint) without an answer, the oldest first."""
    waiting: list[tuple[str, str]] = []
    query = Query(parent=endpoint, limit=PAGE)
    while page := store.search(KIND, query):
        waiting += [(resource.parent, resource.name) for resource in page]
        query = replace(query, after=(page[-1].created, page[-1].name))
    return waiting


def forget_request(store: Store, request_id: str) -> None:
    """Delete a request that is answered, or whose endpoint is gone."""
    store.delete(KIND, request_id)


def is_answered(objects: ObjectStore, request: AsyncRequest) -> bool:
    """Return whether the service was killed between the answer of a request and `forget_request`."""
    uris = [uri for uri in (request.output_uri, request.failure_uri) if uri and request.id in uri]
    return any(
        objects.has_bucket(bucket) and objects.find(bucket, key) is not None
        for bucket, key in map(bucket_and_key, uris)
    )


def open_input(objects: ObjectStore, request: AsyncRequest) -> tuple[BinaryIO, int]:
    """Return the body of a request as an open file, and its size; raise InputError if there is none."""
    if request.input_uri is None:
        body = base64.b64decode(request.body or "")
        return io.BytesIO(body), len(body)
    bucket, key = bucket_and_key(request.input_uri)
    if not key or not objects.has_bucket(bucket) or objects.find(bucket, key) is None:
        raise InputError(f"There is no object {request.input_uri}. Upload the input before it is invoked.")
    info, file = objects.open(bucket, key)
    if info.size > INPUT_LIMIT_BYTES:
        file.close()
        raise InputError(
            f"{request.input_uri} has {info.size} bytes, and an asynchronous invocation takes at most "
            f"{INPUT_LIMIT_BYTES}. Split it, or use a batch transform job."
        )
    return file, info.size


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def invocations_per_instance(config: Mapping[str, Any]) -> int:
    """Return how many invocations an AsyncInferenceConfig allows a container at a time."""
    limit: int = config.get("ClientConfig", {}).get(
        "MaxConcurrentInvocationsPerInstance", DEFAULT_PER_INSTANCE
    )
    return limit
