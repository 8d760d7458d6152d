"""On whose behalf a request is carried out: the pool of jobs is fair between owners (domain/fair_queue.py).

An owner is a pipeline execution, a tuning job that no pipeline has begun, or, for all that is asked for
directly, the access key that the request names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from local_sagemaker.protocol.http import HttpRequest

#: requests that name no access key are one owner's
NOBODY = "key/"
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")

_owner: ContextVar[str] = ContextVar("owner", default=NOBODY)


def current() -> str:
    """Whoever the request that is being carried out is for."""
    return _owner.get()


@contextmanager
def on_behalf_of(owner: str) -> Iterator[None]:
    """Let whatever is asked for within be that owner's."""
    token = _owner.set(owner)
    try:
        yield
    finally:
        _owner.reset(token)


def of_workflow(arn: str) -> str:
    """Return the owner of what a workflow creates: itself, or the workflow that started it."""
    return arn if current().startswith(NOBODY) else current()


def of_request(request: HttpRequest) -> str:
    """Return the owner of a client's request: its access key, whether or not signatures are checked."""
    named = CREDENTIAL.search(request.headers.get("authorization", ""))
    return NOBODY if named is None else f"{NOBODY}{named[1]}"
