"""Who has taken in the withdrawal of a case of ours: node by node, for those who keep the case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from time import monotonic
from uuid import UUID

from sqlalchemy import or_, select

from hub import clock
from hub.cases import service as cases
from hub.cases.models import State
from hub.config import settings
from hub.database import db, upsert
from hub.errors import InvalidError, NotFoundError
from hub.federation import acknowledgements, pusher
from hub.federation.client import PeerClient
from hub.federation.errors import PeerError, RefusedError
from hub.federation.health import PATIENCE
from hub.federation.models import Receipt
from hub.federation.protocol import MAX_NODES, Standing, parse_receipts, parse_standing
from hub.federation.standing import SILENCE
from hub.identity.models import Actor
from hub.journal.models import GROUP, LOCAL, PARTNER, PUBLIC, RETRACT, Release
from hub.registry import service as registry
from hub.registry.models import Node

MOST_RELEASES = 500  # Of one entry that are looked at: its channels, some of them several times.


class Progress(StrEnum):
    """How far a node is with a withdrawal, best first."""

    DONE = "done"
    WAITING = "waiting"
    UNREACHABLE = "unreachable"


_ORDER = list(Progress)
Known = dict[str, tuple[datetime, list[Standing]]]  # Digest of a release → when, and who.


@dataclass(frozen=True)
class Line:
    """One node, over all channels in which it could read the case."""

    node: str
    name: str
    state: Progress
    seen_at: datetime | None  # Its last contact; None when that is unknown.


@dataclass(frozen=True)
class Told:
    """What headquarters answered."""

    standings: Known
    is_complete: bool  # False when it could not be asked to the end.


@dataclass(frozen=True)
class Overview:
    """Who has confirmed a withdrawal; those who have not stand first."""

    lines: list[Line]
    as_of: datetime | None  # What is known of other nodes is from then; None when nothing is.

    @property
    def done(self) -> int:
        """Return how many nodes have confirmed."""
        return sum(line.state == Progress.DONE for line in self.lines)


def find(case_id: UUID, actor: Actor) -> cases.Work:
    """Return a withdrawn case, for those who keep it.

    :raises NotFoundError: for everybody else, and before it is withdrawn.
    """
    work = cases.kept_work(case_id, actor)
    if work.case.state != State.WITHDRAWN:
        raise NotFoundError
    return work


def retractions_of(entry_id: str) -> Sequence[Release]:
    """Return the release with which an entry of ours left each channel that goes to others."""
    here = settings().origin
    statement = (
        select(Release)
        .where(
            Release.iss == here,
            Release.origin == here,
            Release.entry_id == entry_id,
            Release.op == RETRACT,
            Release.channel != LOCAL,
        )
        .order_by(Release.position)
        .limit(MOST_RELEASES)
    )
    return list({release.channel: release for release in db.session.scalars(statement)}.values())


def ask(entry_id: str) -> Told:
    """Ask our headquarters who has taken in a withdrawal, if that is not known already.

    Makes requests, so no transaction may be open. Takes a few seconds at most.
    """
    origin = pusher.headquarters()
    digests = [release.digest for release in retractions_of(entry_id)]
    finished = {d for d, (_, who) in _kept(digests).items() if all(one.is_done for one in who)}
    peer = registry.find_peer(origin) if origin else None
    if peer is None:
        return Told({}, is_complete=settings().is_headquarters or not digests)
    client = PeerClient.for_peer(peer)
    db.session.rollback()  # No transaction is held while headquarters works.
    return _ask(client, [digest for digest in digests if digest not in finished])


def _ask(client: PeerClient, digests: Sequence[str]) -> Told:
    told: Known = {}
    ends = monotonic() + PATIENCE
    for digest in digests:
        left = ends - monotonic()
        if left <= 0:
            return Told(told, is_complete=False)
        try:
            body = client.get("/fed/v1/receipts", {"release": digest}, timeout=left)
            told[digest] = parse_receipts(body, digest)
        except RefusedError as error:
            if error.answered != NotFoundError.status:
                return Told(told, is_complete=False)
            # The withdrawal has not got there yet, so nobody can have it.
        except (PeerError, InvalidError):
            return Told(told, is_complete=False)
    return Told(told, is_complete=True)


def keep(told: Told) -> None:
    """Remember what headquarters said, in the caller's transaction."""
    rows = [
        {"digest": digest, "nodes": [one.as_wire() for one in standings], "told_at": at}
        for digest, (at, standings) in told.standings.items()
    ]
    upsert(Receipt, rows, keys=("digest",))


def overview_of(entry_id: str) -> Overview:
    """Return who has confirmed the withdrawal of an entry, as far as this node knows."""
    own, now = settings(), clock.now()
    lines = {own.origin: Line(own.origin, own.name, Progress.DONE, now)}
    releases = retractions_of(entry_id)
    kept = _kept([release.digest for release in releases])
    for release in releases:
        at, standings = _standings(release, kept)
        for standing in standings:
            line = _line(standing, at)
            lines[line.node] = _worse(lines[line.node], line) if line.node in lines else line
    ordered = sorted(lines.values(), key=lambda line: (-_ORDER.index(line.state), line.name))
    as_of = now if own.is_headquarters else min((at for at, _ in kept.values()), default=None)
    return Overview(ordered, as_of)


def _kept(digests: Sequence[str]) -> Known:
    rows = db.session.scalars(select(Receipt).where(Receipt.digest.in_(digests)))
    return {row.digest: (row.told_at, [parse_standing(one) for one in row.nodes]) for row in rows}


def _standings(release: Release, kept: Known) -> tuple[datetime | None, list[Standing]]:
    if settings().is_headquarters:
        return clock.now(), acknowledgements.standings_of(release)
    return kept.get(release.digest) or (None, _expected(release.channel))


def _expected(channel: str) -> list[Standing]:
    """Return the nodes that a channel goes to, by our own registry, while nothing is known."""
    group = Node.enterprise == settings().enterprise
    abroad = Node.is_headquarters & ~group
    conditions = {GROUP: group, PUBLIC: or_(group, abroad)}
    partner = abroad & (Node.enterprise == channel.removeprefix(PARTNER))
    statement = (
        select(Node.origin, Node.name)
        .where(conditions.get(channel, partner), Node.origin != settings().origin)
        .order_by(Node.origin)
        .limit(MAX_NODES)
    )
    return [Standing(origin, name, False) for origin, name in db.session.execute(statement)]


def _line(standing: Standing, at: datetime | None) -> Line:
    """Return how far a node is, by the clock of whoever saw it."""
    state = Progress.WAITING
    if standing.is_done:
        state = Progress.DONE
    elif at is not None and (standing.seen_at is None or at - standing.seen_at > SILENCE):
        state = Progress.UNREACHABLE
    return Line(standing.node, standing.name, state, standing.seen_at)


def _worse(one: Line, other: Line) -> Line:
    return max(one, other, key=lambda line: _ORDER.index(line.state))
