"""The page's application, made when somebody first opens the page.

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


@lru_cache(maxsize=1)
def _application() -> Application:
    from flywheel.ui.app import make_application, warm_up  # noqa: PLC0415 - the very point of this file

    # Airflow's navigation shows the page's icon on every page, so whoever comes to this one finds it read.
    Thread(target=warm_up, name="flywheel-page", daemon=True).start()
    return make_application()
