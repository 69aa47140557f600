"""Reading a repository by OAI-PMH 2.0 with Sickle, over our own requests.

(openarchives.org/OAI/openarchivesprotocol.html)
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

import sickle
from lxml import etree
from sickle import models as oai_models
from sickle.response import OAIResponse

from hub import clock
from hub.federation.harvesting import xml
from hub.federation.harvesting.errors import EndlessError, OtherKindError, RepositoryError
from hub.federation.harvesting.fetching import Fetcher
from hub.federation.harvesting.records import Page, Record, is_identifier, link_of

OAI = "{http://www.openarchives.org/OAI/2.0/}"
PREFIX = "oai_dc"
OVERLAP = timedelta(days=2)  # What is asked for again: clocks differ, and some count in days.
BATCH = 100  # Records of one transaction.
NOTHING = "noRecordsMatch"
_DAY = re.compile(r"([12]\d{3})(?:-(\d\d)(?:-(\d\d))?)?(?!\d)")


class _Bytes(NamedTuple):
    """What Sickle wants to know of an answer."""

    content: bytes


class Repository(sickle.Sickle):  # type: ignore[misc]  # Sickle has no types.
    """Sickle, which parses nothing but what was fetched in bounds and looked through before."""

    def __init__(self, fetcher: Fetcher) -> None:
        """Ask the repository at the address of the fetcher."""
        mapping = {"ListRecords": _record, "ListIdentifiers": _header}
        super().__init__(fetcher.url, class_mapping=mapping)
        self.fetcher = fetcher
        self.answered_at: datetime | None = None  # The first time, by the earlier of both clocks.
        self._tokens: set[str] = set()

    def harvest(self, **arguments: str) -> OAIResponse:
        """Return the answer to one request.

        :raises SourceError: when it is none, or one of the errors of the protocol.
        :raises PeerError: when there is no answer.
        """
        token = arguments.get("resumptionToken")
        if token is not None and token in self._tokens:
            raise EndlessError
        self._tokens.add(token or "")
        root = xml.parse(self.fetcher.fetch(self.endpoint, arguments))
        if root.tag != f"{OAI}OAI-PMH":
            raise OtherKindError(root.tag)
        if self.answered_at is None:
            self.answered_at = _earlier(root.findtext(f"{OAI}responseDate"))
        error = root.find(f"{OAI}error")
        if error is not None:
            raise RepositoryError(error.get("code", ""), error.text or "")
        if root.find(OAI + arguments["verb"]) is None:
            raise OtherKindError(root[-1].tag if len(root) else root.tag)
        return OAIResponse(_Bytes(xml.serialise(root)), arguments)

    def described(self) -> "Described":
        """Ask what the repository says of itself."""
        found = dict(oai_models.Identify(self.harvest(verb="Identify")))
        first = {name: str(values[0] or "").strip() for name, values in found.items()}
        return Described(
            name=first.get("repositoryName", ""),
            counts_seconds="ss" in first.get("granularity", ""),
            keeps_deletions=first.get("deletedRecord") == "persistent",
        )

    def pages(self, set_name: str, since: datetime | None, *, in_seconds: bool) -> Iterator[Page]:
        """Yield what has changed since a moment, with an overlap; all there is, if it is None."""
        chosen = _chosen(set_name)
        if since is not None:
            form = "%Y-%m-%dT%H:%M:%SZ" if in_seconds else "%Y-%m-%d"
            chosen["from"] = (since - OVERLAP).astimezone(UTC).strftime(form)
        items = self._items("ListRecords", chosen)
        while batch := list(islice(items, BATCH)):
            records = tuple(record for record in batch if record is not None)
            yield Page(records, len(batch) - len(records))

    def identifiers(self, set_name: str) -> set[str]:
        """Return the names of all that is there now."""
        headers = self._items("ListIdentifiers", _chosen(set_name))
        return {record.identifier for record in headers if record and not record.is_deleted}

    def _items(self, verb: str, chosen: dict[str, str]) -> Iterator[Record | None]:
        self._tokens.clear()
        try:
            yield from getattr(self, verb)(**chosen)
        except RepositoryError as error:
            if error.reason != NOTHING:  # An empty list is no failure.
                raise


class Described(NamedTuple):
    """What a repository says of itself."""

    name: str
    counts_seconds: bool
    keeps_deletions: bool  # Else what is gone is found by comparing.


def _chosen(set_name: str) -> dict[str, str]:
    return {"metadataPrefix": PREFIX} | ({"set": set_name} if set_name else {})


def _record(element: etree._Element) -> Record | None:
    """Return a record, None when it can't be read: it harms no other."""
    try:
        found = oai_models.Record(element)
    except (AttributeError, IndexError):  # Without header, or without what it describes.
        return None
    header = _header_of(found.header)
    if header is None or header.is_deleted:
        return header
    texts = {name: [v.strip() for v in values if v] for name, values in found.metadata.items()}
    if not texts.get("title") and not texts.get("description"):
        return None
    links = [link for text in texts.get("identifier", []) if (link := link_of(text))]
    descriptions = texts.get("description", [])
    return Record(
        header.identifier,
        header.datestamp,
        title=next(iter(texts.get("title", [])), ""),
        summary=descriptions[0] if len(descriptions) > 1 else "",
        text="\n\n".join(descriptions[1:] or descriptions),
        link=next(iter(links), ""),
        terms=tuple(texts.get("subject", [])),
        dated=next(filter(None, map(_day, [*texts.get("date", []), header.datestamp])), None),
    )


def _header(element: etree._Element) -> Record | None:
    return _header_of(oai_models.Header(element))


def _header_of(header: Any) -> Record | None:
    identifier = (header.identifier or "").strip()
    datestamp = (header.datestamp or "").strip()[:40]
    if not is_identifier(identifier):
        return None
    return Record(identifier, datestamp, is_deleted=header.deleted)


def _day(text: str) -> datetime | None:
    """Return the day that a date begins with; many repositories say the year only."""
    found = _DAY.match(text)
    if not found:
        return None
    try:
        return datetime(int(found[1]), int(found[2] or 1), int(found[3] or 1), tzinfo=UTC)
    except ValueError:
        return None


def _earlier(said: str | None) -> datetime:
    """Return when the repository answered, by its clock or ours: what is earlier misses nothing."""
    now = clock.now()
    try:
        theirs = datetime.strptime((said or "").strip(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return now
    return min(theirs, now)
