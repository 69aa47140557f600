"""Whom a request speaks for: a session cookie on pages, a bearer token on the API.

Neither works on the other's ground, so a page of another site can't use the API in a reader's
name, and a leaked token can't make tokens. Peers' requests speak for no person at all.
"""

import re

from flask import Flask, Response, g, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer

from hub.identity import service
from hub.identity.errors import UnauthenticatedError
from hub.identity.models import ANONYMOUS, Actor
from hub.identity.service.sessions import LIFETIME

KEY = "sign_in"
_BEARER = re.compile(r"Bearer (jw_[A-Za-z0-9_-]{43})", re.IGNORECASE)
_NO_PERSON = ("/static/", "/bootstrap/", "/fed/", "/oauth/", "/.well-known/", "/healthz", "/readyz")


class SignedCookies(SecureCookieSessionInterface):
    """Flask's sessions with one signer for all requests: making it costs more than signing."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return what signs the cookie; the key stays the same for as long as the node runs."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer


def init_app(app: Flask) -> None:
    """Set `g.actor` before each request. Strangers cost no query."""
    app.session_interface = SignedCookies()
    app.config["PERMANENT_SESSION_LIFETIME"] = LIFETIME
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False

    @app.before_request
    def load_actor() -> None:
        g.actor = ANONYMOUS
        if request.path.startswith("/api/"):
            g.actor = _bearer()
        elif not request.path.startswith(_NO_PERSON):
            g.actor = _visitor()

    @app.after_request
    def name_the_scheme(response: Response) -> Response:
        if response.status_code == 401 and request.path.startswith("/api/"):
            response.headers["WWW-Authenticate"] = "Bearer"
        return response


def _bearer() -> Actor:
    header = request.headers.get("Authorization")
    if header is None:
        return ANONYMOUS
    token = _BEARER.fullmatch(header)
    actor = service.actor_of_token(token[1]) if token else ANONYMOUS
    if not actor.is_signed_in:
        raise UnauthenticatedError
    return actor


def _visitor() -> Actor:
    secret = session.get(KEY)
    if secret is None:
        return ANONYMOUS
    actor = service.actor_of_session(secret)
    if not actor.is_signed_in:
        del session[KEY]
    return actor


def remember(secret: str) -> None:
    """Let this browser carry a session; nothing from before the sign-in survives."""
    session.clear()
    session.permanent = True
    session[KEY] = secret


def forget() -> str | None:
    """Empty this browser's session and return its secret, if it had one."""
    secret: str | None = session.get(KEY)
    session.clear()
    return secret
