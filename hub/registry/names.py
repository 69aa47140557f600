"""What people call nodes and enterprises: addresses and slugs are for programs."""

from collections.abc import Collection

from sqlalchemy import select

from hub.config import settings
from hub.database import db
from hub.registry.models import Node


def node_names(origins: Collection[str]) -> dict[str, str]:
    """Return what people call these nodes, as far as they are known: origin → name."""
    rows = db.session.execute(select(Node.origin, Node.name).where(Node.origin.in_(origins)))
    return {row.origin: row.name for row in rows} | {settings().origin: settings().name}


def headquarters_names(enterprises: Collection[str]) -> dict[str, str]:
    """Return what people call these enterprises, our own too: slug → name of its headquarters."""
    statement = select(Node.enterprise, Node.name).where(
        Node.is_headquarters, Node.enterprise.in_(enterprises)
    )
    own = {settings().enterprise: settings().name} if settings().is_headquarters else {}
    return {row.enterprise: row.name for row in db.session.execute(statement)} | own


def enterprise_names() -> dict[str, str]:
    """Return the name of the headquarters of each other enterprise that we know: slug → name.

    A slug stands for itself as long as no headquarters is known.
    """
    rows = db.session.execute(
        select(Node.enterprise, Node.name, Node.is_headquarters)
        .where(Node.enterprise != settings().enterprise)
        .order_by(Node.enterprise, Node.is_headquarters)  # Headquarters come last, and win.
    )
    return {slug: name if is_headquarters else slug for slug, name, is_headquarters in rows}
