"""From the journal to the records of the feeds."""

from hub.database import db, transaction
from hub.federation.feeds import keeping

LIMIT = 500  # Releases that one transaction looks at.


def follow(limit: int = LIMIT) -> bool:
    """Take what is new in the journal into the feeds; False when there was nothing to do.

    Opens its own transaction, and none while there is nothing to do. May stop at any point.
    """
    is_due = keeping.is_due()
    db.session.rollback()
    if is_due:
        with transaction():
            # First what earlier transactions have committed; never what this one adds.
            keeping.stamp(limit)
            keeping.take(limit)
    return is_due
