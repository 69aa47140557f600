"""The Atom feed of public cases: RFC 4287, in archived pages (RFC 5005), with deletions (RFC 6721).

An archive holds the records at a fixed stretch of places and is linked to only once that stretch
is full. A record that changes moves to the end, so an archive loses what a newer document says
anew, and gains nothing: a withdrawn text is in none of them.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lxml import etree
from sqlalchemy import Row

from hub.config import settings
from hub.errors import NotFoundError
from hub.federation.feeds import reading
from hub.federation.feeds.xml import add, serialise, timestamp

ATOM = "http://www.w3.org/2005/Atom"
HISTORY = "http://purl.org/syndication/history/1.0"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
PATH = "/feeds/public.atom"
SIZE = 50  # Places of an archive; the feed itself covers the last one and what came after it.
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # Last change of a feed to which nothing ever came.

Content = Callable[[Row[Any]], str]  # From a record to safe HTML.


class Feed:
    """One document of the feed, ready to be written."""

    def __init__(self, records: Sequence[Row[Any]], path: str, older: int) -> None:
        self.records, self.path, self.older = records, path, older
        self.changed_at = max((record.received_at for record in records), default=NEVER)

    def as_xml(self, content: Content) -> bytes:
        """Return the document; `content` makes the HTML of an entry."""
        root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM, "fh": HISTORY, "at": TOMBSTONES})
        self._describe(root)
        for record in self.records:
            _add_entry(root, record, content) if record.is_open else _add_deletion(root, record)
        return serialise(root)

    def _describe(self, root: etree._Element) -> None:
        config, current = settings(), address(PATH)
        root.set("{http://www.w3.org/XML/1998/namespace}lang", config.locale.replace("_", "-"))
        add(root, "id", uuid5(NAMESPACE_URL, current).urn)
        add(root, "title", config.name)
        add(root, "updated", timestamp(self.changed_at))
        add(add(root, "author"), "name", config.name)
        add(root, "link", rel="self", type="application/atom+xml", href=address(self.path))
        add(root, "link", rel="alternate", type="text/html", href=address("/"))
        if self.path != PATH:
            add(root, f"{{{HISTORY}}}archive")
            add(root, "link", rel="current", type="application/atom+xml", href=current)
        if self.older > 0:
            older = address(archive_path(self.older))
            add(root, "link", rel="prev-archive", type="application/atom+xml", href=older)


def current() -> Feed:
    """Return the document that people subscribe to: the newest changes, newest first."""
    full = reading.head() // SIZE
    after = max(0, full - 1) * SIZE
    records = reading.read(reading.Window(after), limit=2 * SIZE, newest_first=True)
    return Feed(records, PATH, older=full - 1)


def archive(number: int) -> Feed:
    """Return one of the older documents, counted from 1.

    :raises NotFoundError: when it is not full yet.
    """
    if not 1 <= number <= reading.head() // SIZE:
        raise NotFoundError
    window = reading.Window((number - 1) * SIZE, number * SIZE)
    records = reading.read(window, limit=SIZE, newest_first=True)
    return Feed(records, archive_path(number), older=number - 1)


def archive_path(number: int) -> str:
    """Return where an archive is found."""
    return f"/feeds/public/{number}.atom"


def address(path: str) -> str:
    """Return the absolute address of a path of this node."""
    return settings().origin + path


def _add_entry(root: etree._Element, record: Row[Any], content: Content) -> None:
    entry = add(root, "entry")
    add(entry, "id", record.id.urn)
    add(entry, "title", record.title)
    add(entry, "link", rel="alternate", type="text/html", href=address(f"/cases/{record.id}"))
    add(entry, "published", timestamp(record.published_at))
    add(entry, "updated", timestamp(record.received_at))
    add(add(entry, "author"), "name", record.unit or record.node_name or record.enterprise)
    for term in filter(None, (record.kind, record.category)):
        add(entry, "category", term=term)
    add(entry, "summary", record.summary)
    add(entry, "content", content(record), type="html")


def _add_deletion(root: etree._Element, record: Row[Any]) -> None:
    """Say that an entry is gone (RFC 6721, section 3), and nothing about why."""
    add(
        root,
        f"{{{TOMBSTONES}}}deleted-entry",
        ref=record.id.urn,
        when=timestamp(record.received_at),
    )
