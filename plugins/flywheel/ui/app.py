"""The application below `/flywheel`: the page, its files, and the JSON that it shows.

Every address asks for a user of Airflow, and those about a cycle for the right to see its DAGs. All of them
only read: what the page's buttons do, Airflow's own REST API does, in the user's own name.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from flywheel.ui import files, rights
from flywheel.ui.costs import costs
from flywheel.ui.readers import Reader, reader
from include.core.cycle import Cycle, broken_cycles, find_cycles
from include.core.layout import split_uri
from include.core.places import Places

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
#: types of the page's files by ending; nothing else is served
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
#: nothing from anywhere but here, no script and no style that is no file, no frame around but Airflow's
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
User = Annotated[Any, Depends(get_user)]
Read = Annotated[Reader, Depends(reader)]
#: how many windows a view shows, unless it is asked for more
WINDOWS = 36


def make_application() -> FastAPI:
    """Return the application, to be mounted by Airflow."""
    app = FastAPI(
        title="Flywheel", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(get_user)]
    )
    app.middleware("http")(_harden)
    app.get("/")(serve_page)
    app.get("/cycles/{name}")(serve_page)
    app.get("/dags/{path:path}")(serve_page)
    app.get("/static/{name:path}")(static)
    app.get("/api/cycles")(cycles)
    app.get("/api/dags/{dag_id}")(owner)
    app.get("/api/cycles/{name}")(view)
    app.get("/api/cycles/{name}/traffic")(traffic)
    app.get("/api/cycles/{name}/outputs")(outputs)
    app.get("/api/cycles/{name}/windows/{window}")(window)
    app.get("/cycles/{name}/files/{path:path}")(file)
    return app


def warm_up() -> None:
    """Read every cycle once: what never changes is in memory then, and nobody waits for it."""
    for cycle in find_cycles().values():
        try:
            reader().card(cycle)
            reader().view(cycle, WINDOWS)
        except Exception:
            log.warning("Cannot read %s ahead; the page will say why", cycle.name, exc_info=True)


async def _harden(request: Request, call_next: Any) -> Response:  # noqa: ANN401 - starlette's own type
    """Add to every answer what it says to the browser."""
    response: Response = await call_next(request)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def serve_page(request: Request) -> HTMLResponse:
    """Return the page itself: an empty frame that its scripts fill."""
    return HTMLResponse(_shell().replace("{root}", escape(request.scope["root_path"], quote=True)))


def static(name: str) -> FileResponse:
    """One of the page's files."""
    path = _files().get(name)
    if path is None:
        raise HTTPException(404, f"The page has no file {name!r}.")
    return FileResponse(path, media_type=TYPES[path.suffix], headers={"Cache-Control": "private, max-age=60"})


@lru_cache(maxsize=1)
def _shell() -> str:
    return (STATIC / "page.html").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    return {p.relative_to(STATIC).as_posix(): p for p in STATIC.rglob("*") if p.suffix in TYPES}


def cycles(user: User, read: Read) -> dict[str, Any]:
    """Return a card for each cycle that the user may see."""
    seen = [cycle for cycle in find_cycles().values() if rights.may_see(user, cycle)]
    return {
        "user": user.get_name(),
        "cycles": [about(cycle, user) | {"parts": read.card(cycle)} for cycle in seen],
        "hidden": len(find_cycles()) - len(seen),
        # by name alone: what is wrong may quote the description, and Airflow knows who may read that
        "broken": [*broken_cycles()],
    }


def seen(name: str, user: User) -> Cycle:
    """Return the cycle of an address if the user may see it; both refusals look alike."""
    cycle = find_cycles().get(name)
    if cycle is None or not rights.may_see(user, cycle):
        raise HTTPException(404, f"There is no cycle {name!r}, or you may not see its DAGs.")
    return cycle


Seen = Annotated[Cycle, Depends(seen)]


def owner(dag_id: str, user: User) -> dict[str, Any]:
    """Return the cycle that a DAG belongs to."""
    cycle = next((item for item in find_cycles().values() if dag_id in rights.dags(item).values()), None)
    if cycle is None or not rights.may_see(user, cycle):
        raise HTTPException(404, f"{dag_id} belongs to no cycle of Flywheel that you may see.")
    return about(cycle, user) | {"costs": costs(cycle)}


def view(
    cycle: Seen, user: User, read: Read, windows: Annotated[int, Query(ge=1, le=1000)] = WINDOWS
) -> dict[str, Any]:
    """All about one cycle."""
    return about(cycle, user) | {"parts": read.view(cycle, windows), "costs": costs(cycle)}


def window(cycle: Seen, read: Read, window: str) -> dict[str, Any]:
    """All about one window, by the name of its folder."""
    part = read.window(cycle, window)
    if part["value"] is None and part["error"] is None:
        raise HTTPException(404, f"Not monitored yet: window {window!r} of {cycle.name}.")
    return part


def traffic(cycle: Seen, read: Read) -> dict[str, Any]:
    """Return what the endpoint captured last: beside the view, since many files are read for it."""
    return read.traffic(cycle)


def outputs(cycle: Seen, uri: Annotated[list[str], Query(max_length=100)]) -> list[dict[str, Any]]:  # noqa: ARG001 - who may not see the cycle gets no answer
    """Return the place and the pages of each output, in the order of the URIs."""
    return [files.pages(output) for output in uri]


def file(cycle: Seen, read: Read, path: str) -> Response:
    """Return a report, a model card or a record of the cycle."""
    body = None
    if files.is_shown(path):
        body = read.objects.find_object(*split_uri(Places(read.settings.bucket, cycle.name).root + path))
    if body is None:
        raise HTTPException(404, f"The page shows no {path!r} of {cycle.name}.")
    headers = {"Content-Security-Policy": files.POLICY, "Cache-Control": "private, max-age=3600"}
    return Response(body, media_type=files.media_type(path), headers=headers)


def about(cycle: Cycle, user: Any) -> dict[str, Any]:  # noqa: ANN401 - the auth manager's own type
    """Return what is known of a cycle without reading anything."""
    return {
        "name": cycle.name,
        "description": cycle.description,
        "metric": cycle.metric,
        "task": cycle.task,
        "schedule": cycle.schedule,
        "dags": rights.dags(cycle),
        "may": rights.actions(user, cycle),
    }
