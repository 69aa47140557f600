"""What all of the API has in common: its document, its refusals, and strict reading of bodies."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

import flask_smorest
from flask import Flask, request
from flask_babel import gettext
from marshmallow import Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser

from hub import application
from hub.config import settings
from hub.errors import HubError, InvalidError, mark
from hub.identity import access

Declare = Callable[[Callable[..., Any]], Callable[..., Any]]

DEEPEST = 16
PREFIX = "/api/"
FILES = "multipart/form-data"
WITH_FILES = frozenset({"cases_api.attach", "cases_api.bring"})  # Whose bodies are files, not JSON.
AROUND_FILE = 64 * 1024  # Bytes of a body beside its file.

# What marshmallow says most often; the rest stays in its own words.
_SAID_BY_MARSHMALLOW = (
    mark("Missing data for required field."),
    mark("Unknown field."),
    mark("Field may not be null."),
    mark("Not a valid string."),
    mark("Not a valid integer."),
    mark("Not a valid number."),
    mark("Not a valid boolean."),
    mark("Not a valid list."),
    mark("Not a valid UUID."),
    mark("Invalid input type."),
)


class MalformedError(HubError):
    """A body that is not the JSON that we take: RFC 8259 without its ambiguities."""

    code = "malformed"
    message = mark(
        "The body is not strict JSON: UTF-8, whole characters, no key twice, "
        "no NaN or infinity, at most 16 levels deep."
    )


class WrongTypeError(HubError):
    """A body that does not say that it is JSON."""

    status = 415
    code = "wrong_type"
    message = mark("Send JSON, with Content-Type: application/json.")


class ProblemSchema(Schema):
    """An error (RFC 9457); `code` is stable, `detail` is in the caller's language."""

    status = fields.Integer(required=True)
    code = fields.String(required=True)
    title = fields.String(required=True)
    detail = fields.String(required=True)
    field = fields.String(metadata={"description": "The input at fault, as a dotted path."})


class Parser(FlaskParser):
    """Answers 400 to what does not fit a schema, naming the first input at fault."""

    DEFAULT_VALIDATION_STATUS = 400

    def handle_error(self, error: ValidationError, *args: Any, **values: Any) -> NoReturn:
        """Refuse what was sent.

        :raises InvalidError: always.
        """
        path, reason = _first(error.messages)
        # The outermost key is where it was sent: json, query, …
        field = ".".join(part for part in path[1:] if part != "_schema") or "body"
        raise InvalidError(field, gettext(reason)) from error


def _first(messages: Any) -> tuple[list[str], str]:
    """Return the path of the first message in a tree of them, and the message."""
    if isinstance(messages, Mapping):
        key, below = next(iter(messages.items()))
        path, reason = _first(below)
        return [str(key), *path], reason
    if isinstance(messages, list):
        return _first(messages[0])
    return [], str(messages)


class Blueprint(flask_smorest.Blueprint):
    """A part of the API; each slice that has one uses this class."""

    ARGUMENTS_PARSER = Parser()

    if TYPE_CHECKING:  # The library has no types; these are the decorators that we use.

        def get(self, rule: str, **options: Any) -> Declare: ...
        def post(self, rule: str, **options: Any) -> Declare: ...
        def put(self, rule: str, **options: Any) -> Declare: ...
        def patch(self, rule: str, **options: Any) -> Declare: ...
        def delete(self, rule: str, **options: Any) -> Declare: ...
        def arguments(self, schema: Any, **options: Any) -> Declare: ...
        def response(self, status_code: int, schema: Any = None, **options: Any) -> Declare: ...
        def alt_response(self, status_code: int, **options: Any) -> Declare: ...
        def doc(self, **options: Any) -> Declare: ...

    def register_views_in_doc(self, api: "Api", *args: Any, **values: Any) -> None:
        """Leave describing the routes until somebody asks for it."""
        api.describe_later(partial(super().register_views_in_doc, api, *args, **values))


class Api(flask_smorest.Api):
    """The API; its errors are shown by `hub.errors`, like all others.

    Its description is made when it is first asked for: that takes longer than all else at a start.
    """

    ERROR_SCHEMA = ProblemSchema

    def __init__(self, app: Flask) -> None:
        self._undescribed: list[Callable[[], None]] = []
        self._describing = Lock()
        super().__init__(app)

    def describe_later(self, part: Callable[[], None]) -> None:
        """Add a part to the description once it is asked for."""
        self._undescribed.append(part)

    def _register_responses(self) -> None:
        self.describe_later(super()._register_responses)

    def _openapi_json(self) -> Any:
        with self._describing:
            while self._undescribed:
                self._undescribed[0]()
                del self._undescribed[0]
        return super()._openapi_json()

    def _register_error_handlers(self) -> None:
        """Leave the application's own handlers in place."""


def init_app(app: Flask, blueprints: Iterable[flask_smorest.Blueprint]) -> None:
    """Serve the API under /api/v1, described by /api/v1/openapi.json."""
    app.config.update(
        API_TITLE="经纬 Jingwei",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={"security": [{"token": []}]},
    )
    api = Api(app)
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    access.open_to_anyone(app, "api-docs.openapi_json")
    for blueprint in blueprints:
        api.register_blueprint(blueprint)

    @app.before_request
    def read_strictly() -> None:
        if request.path.startswith(PREFIX) and request.method != "GET":
            if request.mimetype == FILES and request.endpoint in WITH_FILES:
                request.max_content_length = settings().largest_attachment + AROUND_FILE
                return
            body = request.get_data(cache=True)
            if body and not request.is_json:
                raise WrongTypeError
            if body:
                parse(body)


def parse(body: bytes) -> Any:
    """Parse the body of a request to the API.

    :raises MalformedError: for doubled keys, NaN, halves of characters, NUL, or deep nesting.
    """
    try:
        value = application.parse(body.decode())
        _check(value)
    except (ValueError, RecursionError) as error:
        raise MalformedError from error
    return value


def _check(value: Any, depth: int = 1) -> None:
    if isinstance(value, str):
        if "\0" in value:  # PostgreSQL can't store it.
            raise ValueError("NUL")
        value.encode()  # Half a surrogate pair has no bytes.
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("too large")
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            raise ValueError("too deep")
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(part, depth + 1)
