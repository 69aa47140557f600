"""Showing a service's refusal beside the field that it is about."""

from flask_babel import gettext
from wtforms import Field

from hub.errors import HubError, InvalidError, words


def refuse(field: Field, error: HubError) -> None:
    """Put what went wrong under a field of the form that is shown again."""
    reason = error.values.get("reason", "")
    told = gettext(reason) if isinstance(error, InvalidError) else words(error)
    field.errors = [*field.errors, told]
