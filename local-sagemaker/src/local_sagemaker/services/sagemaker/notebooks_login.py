"""Presigned URLs of notebook instances, and what answers them: GET /notebook/<name>/login?authToken=..."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from local_sagemaker.engine.notebooks import sessions
from local_sagemaker.engine.notebooks.home import NotebookHome
from local_sagemaker.engine.notebooks.notebooks import KIND
from local_sagemaker.errors import ValidationException
from local_sagemaker.protocol.http import HttpRequest, HttpResponse
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.notebooks import INSTANCES
from local_sagemaker.storage.store import MissingError, Resource

LOGIN = re.compile(r"/notebook/([a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})/login")
TOKEN = "authToken"  # noqa: S105 (AWS's name of the parameter)
REFUSED = (
    "This address was used already, or is older than five minutes, or its instance is not in service. Ask "
    "for another one with CreatePresignedNotebookInstanceUrl.\n"
)


class TicketError(Exception):
    """A ticket lets nobody in; nothing is changed."""


@operation("sagemaker", "CreatePresignedNotebookInstanceUrl")
def create_presigned_notebook_instance_url(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with an address that logs a browser in, once and within five minutes."""
    session_s = parameters.get("SessionExpirationDurationInSeconds", sessions.SESSION_S)
    made: list[str] = []

    def change(resource: Resource) -> Resource:
        if resource.status != "InService":
            raise ValidationException(
                f"Notebook Instance ({resource.arn}) is {resource.status}. A presigned URL is given while it "
                "is InService: start it first."
            )
        ticket, tickets = sessions.issue_ticket(resource.state["tickets"], time.time(), session_s)
        made.append(ticket)
        return replace(resource, state={**resource.state, "tickets": tickets})

    resource = INSTANCES.change(context, parameters["NotebookInstanceName"], change)
    return {"AuthorizedUrl": f"{context.url}/notebook/{resource.name}/login?{TOKEN}={made[-1]}"}


def is_login(request: HttpRequest) -> bool:
    """Whether a request is that of a presigned URL; S3 knows no such parameter."""
    is_address = request.method == "GET" and LOGIN.fullmatch(request.path) is not None
    return is_address and request.parameter(TOKEN) is not None


def login(context: Context, request: HttpRequest) -> HttpResponse:
    """Exchange the ticket for a session, and send the browser to the instance's own server."""
    address = LOGIN.fullmatch(request.path)
    name, ticket, now = address.group(1) if address else "", request.parameter(TOKEN) or "", time.time()
    session: list[int] = []

    def change(resource: Resource) -> Resource:
        session_s, tickets = sessions.redeem_ticket(resource.state["tickets"], ticket, now)
        if session_s is None or resource.status != "InService":
            raise TicketError(name)
        session.append(session_s)
        return replace(resource, state={**resource.state, "tickets": tickets})

    with suppress(MissingError, TicketError):
        return _session(context, request, context.store.change(KIND, name, change), session[-1])
    headers = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
    return HttpResponse(HTTPStatus.FORBIDDEN, REFUSED.encode(), headers)


def _session(context: Context, request: HttpRequest, resource: Resource, session_s: int) -> HttpResponse:
    home = NotebookHome.of(context, resource)
    cookie = sessions.seal_session(home.secret.read_text(encoding="utf-8"), int(time.time()) + session_s)
    # cookies know no ports: what is set for this host's path is sent to the instance's server too
    options = f"Path={home.base_url}; Max-Age={session_s}; HttpOnly; SameSite=Lax"
    headers = {
        "location": f"http://{_host(request)}:{resource.state['port']}{home.base_url}lab",
        "set-cookie": f"{sessions.COOKIE}={cookie}; {options}",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
    }
    return HttpResponse(HTTPStatus.FOUND, b"", headers)


def _host(request: HttpRequest) -> str:
    """Return the name by which the browser knows this machine; its cookie is for that name alone."""
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname
    return name if name in {"localhost", "127.0.0.1"} else "127.0.0.1"
