"""Reading Atom and RSS with feedparser, over our own requests.

Beside what feedparser shows: deletions (RFC 6721), and whether a feed tells of all that there is
(RFC 5005). A window over the newest items, as most feeds are, says nothing of what left it.
"""

import io
from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import feedparser
from lxml import etree

from hub.federation.feeds.atom import ATOM, HISTORY, TOMBSTONES
from hub.federation.harvesting import xml
from hub.federation.harvesting.errors import (
    EndlessError,
    OtherKindError,
    OtherOriginError,
    SourceAddressError,
    UnreadableFeedError,
)
from hub.federation.harvesting.fetching import Fetcher, origin_of
from hub.federation.harvesting.records import Page, Record, is_identifier, link_of

ROOTS = {"feed", "rss", "RDF"}
READ = {  # Namespaces; feedparser knows many more, and fails where they are not kept to.
    None,
    ATOM,
    "http://purl.org/rss/1.0/",
    "http://purl.org/rss/1.0/modules/content/",
    "http://purl.org/dc/elements/1.1/",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://www.w3.org/1999/xhtml",
}
DATES = {
    "updated",
    "published",
    "issued",
    "modified",
    "created",
    "pubDate",
    "date",
    "lastBuildDate",
}
LONGEST_DATE = 64  # Characters; what is longer would only keep the parsers of dates busy.
MOST_DELETED = 10_000  # Deletions of one document.


@dataclass(frozen=True)
class Document:
    """One document of a feed."""

    name: str
    page: Page
    is_complete: bool  # It holds all that there is (RFC 5005, section 2).
    older: str | None  # Address of the archive before it (section 4), as the document says.


def documents(fetcher: Fetcher) -> Iterator[Document]:
    """Yield the feed and then its archives, newest first.

    :raises EndlessError: when an archive leads back to another one.
    :raises OtherOriginError: when it leads away from the source's own host.
    """
    seen: set[str] = set()
    url: str | None = fetcher.url
    while url:
        if url in seen:
            raise EndlessError
        seen.add(url)
        found = read(fetcher.fetch(url), url)
        yield found
        url = _address(found.older, url, fetcher) if found.older else None


def read(data: bytes, url: str) -> Document:
    """Return one document of a feed.

    :raises SourceError: when it is none.
    """
    root = xml.parse(data)
    if etree.QName(root).localname not in ROOTS:
        raise OtherKindError(root.tag)
    around = root.find("channel")
    around = root if around is None else around
    is_complete = around.find(f"{{{HISTORY}}}complete") is not None
    older = _older(around)
    stones = root.findall(f"{{{TOMBSTONES}}}deleted-entry")[:MOST_DELETED]
    parsed = _parse(root, url)
    entries = [_record(entry) for entry in parsed.entries]
    records = [record for record in entries if record is not None]
    deleted = _deletions(stones, {record.identifier: record for record in records})
    gone = {record.identifier for record in deleted}
    kept = [record for record in records if record.identifier not in gone]
    page = Page((*kept, *deleted), len(entries) - len(records))
    return Document(str(parsed.feed.get("title", "")), page, is_complete, older)


def _parse(root: etree._Element, url: str) -> Any:
    """Return what feedparser makes of a document without what it stumbles over."""
    _shorten_dates(root)
    strange = {etree.QName(element).namespace for element in root.iter()} - READ
    etree.strip_elements(root, *(f"{{{name}}}*" for name in strange), with_tail=False)
    try:
        return feedparser.parse(
            io.BytesIO(xml.serialise(root)),  # Bytes alone it might take for the name of a file.
            response_headers={"content-location": url, "content-type": "application/xml"},
            sanitize_html=False,  # No HTML is kept; and what is hostile keeps the sanitiser busy.
            resolve_relative_uris=False,
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnreadableFeedError from error  # It trusts that elements hold what they should.


def _record(entry: Any) -> Record | None:
    identifier = str(entry.get("id") or entry.get("link") or "").strip()
    if not is_identifier(identifier):
        return None
    summary, content = entry.get("summary", ""), entry.get("content") or []
    text = next((str(part.get("value", "")) for part in content), "")
    title = str(entry.get("title", ""))
    if not title and not summary and not text:
        return None
    stamps = [name for name in ("published", "updated") if name in entry]
    moments = [entry.get(f"{name}_parsed") for name in stamps if entry.get(f"{name}_parsed")]
    return Record(
        identifier,
        str(entry[stamps[-1]])[:40] if stamps else "",
        title=title,
        summary=str(summary) if text and summary != text else "",
        text=text or str(summary),
        link=link_of(str(entry.get("link") or "")),
        terms=tuple(str(tag.get("term") or "") for tag in entry.get("tags", [])),
        dated=_moment(moments[0]) if moments else None,
    )


def _deletions(stones: list[etree._Element], shown: dict[str, Record]) -> list[Record]:
    """Return what a document says is gone (RFC 6721), unless an entry of it is younger."""
    found = []
    for element in stones:
        identifier, when = element.get("ref", "").strip(), element.get("when", "").strip()[:40]
        entry = shown.get(identifier)
        is_back = entry is not None and (_instant(entry.datestamp) or 0) > (_instant(when) or 0)
        if is_identifier(identifier) and not is_back:
            found.append(Record(identifier, when, is_deleted=True))
    return found


def _older(around: etree._Element) -> str | None:
    for link in around.findall(f"{{{ATOM}}}link"):
        if link.get("rel") == "prev-archive":
            return str(link.get("href", "")).strip() or None
    return None


def _address(href: str, base: str, fetcher: Fetcher) -> str:
    """Return where an archive is: on the source's own host, or it is not fetched."""
    try:
        url = urljoin(base, href)
        is_ours = origin_of(url) == fetcher.origin
    except (ValueError, SourceAddressError):
        is_ours = False
    if not is_ours:
        raise OtherOriginError
    return url


def _shorten_dates(root: etree._Element) -> None:
    for element in root.iter():
        if element.text and etree.QName(element).localname in DATES:
            element.text = element.text.strip()[:LONGEST_DATE]


def _moment(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _instant(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
