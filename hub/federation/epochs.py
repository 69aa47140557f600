"""Which release of an issuer comes next in a channel, in its epoch or in a new one."""

from typing import Any

from sqlalchemy import select

from hub.database import db
from hub.journal import repair
from hub.journal.errors import VerificationError
from hub.journal.models import Release
from hub.registry import service as registry

PASSED = "passed"  # Superseded before we began a chain, from a snapshot: of no use any more.


def check_place(statement: dict[str, Any], epoch: str, seq: int, digest: str) -> None:
    """Refuse a release that does not follow the last one that we have of its issuer.

    :param epoch: of that last one; empty when there is none, and then all of these are.
    :raises VerificationError: with the codes superseded_epoch, gap, fork, malformed, passed.
    """
    if epoch and statement["epoch"] != epoch:
        _check_epoch(statement, epoch, seq)
    elif statement["seq"] > seq + 1:
        raise VerificationError("gap", f"follows {statement['seq'] - 1}, and we have {seq}")
    elif statement["seq"] <= seq or statement["prev"] != (digest or None):
        place = (statement["iss"], statement["epoch"], statement["seq"])
        if statement["seq"] <= seq and place not in repair.releases_at(statement["ch"], [place]):
            raise VerificationError(PASSED, "before the place where we began this chain")
        raise VerificationError("fork", f"contradicts release {min(statement['seq'], seq)}")


def _check_epoch(statement: dict[str, Any], last_epoch: str, last_seq: int) -> None:
    """Let a new epoch begin where the old one ended.

    A headquarters that was restored from a backup has nobody to fetch its own from, so its new
    epoch may follow an earlier place than the last one that we have, or none.
    """
    after = statement.get("after")
    if statement["seq"] != 1 or _is_known(statement):
        raise VerificationError("superseded_epoch", "of another incarnation of its log")
    if statement["prev"] is not None or not _is_place(after):
        raise VerificationError("malformed", "begins an epoch and follows no place")
    if after and after["epoch"] == last_epoch and after["seq"] > last_seq:
        raise VerificationError("gap", f"follows {after['seq']} of the old, and we have {last_seq}")
    is_next = after == {"epoch": last_epoch, "seq": last_seq}
    if not is_next and statement["iss"] not in registry.anchors().values():
        raise VerificationError("superseded_epoch", f"does not follow {last_epoch}:{last_seq}")


def _is_known(statement: dict[str, Any]) -> bool:
    """Say whether we had this epoch before the one that we have now."""
    known = select(Release.position).where(
        Release.iss == statement["iss"],
        Release.channel == statement["ch"],
        Release.epoch == statement["epoch"],
        ~Release.is_held,
    )
    return db.session.scalar(known.limit(1)) is not None


def _is_place(after: Any) -> bool:
    """Say whether this names the end of an epoch, or says that there was none."""
    if after is None:
        return True
    is_whole = isinstance(after, dict) and after.keys() == {"epoch", "seq"}
    return is_whole and isinstance(after["epoch"], str) and type(after["seq"]) is int
