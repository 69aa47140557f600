"""What people call nodes and enterprises: addresses and slugs are for programs."""

from collections.abc import Collection

from sqlalchemy import bindparam, select

from hub.config import settings
from hub.database import connection, db
from hub.registry.models import Node

# Asked for each page of hits, so they go past the ORM.
_NODES = select(Node.origin, Node.name).where(Node.origin.in_(bindparam("origins", expanding=True)))
_HEADQUARTERS = select(Node.enterprise, Node.name).where(
    Node.is_headquarters, Node.enterprise.in_(bindparam("enterprises", expanding=True))
)


def node_names(origins: Collection[str]) -> dict[str, str]:
    """Return what people call these nodes, as far as they are known: origin → name."""
    rows = connection().execute(_NODES, {"origins": list(origins)})
    return {row.origin: row.name for row in rows} | {settings().origin: settings().name}


def headquarters_names(enterprises: Collection[str]) -> dict[str, str]:
    """Return what people call these enterprises, our own too: slug → name of its headquarters."""
    rows = connection().execute(_HEADQUARTERS, {"enterprises": list(enterprises)})
    own = {settings().enterprise: settings().name} if settings().is_headquarters else {}
    return {row.enterprise: row.name for row in rows} | own


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
