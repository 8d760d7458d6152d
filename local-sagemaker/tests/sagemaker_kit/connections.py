"""How a connection to a service that is killed ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError


class Lost(Exception):  # noqa: N818 (what a client is told by a dead service)
    """The service went away before it answered."""


@contextmanager
def answered() -> Iterator[None]:
    """Turn the ways of a connection to break into Lost; any answer of the service is none of them."""
    try:
        yield
    except ClientError:
        raise
    except (BotoCoreError, HTTPClientError, ConnectionError, OSError) as error:
        raise Lost(str(error)) from error
