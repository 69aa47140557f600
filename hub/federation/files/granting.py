"""Who may have a file: whoever reads a live release that names it, never who knows its hash."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select

from hub.database import db
from hub.errors import NotFoundError
from hub.federation import agreements
from hub.journal.granting import agreed_in, granted_channels
from hub.journal.models import PUT, Entry, EntryFile, Live, LogItem, Release
from hub.media.errors import OtherHashError, OtherSizeError
from hub.media.service import Received
from hub.registry.service import Caller


@dataclass(frozen=True)
class Named:
    """A file as a live entry names it."""

    sha256: str
    size: int
    entry_digest: str

    def check(self, received: Received) -> None:
        """Let these bytes pass if they are the ones that are named.

        :raises OtherSizeError, OtherHashError: when they are not.
        """
        if received.size != self.size:
            raise OtherSizeError
        if received.sha256 != self.sha256:
            raise OtherHashError


def readable(caller: Caller, via: str, sha256: str) -> Named:
    """Return a file that the caller may have, because of a release that it may read or has issued.

    :param via: digest of the release.
    :raises NotFoundError: for a file that is not there and one that is not open to it, alike.
    """
    is_offered = exists().where(
        LogItem.position == Release.position, LogItem.channel == Release.channel
    )
    is_read = and_(Release.channel.in_(granted_channels(caller)), is_offered)
    named = _find(via, sha256, or_(Release.iss == caller.origin, is_read))
    if not _is_agreed(caller, via, named.entry_digest):
        raise NotFoundError
    return named


def _is_agreed(caller: Caller, via: str, entry_digest: str) -> bool:
    if not caller.categories:
        return True
    channel = db.session.scalars(
        select(Release.channel).where(Release.digest == via).limit(1)
    ).one()
    text = db.session.scalar(select(Entry.payload).where(Entry.digest == entry_digest))
    agreed = agreed_in(caller, channel)
    return text is not None and agreements.covers_text(agreed, channel, text)


def published_by(caller: Caller, via: str, sha256: str) -> Named:
    """Return a file that the caller may send us, because a live release of its own names it.

    :raises NotFoundError: for any other.
    """
    return _find(via, sha256, Release.iss == caller.origin)


def live_files(*columns: Any) -> Select[Any]:
    """Return the statement over releases that count, with the files of the entries they put."""
    return (
        select(*columns)
        .select_from(Release)
        .join(EntryFile, EntryFile.digest == Release.entry_digest)
        .join(
            Live,
            and_(
                Live.iss == Release.iss,
                Live.channel == Release.channel,
                Live.origin == Release.origin,
                Live.entry_id == Release.entry_id,
                Live.entry_digest == Release.entry_digest,
            ),
        )
        .where(Live.op == PUT, Release.op == PUT, ~Release.is_held)
    )


def _find(via: str, sha256: str, condition: ColumnElement[bool]) -> Named:
    statement = live_files(EntryFile.sha256, EntryFile.size, EntryFile.digest)
    row = db.session.execute(
        statement.where(Release.digest == via, EntryFile.sha256 == sha256, condition)
    ).first()
    if row is None:
        raise NotFoundError
    return Named(*row)
