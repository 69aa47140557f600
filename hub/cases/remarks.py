"""What a remark may hold: plain text, a unit and a post, no person.

An adoption also holds codes: what came of it, and what its unit is like.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from hub.cases.content import clean_text, personal_numbers
from hub.cases.errors import (
    ContentError,
    IncompleteError,
    PersonalDataError,
    UnknownChoiceError,
    UnknownFieldError,
    WrongTypeError,
)
from hub.cases.models import Remark
from hub.cases.scales import OUTCOMES
from hub.identity.models import Role
from hub.identity.profile import PARTS

LENGTH = 2_000  # Characters of a text.
UNIT = 200

# Who may speak for their unit, and as what: the first that somebody holds is the post shown.
POSTS = (
    Role.BRANCH_SECRETARY,
    Role.ADOPTION_LIAISON,
    Role.AUTHOR,
    Role.SIGNATORY,
    Role.SECRECY_REVIEWER,
    Role.GROUP_EDITOR,
    Role.EXPERT,
    Role.PARTNER_LIAISON,
)
_AROUND = {"v", "type", "id", "rev", "origin", "prev", "created", "lang", "parent"}
_EMPTY = {"title", "body", "attachments"}
_MAY_HOLD = frozenset({"text", "unit", "post"})
_CODES: dict[str, Mapping[str, str]] = {"outcome": OUTCOMES, **PARTS}
_ALSO = {
    Remark.ANSWER: frozenset({"question"}),
    Remark.ADOPTION: frozenset({"confirmed", *_CODES}),
}


def clean_remark(text: object, name: str = "text") -> str:
    """Return a text that somebody says, as it is kept.

    :raises ContentError: when it is empty, too long, or holds what looks like a personal number.
    """
    cleaned = clean_text(text, name, LENGTH)
    if not cleaned:
        raise IncompleteError([name])
    if personal_numbers(cleaned):
        raise PersonalDataError(field=name)
    return cleaned


def clean_unit(name: object) -> str:
    """Return the name of a unit as a remark carries it."""
    return clean_text(name, "unit", UNIT, lines=False)


def check(document: Mapping[str, Any]) -> None:
    """Let pass an entry that holds what a remark may hold, and nothing else.

    No field has room for a person: what is not in the list is refused, however useful.

    :raises HubError: naming the field at fault.
    """
    for name in document:
        if name not in _AROUND | _EMPTY | {"fields"} or (name in _EMPTY and document[name]):
            raise UnknownFieldError(field=name)
    fields, is_answer = document["fields"], document["type"] == Remark.ANSWER
    may_hold = _MAY_HOLD | _ALSO.get(document["type"], frozenset())
    for name in fields:
        if name not in may_hold:
            raise UnknownFieldError(field=name)
    if clean_remark(fields.get("text", "")) != fields["text"]:
        raise ContentError(field="text")
    _check_unit(fields.get("unit"), is_answer)
    if fields.get("post") not in (*POSTS, "", None):
        raise UnknownChoiceError(field="post", choices=", ".join(POSTS))
    if is_answer:
        _check_reference(fields.get("question"))
    if document["type"] == Remark.ADOPTION:
        _check_adoption(fields)


def _check_adoption(fields: Mapping[str, Any]) -> None:
    """Let pass codes of our lists only: any other text might be a name."""
    for name, choices in _CODES.items():
        if name in fields and fields[name] not in [*choices]:
            raise UnknownChoiceError(field=name, choices=", ".join(choices))
    if not isinstance(fields.get("confirmed", False), bool):
        raise WrongTypeError(field="confirmed")


def _check_unit(unit: object, is_answer: bool) -> None:
    name = clean_unit(unit)
    if name != unit:
        raise ContentError(field="unit")
    if not name and not is_answer:  # A case may withhold the name of its unit.
        raise IncompleteError(["unit"])
    if personal_numbers(name):
        raise PersonalDataError(field="unit")


def _check_reference(value: object) -> None:
    if not isinstance(value, str):
        raise WrongTypeError(field="question")
    try:
        UUID(value)
    except ValueError:
        raise ContentError(field="question") from None
