"""After this node was restored from a backup: what it published since comes back from headquarters.

Headquarters says how far it has our own chain. Where that is further than we are, or another
release stands in the same place, nothing is released until what we lost was fetched back; what
can't be fetched is given up, and a new epoch names the old one.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, select

from hub.audit import service as audit
from hub.cases.service import reading
from hub.config import settings
from hub.database import db, transaction
from hub.federation.client import PeerClient
from hub.federation.errors import RefusedError
from hub.federation.protocol import MAX_ITEMS, ChannelCursor, Item, parse_items
from hub.federation.receiving import Intake
from hub.federation.sender import sender_of
from hub.journal import log, succession
from hub.journal.errors import VerificationError
from hub.journal.models import Chain, Recovery, Release
from hub.registry import service as registry

OTHER, GONE = 409, 410  # Another release stands in a place, or none.
LOST = frozenset({403, 404, GONE})  # Answers of a headquarters that can't give it back.
REISSUED = 500  # Entries that are released again at once.

logger = structlog.get_logger()


@dataclass(frozen=True)
class Told:
    """The last release of ours that headquarters has in a channel, as it says."""

    place: ChannelCursor
    digest: str | None


def recover(client: PeerClient, told: Mapping[str, Told]) -> None:
    """Fetch back what headquarters has of ours and we lack, if there is anything.

    Asks headquarters, so no transaction may be open.

    :raises PeerError, VerificationError: when that did not work out now; publishing waits, and
        the next push tries again.
    """
    for channel, end in sorted(told.items()):
        if _is_lost(channel, end):
            _wait_for(channel, end)
    for channel in [row.channel for row in succession.waiting()]:
        _fetch(client, channel)
        _go_on(channel, _strays(client, channel))


def _is_lost(channel: str, end: Told) -> bool:
    """Say whether headquarters has a release of ours that we don't know."""
    place, given_up = end.place, db.session.get(Recovery, channel, populate_existing=True)
    if given_up and not given_up.is_waiting and _place(given_up) == place:
        return False
    known, chain = _own(channel, place), _chain(channel)
    if known is not None:
        return end.digest not in {None, known.digest}
    if chain is not None and chain.epoch == place.epoch:
        return place.seq > chain.seq  # Earlier ones may be gone by now.
    first = _own(channel, ChannelCursor(chain.epoch, 1)) if chain else None
    after = json.loads(first.payload).get("after") if first else None
    return bool(after != {"epoch": place.epoch, "seq": place.seq})


def _wait_for(channel: str, end: Told) -> None:
    with transaction():
        log.lock_heads([channel])
        if not _is_lost(channel, end):
            return
        succession.wait_for(channel, end.place.epoch, end.place.seq, end.digest)
        ours = _chain(channel)
        here = str(_place(ours)) if ours else None
        audit.record(
            "node.recovering", actor_id=None, subject=channel, ours=here, theirs=str(end.place)
        )
    logger.warning("restored from a backup", channel=channel, ours=here, theirs=str(end.place))


def _fetch(client: PeerClient, channel: str) -> None:
    """Take in what follows our chain, as far as headquarters can give it."""
    before: ChannelCursor | None = None
    while True:
        chain = _chain(channel)
        place = _place(chain) if chain else None
        if before is not None and place == before:
            return
        try:
            items = parse_items(_ask(client, channel, place, chain.digest if chain else None))
        except RefusedError as error:
            if error.answered not in {*LOST, OTHER}:
                raise
            return
        if not items or not _take(client.origin, channel, items):
            return
        before = place


def _take(headquarters: str, channel: str, items: Sequence[Item]) -> bool:
    """Take in a page; say whether all of it fitted.

    :raises VerificationError: when a key of ours is not known yet; `dir` brings it.
    """
    with transaction():
        peer = registry.find_peer(headquarters)
        outcomes = Intake(sender_of(peer), channel).take(items) if peer else []
    for outcome in outcomes:
        if outcome.code in {"unknown_key", "early_key"}:
            raise VerificationError(outcome.code, outcome.reason)
    return bool(outcomes) and all(outcome.code is None for outcome in outcomes)


def _strays(client: PeerClient, channel: str) -> list[str]:
    """Return the entries that we released where headquarters has other releases of ours, or none.

    That happens when something was published after the restore and before headquarters was asked.
    In an epoch that ended there, or never began, headquarters has nothing in the place.
    """
    chain, row = _chain(channel), db.session.get_one(Recovery, channel)
    if chain is None:
        return []
    epoch, low = chain.epoch, 0
    signs = {OTHER} if epoch == row.epoch else {OTHER, GONE}
    high = min(chain.seq, row.seq) if epoch == row.epoch else chain.seq
    if not _is_stray(client, channel, ChannelCursor(epoch, high), signs):
        return []
    while high - low > 1:
        middle = (low + high) // 2
        if _is_stray(client, channel, ChannelCursor(epoch, middle), signs):
            high = middle
        else:
            low = middle
    statement = select(Release.entry_id).where(
        *_ours(channel), Release.epoch == epoch, Release.seq >= high
    )
    return sorted(set(db.session.scalars(statement)))


def _is_stray(
    client: PeerClient, channel: str, place: ChannelCursor, signs: Collection[int]
) -> bool:
    """Say whether headquarters lacks the release that we have in this place.

    :param signs: the answers that say so.
    """
    known = _own(channel, place)
    try:
        _ask(client, channel, place, known.digest if known else None, limit=1)
    except RefusedError as error:
        if error.answered not in {*LOST, OTHER}:
            raise
        return error.answered in signs
    return False


def _go_on(channel: str, strays: Sequence[str]) -> None:
    """Publish again: in the old chain where it is whole, else in a new epoch that names it."""
    with transaction():
        log.lock_heads([channel])
        row = db.session.get(Recovery, channel, populate_existing=True)
        if row is None or not row.is_waiting:
            return
        is_whole = not _is_lost(channel, Told(_place(row), row.digest))
        if is_whole:
            succession.settle(channel)
        else:
            succession.give_up(channel)
            for start in range(0, len(strays), REISSUED):
                reading.receive(log.reissue(channel, strays[start : start + REISSUED]))
        audit.record("node.recovered", actor_id=None, subject=channel, is_whole=is_whole)


def _ask(
    client: PeerClient,
    channel: str,
    after: ChannelCursor | None,
    digest: str | None,
    *,
    limit: int = MAX_ITEMS,
) -> object:
    db.session.rollback()  # No transaction is held while headquarters works.
    params = {"ch": channel, "after": str(after or "0"), "limit": limit}
    if digest:
        params["digest"] = digest
    return client.get("/fed/v1/ingest/items", params).get("items")


def _chain(channel: str) -> Chain | None:
    return log.chains_of(settings().origin, [channel]).get(channel)


def _ours(channel: str) -> tuple[ColumnElement[bool], ...]:
    return Release.iss == settings().origin, Release.channel == channel, ~Release.is_held


def _own(channel: str, place: ChannelCursor) -> Release | None:
    statement = select(Release).where(
        *_ours(channel), Release.epoch == place.epoch, Release.seq == place.seq
    )
    return db.session.scalar(statement)


def _place(row: Chain | Recovery) -> ChannelCursor:
    return ChannelCursor(row.epoch, row.seq)
