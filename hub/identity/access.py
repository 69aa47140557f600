"""Who may call a route: each view declares it, and a view that does not is closed to all.

    @blueprint.get("/cases/<uuid:case_id>")
    @access.anyone
    def show(case_id: UUID) -> str: ...
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

from hub.errors import ForbiddenError

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


anyone = requires(_pass, "anyone")


def label_of(view: Callable[..., Any]) -> str | None:
    """Return who may call a view, in a word; None when it does not say."""
    declared: tuple[Check, str] | None = getattr(view, ATTRIBUTE, None)
    return declared[1] if declared else None


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
