"""Documents as readers find them, straight through the journal."""

from typing import Any
from uuid import UUID, uuid4

from hub.cases import service as cases
from hub.cases.models import public_id
from hub.config import settings
from hub.database import transaction
from hub.journal import log
from hub.journal.models import GROUP, PUBLIC

CHANNELS = {"public": {GROUP, PUBLIC}, "group": {GROUP}}


def publish(
    title: str,
    body: str = "",
    *,
    visibility: str = "public",
    kind: str = "case",
    unit: str = "示范第一党支部",
    category: str = "responsibility",
    **fields: Any,
) -> str:
    """Publish a document in a transaction of its own and return its entry's id."""
    entry_id = str(uuid4())
    revise(
        entry_id, title, body, visibility, kind, submitting_unit=unit, category=category, **fields
    )
    return entry_id


def revise(
    entry_id: str,
    title: str,
    body: str = "",
    visibility: str = "public",
    kind: str = "case",
    rev: int = 1,
    **fields: Any,
) -> None:
    """Publish a revision."""
    with transaction():
        changes = log.publish(
            type=kind,
            entry_id=entry_id,
            rev=rev,
            title=title,
            body=body,
            fields=fields,
            channels=CHANNELS[visibility],
        )
        cases.receive(changes)


def readdress(entry_id: str, visibility: str | None) -> None:
    """Give a document another audience; None withdraws it."""
    with transaction():
        cases.receive(log.readdress(entry_id, CHANNELS[visibility] if visibility else set()))


def id_of(entry_id: str) -> UUID:
    """Return the id under which a document of this node is found."""
    return public_id(settings().origin, entry_id)
