"""Which enterprises readers here see nothing of, for now or for good."""

from collections.abc import Iterable

from sqlalchemy import select

from hub.config import settings
from hub.database import db
from hub.registry.models import Hiding, Node


def hidden_enterprises(enterprises: Iterable[str]) -> set[str]:
    """Return those of these enterprises of which readers here see nothing now."""
    statement = select(Hiding.enterprise).where(Hiding.enterprise.in_(set(enterprises)))
    return set(db.session.scalars(statement))


def hidden_origins(origins: Iterable[str]) -> set[str]:
    """Return those of these nodes of which readers here see nothing now."""
    statement = (
        select(Node.origin)
        .join(Hiding, Hiding.enterprise == Node.enterprise)
        .where(Node.origin.in_(set(origins)))
    )
    return set(db.session.scalars(statement))


def foreign_enterprises() -> list[str]:
    """Return the other enterprises of which we know a node."""
    statement = select(Node.enterprise).where(Node.enterprise != settings().enterprise)
    return sorted(set(db.session.scalars(statement.distinct())))
