"""Showing a service's refusal beside the field that it is about."""

from flask_babel import gettext
from wtforms import Field

from hub.errors import HubError


def refuse(field: Field, error: HubError) -> None:
    """Put what went wrong under a field of the form that is shown again."""
    field.errors = [*field.errors, words_of(error)]


def words_of(error: HubError) -> str:
    """Return an error's message in the reader's language."""
    text: str = gettext(error.message, **error.values) if error.values else gettext(error.message)
    return text
