"""What may be used once: `jti` of client assertions and of proofs of possession."""

import hashlib
from datetime import UTC, datetime

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from hub import clock
from hub.database import db
from hub.registry.models import UsedAssertion


def claim(name: str, *, until: int) -> bool:
    """Use a name up; False when it was used before. The caller owns the transaction.

    One INSERT decides: whoever looks first and writes then, races. After False the transaction can
    only be rolled back.

    :param until: seconds since 1970 from which the name would be refused for its age anyway.
    """
    db.session.execute(delete(UsedAssertion).where(UsedAssertion.expires_at < clock.now()))
    jti = hashlib.sha256(name.encode()).hexdigest()
    ends = datetime.fromtimestamp(until, UTC)
    try:
        db.session.execute(insert(UsedAssertion).values(jti=jti, expires_at=ends))
    except IntegrityError:
        return False
    return True
