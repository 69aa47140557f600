"""What all pages of this node have in common: limits, address, forms, headers, health."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, request, session
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError

from hub import assets, languages, schema
from hub.application import Turns
from hub.config import Settings
from hub.errors import HubError, mark
from hub.identity import access
from hub.identity.models import ANONYMOUS
from hub.identity.sessions import KEY

KIB = 1024
WITH_FILES = frozenset({"cases.attach", "cases.take"})  # Forms that carry a file.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Programs call these with tokens; no cookie counts there, so no other site can borrow one.
WITHOUT_COOKIES = ("/api/", "/fed/", "/oauth/", "/oai")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

StartResponse = Callable[..., Any]


class ForeignOriginError(HubError):
    """A page of another site tried to act in a reader's name."""

    status = 403
    code = "foreign_origin"
    message = mark("This came from another site and was refused. Nothing was changed.")


class StaleFormError(HubError):
    """A form without proof that we showed it to this reader lately."""

    status = 403
    code = "stale_form"
    message = mark(
        "This form is too old or was not opened here. Nothing was changed. "
        "Go back, reload the page and send it again."
    )


class NulError(HubError):
    """A character that no text contains and that PostgreSQL can't store."""

    code = "invalid"
    message = mark("The request could not be understood.")


def init_app(app: Flask, config: Settings) -> None:
    """Give an application what all its pages have in common."""
    _set_limits(app, config)
    _fix_address(app, config)
    _take_turns(app, config)
    languages.init_app(app, config)
    assets.init_app(app)
    _look_at_addresses(app, config)
    _fill_templates(app, config)
    _add_headers(app, config)
    _report_health(app)


def cookie_name(origin: str) -> str:
    """Return the name of a node's session cookie.

    Cookies ignore ports: nodes on one host would overwrite each other's under a common name.
    """
    return f"hub_{hashlib.sha256(origin.encode()).hexdigest()[:10]}"


def _set_limits(app: Flask, config: Settings) -> None:
    app.config.update(
        SECRET_KEY=config.cookie_key,
        SESSION_COOKIE_NAME=cookie_name(config.origin),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.origin.startswith("https:"),
        MAX_CONTENT_LENGTH=2048 * KIB,
        MAX_FORM_MEMORY_SIZE=512 * KIB,
        MAX_FORM_PARTS=500,
        WTF_CSRF_CHECK_DEFAULT=False,  # `check_form` asks, on all pages.
        WTF_CSRF_SSL_STRICT=False,  # `check_origin` asks, also without TLS.
        WTF_CSRF_TIME_LIMIT=12 * 3600,  # As long as a session: nobody loses a long text.
    )
    app.url_map.strict_slashes = False  # A redirect to add a slash would name a host.
    app.url_map.merge_slashes = False
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


class FixedAddress:
    """Says that each request came to the node's own origin, whatever its headers say.

    So every address that is built from a request, in a link, an issuer or a redirect, is ours.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], origin: str) -> None:
        address = urlsplit(origin)
        self.application = application
        self.scheme, self.host = address.scheme, address.netloc

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ["hub.asked_origin"] = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}"
        environ["HTTP_HOST"], environ["wsgi.url_scheme"] = self.host, self.scheme
        return self.application(environ, start_response)


def _fix_address(app: Flask, config: Settings) -> None:
    app.wsgi_app = FixedAddress(app.wsgi_app, config.origin)  # type: ignore[method-assign]


def _take_turns(app: Flask, config: Settings) -> None:
    turns = Turns(app.wsgi_app, config.threads)
    app.wsgi_app, app.extensions["hub.turns"] = turns, turns  # type: ignore[method-assign]


def _look_at_addresses(app: Flask, config: Settings) -> None:
    @app.before_request
    def number_the_request() -> None:
        g.request_id = secrets.token_hex(4)
        if request.endpoint in WITH_FILES and KEY in session:  # Strangers send no files.
            request.max_content_length = config.largest_attachment + 64 * KIB
        if b"%00" in request.query_string:
            raise NulError


def watch_forms(app: Flask, config: Settings) -> None:
    """Refuse what a page of another site sent, and forms that we did not show.

    Comes after the one who sends it is known, who would seem signed out on the page of an error.
    """
    csrf = CSRFProtect(app)

    @app.before_request
    def check_form() -> None:
        if request.method in SAFE_METHODS or request.path.startswith(WITHOUT_COOKIES):
            return
        own = {config.origin, request.environ.get("hub.asked_origin")}
        if request.headers.get("Origin", config.origin) not in own:
            raise ForeignOriginError
        if any("\0" in value for _, value in request.form.items(multi=True)):
            raise NulError
        if app.config["WTF_CSRF_ENABLED"]:
            try:
                csrf.protect()
            except CSRFError as error:
                raise StaleFormError from error


def _fill_templates(app: Flask, config: Settings) -> None:
    app.jinja_env.globals["settings"] = config

    @app.context_processor
    def facts() -> dict[str, Any]:
        locale = get_locale()
        return {
            "actor": g.get("actor", ANONYMOUS),
            "lang": "en" if locale and locale.language == "en" else "zh-CN",
            "large": request.cookies.get("large") == "1",
        }


def _add_headers(app: Flask, config: Settings) -> None:
    headers = {
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
    if config.origin.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000"

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.add(name, value)  # No view sets them.
        # What one reader may see is not for a shared cache, nor for the next one at this screen.
        kept = (
            "private, no-store" if g.get("actor", ANONYMOUS).is_signed_in else "private, no-cache"
        )
        response.headers.setdefault("Cache-Control", kept)
        response.headers.add("X-Request-Id", g.get("request_id", ""))
        return response


def _report_health(app: Flask) -> None:
    @app.get("/healthz")
    @access.anyone
    def healthz() -> ResponseReturnValue:
        """Say that the process is alive."""
        return {"status": "ok"}

    @app.get("/readyz")
    @access.anyone
    def readyz() -> ResponseReturnValue:
        """Say whether the database answers and fits this version."""
        try:
            schema.require_newest()
        except SQLAlchemyError:
            return {"status": "database_unreachable"}, 503
        except HubError as error:
            return {"status": error.code}, error.status
        return {"status": "ok"}
