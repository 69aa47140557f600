"""Whether peers serve all that headquarters signed: who keeps the newest to itself is named.

What a checkpoint names is sought once the next one came from the same peer, a minute later, and
its logs were read to their end. What is lacking then is read again, from it and from headquarters.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import select, update

from hub.config import settings
from hub.database import db, transaction
from hub.federation import bootstrap, checkpoints, freezing, puller, shelf
from hub.federation.checkpoints import Checkpoint
from hub.federation.errors import PeerError
from hub.federation.models import Frozen, KeptCheckpoint, Quarantined
from hub.federation.omissions import WITHHELD
from hub.federation.protocol import ChannelCursor, cursor_name
from hub.federation.resuming import Ends
from hub.journal import log
from hub.journal.models import Release
from hub.journal.signing import Signed
from hub.registry import service as registry
from hub.registry import trust

logger = structlog.get_logger()


def look(peer_origin: str) -> None:
    """Seek what a peer's checkpoints named, each once there is a newer one.

    A follower's step after a pull; opens its own transactions.

    :raises PeerError: when the peer does not answer as it should.
    :raises NoRoomError: when this node can't hold more for now.
    """
    waiting = select(KeptCheckpoint.channel).where(
        KeptCheckpoint.peer == peer_origin, KeptCheckpoint.before.is_not(None)
    )
    for channel in db.session.scalars(waiting).all():
        if bootstrap.is_open(peer_origin, channel):
            continue  # What it hides or brings is still to come.
        row = db.session.get_one(KeptCheckpoint, (peer_origin, channel), populate_existing=True)
        before = checkpoints.parse(row.before or row.signed)
        _seek(peer_origin, before, _comparable(before, checkpoints.parse(row.signed)))
        with transaction():
            mine = (KeptCheckpoint.peer == peer_origin, KeptCheckpoint.channel == channel)
            db.session.execute(update(KeptCheckpoint).where(*mine).values(before=None))


def _comparable(before: Checkpoint, newest: Checkpoint) -> Ends:
    """Return the ends that we should have: of chains that have not begun anew since.

    None where headquarters was restored from a backup meanwhile, and none of who is frozen here.
    """
    if before.place.epoch != newest.place.epoch or before.place.seq > newest.place.seq:
        return {}
    frozen = freezing.frozen()
    return {
        iss: end
        for iss, end in before.ends.items()
        if iss not in frozen and newest.ends.get(iss, end)[0].epoch == end[0].epoch
    }


def _seek(peer_origin: str, before: Checkpoint, ends: Ends) -> None:
    """Read again whoever should have what is lacking, and name who has it not."""
    channel, headquarters = before.channel, registry.anchors().get(settings().enterprise, "")
    for source in dict.fromkeys([peer_origin, headquarters]):
        if not any(_differing(channel, ends)):
            return
        if not puller.must_have_all(source):
            continue
        if not _read_again(source, channel, is_asked=source == peer_origin):
            return
        with transaction():
            _name(source, before, _differing(channel, ends)[0])
    with transaction():
        for iss in _differing(channel, ends)[1]:
            known, other = _standing(channel, iss, ends[iss][0]), before.signed
            if known:
                accused = (headquarters, channel)
                freezing.accuse(*accused, served_by=peer_origin, known=known, other=other)


def _read_again(source: str, channel: str, *, is_asked: bool) -> bool:
    """Read a log from where it has what we lack, as it says itself; say if it was read.

    :param is_asked: it is the one whose failure counts, and not only where else we look.
    """
    if source not in puller.upstream():
        return False
    with transaction():
        log.drop_cursor(cursor_name(source, channel))
    try:
        puller.pull(source, is_lacking=True)
    except PeerError as error:
        if is_asked:
            raise
        logger.info("not sought there yet", peer=source, reason=str(error))
        return False
    return True


def _differing(channel: str, ends: Ends) -> tuple[list[str], list[str]]:
    """Return the issuers of whom we lack an end and know no reason, and those of whom another
    release stands there.
    """
    digests = [digest for _, digest in ends.values()]
    known = select(Release.digest).where(Release.digest.in_(digests), ~Release.is_held)
    here = set(db.session.scalars(known))
    lacking, other = [], []
    for iss, (place, digest) in ends.items():
        if digest in here:
            continue
        chain = log.chains_of(iss, [channel]).get(channel)
        last = chain.seq if chain and chain.epoch == place.epoch else 0
        if _standing(channel, iss, place):
            other.append(iss)
        elif last < place.seq and not _is_traced(channel, iss, last, place.seq):
            lacking.append(iss)
    return lacking, _unexplained(other)


def _is_traced(channel: str, iss: str, after: int, last: int) -> bool:
    """Say whether something in these places of a chain came and was not taken in."""
    statement = select(Quarantined.id).where(
        Quarantined.channel == channel,
        Quarantined.iss == iss,
        Quarantined.seq.between(after + 1, last),
        Quarantined.code != WITHHELD,
    )
    return db.session.scalar(statement.limit(1)) is not None


def _unexplained(issuers: Sequence[str]) -> list[str]:
    """Return those of whom no key was revoked, and who are not known to contradict themselves."""
    if not issuers:
        return []
    frozen = select(Frozen.origin).where(
        Frozen.origin.in_(issuers), Frozen.code.in_(freezing.CODES)
    )
    known = {*db.session.scalars(frozen), *trust.with_revoked_keys(issuers)}
    return [iss for iss in issuers if iss not in known]


def _name(peer_origin: str, before: Checkpoint, issuers: Sequence[str]) -> None:
    """Keep of whom a peer has nothing more, with what headquarters signed, until a person looked.

    Once for each issuer: the caller owns the transaction.
    """
    told = select(Quarantined.iss).where(
        Quarantined.code == WITHHELD,
        Quarantined.peer == peer_origin,
        Quarantined.channel == before.channel,
        Quarantined.iss.in_(issuers),
    )
    for iss in set(issuers) - set(db.session.scalars(told)):
        place, digest = before.ends[iss]
        unwanted = shelf.Unwanted(
            peer=peer_origin,
            channel=before.channel,
            iss=iss,
            seq=place.seq,
            via=0,
            code=WITHHELD,
            reason=f"{peer_origin} does not serve {place}, which headquarters had signed",
            release=before.signed.as_wire(),
            entry={"iss": iss, "end": [str(place), digest]},
        )
        shelf.put([unwanted])
        logger.error("withheld", peer=peer_origin, iss=iss, channel=before.channel, seq=place.seq)


def _standing(channel: str, iss: str, place: ChannelCursor) -> Signed | None:
    """Return the release that we have in a place of a chain."""
    found = db.session.scalar(
        select(Release).where(
            Release.iss == iss,
            Release.channel == channel,
            Release.epoch == place.epoch,
            Release.seq == place.seq,
            ~Release.is_held,
        )
    )
    return Signed(found.header, found.payload, found.signature) if found else None
