"""The snapshot of a channel: what is live in it, in files that never change.

A reader that is far behind takes these instead of a log that is mostly superseded. A build lies
in a folder of its own under `snapshots/<channel>/` of the node's home, appears whole under its name
and goes with the next. As soon as anything was retracted or held after it, it is not served.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, and_, func, or_, select

from hub import clock
from hub.config import settings
from hub.database import db
from hub.errors import HubError, NotFoundError, mark
from hub.federation import agreements, relay
from hub.federation.directory import KEY, NODE
from hub.federation.items import as_item, signed_items
from hub.federation.parts import PartsWriter, Snapshot, parse_snapshot
from hub.federation.protocol import ChannelCursor, Item
from hub.journal.models import JOURNAL, PUT, RETRACT, Entry, Live, LogItem, Release
from hub.journal.repair import is_its_release
from hub.registry.service import Caller

OLDEST = 3600  # Seconds after which a build is made anew; twice that later its files go.
FARTHEST = 5_000  # Items of the log after which it is.
BATCH = 200  # Items read at once.
PLAN = "snapshot.json"


class BuildingError(HubError):
    """Another request builds the snapshot just now."""

    status = 503
    code = "snapshot_building"
    message = mark("The snapshot of this channel is being built. Ask again in a few seconds.")


@dataclass(frozen=True)
class _Build:
    """A snapshot in a folder of its own."""

    folder: Path
    snapshot: Snapshot
    position: int  # Of the journal before anything was read.
    agreed: list[str]  # Categories that it covers; empty means all.

    @property
    def age(self) -> float:
        """Return the seconds since it was made."""
        try:
            return clock.timestamp() - self.folder.stat().st_mtime
        except FileNotFoundError:  # A newer build has just replaced it.
            return float("inf")


def current(peer: Caller, channel: str) -> Snapshot:
    """Return the snapshot of a channel, built now if there is none that is fresh.

    :raises ClosedChannelError: when the channel is not open to the peer.
    :raises NotFoundError: when nothing was ever offered in it.
    :raises BuildingError: while another request builds it.
    """
    relay.check_open(peer, channel)
    head = relay.heads_of([channel]).get(channel)
    if head is None:
        raise NotFoundError
    found = _served(channel, head)
    if found and _is_fresh(found, head):
        return found.snapshot
    with _alone(_folder(channel)) as is_alone:
        if is_alone:
            return _build(channel)
    if found is None:
        raise BuildingError
    return found.snapshot


def read_part(peer: Caller, channel: str, name: str) -> bytes:
    """Return a part of the snapshot that is served now.

    :raises ClosedChannelError: when the channel is not open to the peer.
    :raises NotFoundError: for a part of any other build.
    """
    relay.check_open(peer, channel)
    head = relay.heads_of([channel]).get(channel)
    found = _served(channel, head) if head else None
    if found is None or name not in {part.name for part in found.snapshot.parts}:
        raise NotFoundError
    try:
        return (found.folder / name).read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError from error


def sweep() -> None:
    """Remove every build that is not served any more, or that nobody has asked for in long."""
    root = settings().home / "snapshots"
    for folder in root.iterdir() if root.is_dir() else ():
        head = relay.heads_of([folder.name]).get(folder.name)
        found = _served(folder.name, head) if head else None
        if found is None or found.age > 2 * OLDEST:
            with _alone(folder) as is_alone:
                if is_alone:
                    _empty(folder)


def _served(channel: str, head: ChannelCursor) -> _Build | None:
    """Return the newest build if all in it may still be read, and the log goes on from it."""
    found = _newest(_folder(channel))
    if found is None or found.snapshot.as_of.epoch != head.epoch:
        return None
    if found.agreed != sorted(agreements.categories_of(channel)):
        return None
    if not relay.floor_of(channel) <= found.snapshot.as_of.seq <= head.seq:
        return None
    taken_back = select(Release.position).where(
        Release.position > found.position,
        Release.channel == channel,
        or_(Release.op == RETRACT, Release.is_held),
    )
    return found if db.session.scalar(taken_back.limit(1)) is None else None


def _newest(folder: Path) -> _Build | None:
    found = []
    for plan in folder.glob(f"[!.]*/{PLAN}"):
        with contextlib.suppress(FileNotFoundError):  # A newer build has just replaced it.
            value = json.loads(plan.read_text())
            found.append(
                _Build(plan.parent, parse_snapshot(value), value["position"], value["agreed"])
            )
    return max(found, key=lambda build: build.position, default=None)


def _is_fresh(found: _Build, head: ChannelCursor) -> bool:
    as_of = found.snapshot.as_of
    return head.seq - as_of.seq <= FARTHEST and (head == as_of or found.age < OLDEST)


def _folder(channel: str) -> Path:
    return settings().home / "snapshots" / channel


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Say whether we alone may build in a folder; the lock goes with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def _empty(folder: Path, *, but: Path | None = None) -> None:
    for path in folder.iterdir():
        if path.is_dir() and path != but:
            shutil.rmtree(path, ignore_errors=True)


def _build(channel: str) -> Snapshot:
    """Write the parts beside what is served, give them their name, and remove what was before.

    :raises NotFoundError: when nothing was ever offered in the channel.
    """
    heads = relay.heads_of([JOURNAL, channel])
    as_of = heads.get(channel)
    if as_of is None:
        raise NotFoundError
    folder, agreed = _folder(channel), sorted(agreements.categories_of(channel))
    name = f"{as_of.epoch}-{as_of.seq}-{secrets.token_hex(4)}"
    draft = folder / f".{name}"
    draft.mkdir(mode=0o700)
    try:
        parts = PartsWriter(draft, name)
        for item, is_end in _items(channel, as_of.seq):
            covered = agreements.withhold(agreed, channel, item)
            if covered.entry or is_end:
                parts.add(covered, is_end=is_end)
        built = Snapshot(as_of, parts.finish())
        plan = built.as_wire() | {"position": heads[JOURNAL].seq, "agreed": agreed}
        _write(draft / PLAN, json.dumps(plan).encode())
        _sync(draft)
        _empty(folder, but=draft)
        draft.rename(folder / name)
        _sync(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return built


def _items(channel: str, as_of: int) -> Iterator[tuple[Item, bool]]:
    """Yield what is live up to a place, keys before what they sign, and the ends of chains.

    Where a chain begins anew comes before what follows it: of ours, then the keys, then of others.
    """
    ours, others = Release.iss == settings().origin, Release.iss != settings().origin
    yield from _beginnings(channel, as_of, ours)
    yield from _live(channel, as_of, Entry.type == NODE)
    yield from _live(channel, as_of, Entry.type == KEY)
    yield from _beginnings(channel, as_of, others)
    yield from _live(channel, as_of, Entry.type.not_in([NODE, KEY]))
    yield from _ends(channel, as_of)


def _live(channel: str, as_of: int, which: ColumnElement[bool]) -> Iterator[tuple[Item, bool]]:
    """Yield live items, in batches by place: no transaction grows with the channel."""
    is_live = and_(is_its_release(), Live.op == PUT)
    statement = signed_items(channel).join(Live, is_live)
    statement = statement.where(which, LogItem.seq <= as_of).order_by(LogItem.seq).limit(BATCH)
    after = 0
    while rows := db.session.execute(statement.where(LogItem.seq > after)).all():
        yield from ((as_item(row), False) for row in rows if row[7])
        after = rows[-1].seq


def _beginnings(
    channel: str, as_of: int, which: ColumnElement[bool]
) -> Iterator[tuple[Item, bool]]:
    """Yield the first release of each incarnation of an issuer's log that names another one."""
    first = and_(Release.seq == 1, Release.payload.contains('"after":'), ~Release.is_held)
    statement = signed_items(channel).where(first, which, LogItem.seq <= as_of)
    for row in db.session.execute(statement.order_by(LogItem.seq)):
        yield as_item(row), True


def _ends(channel: str, as_of: int) -> Iterator[tuple[Item, bool]]:
    """Yield the last release of each issuer up to a place of the log."""
    last = (
        select(func.max(LogItem.seq))
        .join(Release, Release.position == LogItem.position)
        .where(LogItem.channel == channel, LogItem.seq <= as_of, ~Release.is_held)
        .group_by(Release.iss)
    )
    places = sorted(db.session.scalars(last))
    for start in range(0, len(places), BATCH):
        wanted = LogItem.seq.in_(places[start : start + BATCH])
        for row in db.session.execute(signed_items(channel).where(wanted)):
            yield as_item(row), True


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
