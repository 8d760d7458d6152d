"""The page's application, made when somebody first opens the page; reading for it begins before.

Every process of Airflow loads its plugins, each task's included; only the API server ever serves the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from threading import Thread
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class LazyApplication:
    """An ASGI application that imports the real one with its first request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await _application()(scope, receive, send)


def reading_ahead(app: Application) -> Application:
    """Begin to read when Airflow's API server begins to serve, so that the first visitor finds it read.

    To Airflow it is a middleware, since those are made at that moment; requests go on as if without it.
    """
    begin_reading()
    return app


@lru_cache(maxsize=1)
def begin_reading() -> Thread:
    """Read every cycle in a thread of its own, once for a process."""
    thread = Thread(target=_read, name="flywheel-page", daemon=True)
    thread.start()
    return thread


def _read() -> None:
    from flywheel.ui.app import warm_up  # noqa: PLC0415 - the very point of this file

    warm_up()


@lru_cache(maxsize=1)
def _application() -> Application:
    from flywheel.ui.app import make_application  # noqa: PLC0415 - the very point of this file

    begin_reading()
    return make_application()
