"""The identity provider inside an instance's JupyterLab: an open session of the instance permits everything.

Jupyter's own tokens and passwords are off: no secret stands in a lasting URL or in the arguments of a
process. This module runs in the interpreter of JupyterLab, which may be another one than the service's.
"""

from __future__ import annotations

import time
from pathlib import Path

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from traitlets import Type, Unicode

from local_sagemaker.engine.notebooks import sessions

OWNER = User(username="owner", name="Owner", display_name="Owner", initials="O")
SIGNED_OUT = (
    "<!doctype html><html lang='en'><meta charset='utf-8'><title>Signed out</title>"
    "<style>body{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;max-width:36rem}"
    ":root{color-scheme:light dark}</style><h1>Signed out</h1><p>You have no session, or it has ended. Ask "
    "for another address with <code>CreatePresignedNotebookInstanceUrl</code>.</p></html>"
)


class SignedOutHandler(JupyterHandler):
    """The page for requests without a session."""

    @allow_unauthenticated
    def get(self) -> None:
        """Answer 401 with the way to a new session."""
        self.set_status(401)
        self.finish(SIGNED_OUT)


class SessionIdentity(IdentityProvider):
    """Identifies the user by the cookie that the service issues for a ticket."""

    secret_path = Unicode(help="File with the secret that seals sessions.").tag(config=True)
    token = Unicode("", help="Not used.")
    need_token = False
    login_handler_class = Type(default_value=SignedOutHandler, klass=web.RequestHandler)

    def get_user(self, handler: web.RequestHandler) -> User | None:
        """Return the owner if the request has an open session."""
        cookie = handler.get_cookie(sessions.COOKIE, "")
        secret = Path(self.secret_path).read_text(encoding="utf-8")
        return OWNER if cookie and sessions.is_open(secret, cookie, time.time()) else None

    @property
    def logout_available(self) -> bool:
        """Return False: a session ends by time, or with the instance."""
        return False
