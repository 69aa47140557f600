"""Whether peers serve all that headquarters signed: who keeps the newest to itself is named.

What a checkpoint names is sought once the next one came from the same peer, a minute later, and
its logs were read to their end. What is lacking then is read again, from it and from headquarters.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import func, select, update

from hub.config import settings
from hub.database import db, transaction
from hub.federation import bootstrap, checkpoints, freezing, puller, shelf
from hub.federation.checkpoints import Checkpoint
from hub.federation.errors import PeerError
from hub.federation.models import Frozen, KeptCheckpoint, Quarantined
from hub.federation.omissions import WITHHELD
from hub.federation.protocol import cursor_name
from hub.federation.resuming import Ends
from hub.journal import log, repair
from hub.journal.models import Chain, Release
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
            known = _standing(channel, iss, ends)
            freezing.accuse(
                headquarters, channel, served_by=peer_origin, known=known, other=before.signed
            )


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
    places = {iss: (iss, place.epoch, place.seq) for iss, (place, _) in ends.items()}
    known = repair.releases_at(channel, places.values())
    chains = db.session.scalars(select(Chain).where(Chain.channel == channel, Chain.iss.in_(ends)))
    here = dict.fromkeys(ends, 0) | {
        chain.iss: chain.seq for chain in chains if chain.epoch == ends[chain.iss][0].epoch
    }
    lacking = [
        iss for iss, (_, _, seq) in places.items() if places[iss] not in known and here[iss] < seq
    ]
    held = _held_back(channel, lacking) if lacking else {}
    other = [iss for iss, (_, digest) in ends.items() if known.get(places[iss], digest) != digest]
    return [iss for iss in lacking if held.get(iss, 0) <= here[iss]], _unexplained(other)


def _held_back(channel: str, issuers: Sequence[str]) -> dict[str, int]:
    """Return up to where releases of these issuers came and were not taken in."""
    statement = select(Quarantined.iss, func.max(Quarantined.seq)).where(
        Quarantined.channel == channel,
        Quarantined.iss.in_(issuers),
        Quarantined.code != WITHHELD,
    )
    rows = db.session.execute(statement.group_by(Quarantined.iss))
    return {iss: seq for iss, seq in rows}  # noqa: C416


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


def _standing(channel: str, iss: str, ends: Ends) -> Signed:
    """Return our release in the place of an end."""
    place = ends[iss][0]
    found = db.session.scalars(
        select(Release).where(
            Release.iss == iss,
            Release.channel == channel,
            Release.epoch == place.epoch,
            Release.seq == place.seq,
            ~Release.is_held,
        )
    ).one()
    return Signed(found.header, found.payload, found.signature)
