"""Access to a notebook instance: tickets that are exchanged once for sessions that end.

A presigned URL holds a ticket. The first request that brings it within five minutes gets a session: a cookie
with its end, sealed with the secret of the instance's server. The server checks a cookie by that secret
alone. The service keeps only the digest of a ticket.

Standard library only: the instance's server, which may run in another interpreter, imports this module.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

COOKIE = "notebook-session"
#: lifetime of a presigned URL, as on AWS, in seconds
TICKET_S = 300
#: default lifetime of a session, as on AWS, in seconds
SESSION_S = 43_200


def issue_ticket(tickets: dict[str, Any], now: float, session_s: int) -> tuple[str, dict[str, Any]]:
    """Return a new ticket, and `tickets` with its digest and without the expired ones."""
    ticket = secrets.token_urlsafe(32)
    valid = {digest: entry for digest, entry in tickets.items() if entry["until"] > now}
    return ticket, {**valid, _digest(ticket): {"until": now + TICKET_S, "session_s": session_s}}


def redeem_ticket(tickets: dict[str, Any], ticket: str, now: float) -> tuple[int | None, dict[str, Any]]:
    """Return the seconds of the session that a ticket buys (None: none), and `tickets` without it."""
    digest = _digest(ticket)
    entry = tickets.get(digest)
    remaining = {key: other for key, other in tickets.items() if key != digest}
    return (None if entry is None or entry["until"] <= now else int(entry["session_s"])), remaining


def seal_session(secret: str, until: int) -> str:
    """Return the cookie of a session that ends at `until`, in seconds since 1970."""
    return f"{until}.{_signature(secret, str(until))}"


def is_open(secret: str, cookie: str, now: float) -> bool:
    """Return whether a cookie was sealed with `secret` and its session has not ended."""
    until, _, signature = cookie.partition(".")
    if not hmac.compare_digest(_signature(secret, until).encode(), signature.encode()):
        return False
    return now < int(until)


def _signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
