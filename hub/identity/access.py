"""Who may call a route: each view declares it, and a view that does not is closed to all.

The declaration stands directly above the function, below the route:

    @blueprint.get("/admin/people")
    @access.role(Role.ADMINISTRATOR)
    def people() -> str: ...

Views further decide by the case or person at hand; this is the door, not the room.
"""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for

from hub.errors import ForbiddenError, wants_json
from hub.identity.errors import ScopeError, UnauthenticatedError
from hub.identity.models import Role, Scope

Check = Callable[[], None]  # Raises a HubError unless the caller may pass.
View = TypeVar("View", bound=Callable[..., Any])

ATTRIBUTE = "hub_access"


def requires(check: Check, label: str) -> Callable[[View], View]:
    """Let `check` decide who may call the view; `label` says it in a word for the docs."""

    def declare(view: View) -> View:
        setattr(view, ATTRIBUTE, (check, label))
        return view

    return declare


def _pass() -> None:
    """Let everybody in."""


def _require_somebody() -> None:
    if not g.actor.is_signed_in:
        _turn_away()


anyone = requires(_pass, "anyone")
signed_in = requires(_require_somebody, "signed in")


def scope(needed: Scope) -> Callable[[View], View]:
    """Let in tokens that have this scope: 401 without a token, 403 without the scope."""

    def check() -> None:
        _require_somebody()
        if not g.actor.has_scope(needed):
            raise ScopeError(scope=needed.value)

    return requires(check, f"scope {needed.value}")


def role(*roles: Role, scope: Scope | None = None) -> Callable[[View], View]:
    """Let in those who hold one of the roles anywhere; the view checks over what.

    :param scope: what a token needs besides, on routes of the API.
    """

    def check() -> None:
        _require_somebody()
        if scope is not None and not g.actor.has_scope(scope):
            raise ScopeError(scope=scope.value)
        if not any(g.actor.holds(held) for held in roles):
            raise ForbiddenError

    words = " or ".join(held.value for held in roles)
    return requires(check, f"{words} with scope {scope.value}" if scope else words)


def _turn_away() -> NoReturn:
    """Send people to the sign-in page, and back afterwards; tell programs what is missing."""
    if wants_json():
        raise UnauthenticatedError
    wanted = request.full_path.rstrip("?") if request.method in {"GET", "HEAD"} else None
    abort(redirect(url_for("identity.sign_in", next=wanted)))


def label_of(view: Callable[..., Any]) -> str | None:
    """Return who may call a view, in a word; None when it does not say."""
    declared: tuple[Check, str] | None = getattr(view, ATTRIBUTE, None)
    return declared[1] if declared else None


def open_to_anyone(app: Flask, endpoint: str) -> None:
    """Declare the view of a library, which can't be decorated, open to anyone."""
    view = app.view_functions[endpoint]

    @anyone
    def open_view(**values: Any) -> Any:
        return view(**values)

    app.view_functions[endpoint] = open_view


def init_app(app: Flask) -> None:
    """Ask each view who may call it, before anything else of it runs."""

    @app.before_request
    def guard() -> None:
        if request.endpoint is None:
            return  # Nothing is there; routing answers 404.
        view = current_app.view_functions[request.endpoint]
        declared: tuple[Check, str] | None = getattr(view, ATTRIBUTE, None)
        if declared is None:
            raise ForbiddenError
        declared[0]()
