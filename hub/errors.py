"""What can go wrong, said in a way that people and programs understand.

Each error has an HTTP `status`, a stable `code` and a `message` that is translated at the edge.
"""

from typing import Any

from flask import Flask, Response, g, json, make_response, render_template, request
from flask_babel import gettext
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException


def mark(message: str) -> str:
    """Mark a text for translation; it is translated where it is shown."""
    return message


class HubError(Exception):
    """The parent of every error that a person may be told about.

    :param field: the name of the input that was at fault, if one was.
    :param values: what the message's `%(name)s` stand for.
    """

    status = 400
    code = "invalid"
    message = mark("That can't be done.")
    retry_after: int | None = None  # Seconds after which the same may be tried again.

    def __init__(self, *, field: str | None = None, **values: Any) -> None:
        self.field = field
        self.values = values
        self.more: dict[str, Any] = {}  # Further members of the problem document.
        super().__init__(self.message % values if values else self.message)


class NotFoundError(HubError):
    """Nothing is there, or nothing that the caller may know of: the two look the same."""

    status = 404
    code = "not_found"
    message = mark("There is nothing at this address, or it is not open to you.")


class ForbiddenError(HubError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"
    message = mark("Your roles do not allow this.")


class InvalidError(HubError):
    """A value that was sent is missing, unknown or malformed."""

    code = "invalid"
    message = mark("“%(field_name)s” is not valid: %(reason)s")

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field=field, field_name=field, reason=reason)


def words(error: HubError) -> str:
    """Return what went wrong in the caller's language."""
    values = {
        name: gettext(value) if isinstance(value, str) and value else value
        for name, value in error.values.items()
    }
    text: str = gettext(error.message, **values) if values else gettext(error.message)
    return text


def wants_json() -> bool:
    """Say whether the caller is a program: the API and the federation answer problem+json."""
    return request.path.startswith(
        ("/api/", "/fed/", "/oauth/", "/.well-known/", "/healthz", "/metrics")
    )


def problem(
    status: int, code: str, detail: str, *, field: str | None = None, **more: Any
) -> Response:
    """Build an `application/problem+json` answer (RFC 9457) with a stable `code`."""
    body = {"status": status, "code": code, "title": code.replace("_", " "), "detail": detail}
    if field:
        body["field"] = field
    response = make_response(json.dumps(body | more), status)
    response.content_type = "application/problem+json"
    return response


def _show(status: int, code: str, detail: str, field: str | None = None, **more: Any) -> Response:
    if wants_json():
        return problem(status, code, detail, field=field, **more)
    reference = g.get("request_id", "")
    page = render_template("error.html", status=status, code=code, detail=detail, ref=reference)
    return make_response(page, status)


def init_app(app: Flask) -> None:
    """Show every error as a page to people and as problem+json to programs."""

    @app.errorhandler(HubError)
    def show_hub_error(error: HubError) -> Response:
        detail = gettext(error.message, **error.values) if error.values else gettext(error.message)
        response = _show(error.status, error.code, detail, error.field, **error.more)
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    @app.errorhandler(HTTPException)
    def show_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        known = {
            400: ("invalid", gettext("The request could not be understood.")),
            404: ("not_found", gettext(NotFoundError.message)),
            405: ("method_not_allowed", gettext("That can't be done at this address.")),
            413: ("too_large", gettext("That is too large.")),
            415: ("wrong_type", gettext("That type of content is not accepted here.")),
            422: ("invalid", gettext("The request could not be understood.")),
            429: ("too_many", gettext("Too many attempts. Wait a little and try again.")),
        }
        code, detail = known.get(status, ("error", error.description or error.name))
        response = _show(status, code, detail)
        for name, value in error.get_headers():
            if name.lower() in {"retry-after", "allow", "www-authenticate"}:
                response.headers[name] = value
        return response

    @app.errorhandler(OperationalError)
    def show_database_failure(error: OperationalError) -> Response:
        app.logger.error("the database does not answer: %s", error.orig)
        detail = gettext("The database does not answer just now. Nothing is lost; try again soon.")
        return _show(503, "database", detail)

    @app.errorhandler(500)
    def show_failure(error: Exception) -> Response:
        return _show(
            500, "failure", gettext("Something went wrong here. Nothing of yours is lost.")
        )
