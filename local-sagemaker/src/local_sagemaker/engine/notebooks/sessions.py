"""Who may use a notebook instance: tickets that are exchanged once for sessions that end.

A presigned URL holds a ticket. Whoever brings it to the service within five minutes, and first, is given a
session: a cookie that says until when, sealed with the secret of the instance's server. The server needs
nothing but that secret to judge a cookie. The service keeps of a ticket only its digest.

Standard library only: the instance's own server, maybe of another interpreter, imports this.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

COOKIE = "notebook-session"
#: how long a presigned URL can be used, in seconds, as on AWS
TICKET_S = 300
#: how long a session lasts when nobody says, in seconds, as on AWS
SESSION_S = 43_200


def new_secret() -> str:
    """What seals the sessions of one server."""
    return secrets.token_hex(32)


def issue(tickets: dict[str, Any], now: float, session_s: int) -> tuple[str, dict[str, Any]]:
    """A new ticket, and `tickets` with its digest and without those that are over."""
    ticket = secrets.token_urlsafe(32)
    kept = {digest: held for digest, held in tickets.items() if held["until"] > now}
    return ticket, {**kept, _digest(ticket): {"until": now + TICKET_S, "session_s": session_s}}


def redeem(tickets: dict[str, Any], ticket: str, now: float) -> tuple[int | None, dict[str, Any]]:
    """For how many seconds a ticket lets in (None: not at all), and `tickets` without it."""
    digest = _digest(ticket)
    held = tickets.get(digest)
    left = {key: other for key, other in tickets.items() if key != digest}
    return (None if held is None or held["until"] <= now else int(held["session_s"])), left


def seal(secret: str, until: int) -> str:
    """The cookie of a session that ends at `until`, in seconds since 1970."""
    return f"{until}.{_signature(secret, str(until))}"


def is_open(secret: str, cookie: str, now: float) -> bool:
    """Whether a cookie was sealed with `secret`, and its session lasts."""
    until, _, signature = cookie.partition(".")
    if not hmac.compare_digest(_signature(secret, until).encode(), signature.encode()):
        return False
    return now < int(until)


def _signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
