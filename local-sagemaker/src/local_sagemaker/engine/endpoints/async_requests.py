"""Invocations that were accepted to be carried out later, kept in the store until they are answered."""

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
#: what is taken for the "optimal value" that SageMaker chooses for MaxConcurrentInvocationsPerInstance
DEFAULT_PER_INSTANCE = 4
#: how many requests are read at once: their bodies come along
PAGE = 200


class InputError(Exception):
    """The input cannot be given to the model; the text says why."""


@dataclass(frozen=True, kw_only=True)
class AsyncRequest:
    """One invocation as it was accepted: nothing more is read from the endpoint's configuration later."""

    #: made for this request alone; the objects that answer it are named for it
    id: str
    endpoint: str
    #: what the container is sent besides the body, names in lower case
    headers: Mapping[str, str]
    #: S3 URI of the body; None if it is `body`
    input_uri: str | None
    #: the body itself, in base64
    body: str | None
    #: S3 URI of the object to be written when all goes well
    output_uri: str
    #: the same for a failure; None: nobody is told
    failure_uri: str | None
    #: seconds since 1970
    accepted: float
    #: how long it may wait
    ttl_s: float
    #: how long it may take, from the moment it is sent to a container
    timeout_s: float

    @property
    def is_expired(self) -> bool:
        """Whether it has waited too long."""
        return time.time() > self.accepted + self.ttl_s


def keep(context: Service, request: AsyncRequest) -> None:
    """Put a request into the store; on the disk when this returns."""
    resource = Resource(
        kind=KIND,
        name=request.id,
        arn=context.arn("sagemaker", f"{KIND}/{request.id}"),
        created=request.accepted,
        modified=request.accepted,
        document={},
        state=asdict(request),
        parent=request.endpoint,
    )
    context.store.insert(resource)


def load(store: Store, request_id: str) -> AsyncRequest | None:
    """A request that is not answered yet."""
    found = store.get(KIND, request_id)
    return None if found is None else AsyncRequest(**found.state)


def waiting(store: Store, endpoint: str | None = None) -> list[tuple[str, str]]:
    """Endpoint and id of every request (of one endpoint) that is not answered yet, the oldest first."""
    found: list[tuple[str, str]] = []
    query = Query(parent=endpoint, limit=PAGE)
    while page := store.search(KIND, query):
        found += [(resource.parent, resource.name) for resource in page]
        query = replace(query, after=(page[-1].created, page[-1].name))
    return found


def forget(store: Store, request_id: str) -> None:
    """Let go of a request: it is answered, or its endpoint is gone."""
    store.delete(KIND, request_id)


def is_answered(objects: ObjectStore, request: AsyncRequest) -> bool:
    """Whether a kill of the service came between the answer and `forget`."""
    uris = [uri for uri in (request.output_uri, request.failure_uri) if uri and request.id in uri]
    return any(
        objects.has_bucket(bucket) and objects.find(bucket, key) is not None
        for bucket, key in map(place, uris)
    )


def opened(objects: ObjectStore, request: AsyncRequest) -> tuple[BinaryIO, int]:
    """The body of a request as an open file, and its size; InputError when there is none to be had."""
    if request.input_uri is None:
        body = base64.b64decode(request.body or "")
        return io.BytesIO(body), len(body)
    bucket, key = place(request.input_uri)
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


def place(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def per_instance(config: Mapping[str, Any]) -> int:
    """How many invocations an AsyncInferenceConfig lets a container have at a time."""
    limit: int = config.get("ClientConfig", {}).get(
        "MaxConcurrentInvocationsPerInstance", DEFAULT_PER_INSTANCE
    )
    return limit
