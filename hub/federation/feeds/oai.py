"""OAI-PMH 2.0 (openarchives.org/OAI/openarchivesprotocol.html): all six verbs over public cases.

Lists run in the order of the last change. A list that is asked for from the time of the last one
holds all that changed since: see `keeping`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from lxml import etree
from sqlalchemy import Row

from hub import clock
from hub.cases.fields import CATEGORIES, KINDS
from hub.config import settings
from hub.federation.feeds import arguments as args
from hub.federation.feeds import dublin_core, reading
from hub.federation.feeds.arguments import OaiError, Page
from hub.federation.feeds.xml import XSI, add, serialise, timestamp

OAI = "http://www.openarchives.org/OAI/2.0/"
PATH = "/oai"
SIZE = 100  # Records of one page.

Words = Callable[[str], str]  # Translates what a set is called.


class Answer:
    """The answer to one request."""

    def __init__(self, pairs: Sequence[tuple[str, str]], words: Words) -> None:
        self.pairs, self.words = pairs, words
        self.now = clock.now().replace(microsecond=0)  # Before anything is read: see `keeping`.

    def as_xml(self) -> bytes:
        """Return the answer, which may be one of the protocol's errors."""
        given: dict[str, str] = {}
        try:
            given = args.check(self.pairs)
            body = getattr(self, _METHODS[given["verb"]])(given)
        except OaiError as error:
            if error.code == "badArgument":
                given = {}
            body = _element("error")
            body.set("code", error.code)
            body.text = error.reason
        root = _element("OAI-PMH", xsi=XSI)
        schema = f"{OAI} http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"
        root.set(f"{{{XSI}}}schemaLocation", schema)
        add(root, "responseDate", timestamp(self.now))
        # What could not be understood is not repeated (section 3.2).
        add(root, "request", _base_url(), **given)
        root.append(body)
        return serialise(root)

    def _identify(self, given: dict[str, str]) -> etree._Element:
        body, config = _element("Identify"), settings()
        add(body, "repositoryName", config.name)
        add(body, "baseURL", _base_url())
        add(body, "protocolVersion", "2.0")
        # Every host with a web server has this mailbox (RFC 2142, section 5).
        add(body, "adminEmail", f"webmaster@{urlsplit(config.origin).hostname}")
        add(body, "earliestDatestamp", timestamp(reading.earliest() or self.now))
        add(body, "deletedRecord", "persistent")
        add(body, "granularity", "YYYY-MM-DDThh:mm:ssZ")
        return body

    def _list_metadata_formats(self, given: dict[str, str]) -> etree._Element:
        if "identifier" in given:
            _find(given["identifier"])
        body = _element("ListMetadataFormats")
        dublin_core.describe(add(body, "metadataFormat"))
        return body

    def _list_sets(self, given: dict[str, str]) -> etree._Element:
        if "resumptionToken" in given:
            raise OaiError("badResumptionToken", "the list of sets is never divided")
        body = _element("ListSets")
        for prefix, words in ((args.KIND_SET, KINDS), (args.CATEGORY_SET, CATEGORIES)):
            for word, label in words.items():
                element = add(body, "set")
                add(element, "setSpec", prefix + word)
                add(element, "setName", self.words(label))
        return body

    def _get_record(self, given: dict[str, str]) -> etree._Element:
        args.check_format(given["metadataPrefix"])
        record = _find(given["identifier"])
        body = _element("GetRecord")
        _add_record(body, record, self._datestamp(record, None))
        return body

    def _list(self, given: dict[str, str]) -> etree._Element:
        page = (
            args.read_token(given["resumptionToken"], given["verb"])
            if "resumptionToken" in given
            else args.first_page(given)
        )
        found = self._read(page)
        if not found:
            raise OaiError("noRecordsMatch", "nothing, or nothing any more, is in this list")
        body, shown = _element(page.verb), found[:SIZE]
        write = _add_record if page.verb == "ListRecords" else _add_header
        for record in shown:
            write(body, record, self._datestamp(record, page))
        if len(found) > SIZE:
            following = Page(
                page.verb,
                page.set_name,
                page.since,
                page.until,
                shown[-1].place,
                page.served + SIZE,
            )
            add(body, "resumptionToken", args.write_token(following), cursor=str(page.served))
        elif page.served:
            add(body, "resumptionToken", cursor=str(page.served))
        return body

    def _read(self, page: Page) -> Sequence[Row[Any]]:
        """Return the records of a page, and one more if there is one."""
        chosen = args.set_filter(page.set_name)
        if chosen is None:
            return []
        after, upto = page.after, None
        if page.since is not None:
            after = max(after, reading.last_place(before=args.moment(page.since)))
        if page.until is not None:
            end = args.moment(page.until, is_end=True)
            upto = max(reading.last_place(upto=end), reading.last_unstamped(end))
        return reading.read(reading.Window(after, upto, **chosen), limit=SIZE + 1)

    def _datestamp(self, record: Row[Any], page: Page | None) -> str:
        """Return when a record changed; one that has no datestamp yet has just done so."""
        stamp: datetime = record.stamped_at or self.now
        if page and not record.stamped_at:
            if page.until is not None:
                stamp = min(stamp, args.moment(page.until, is_end=True))
            if page.since is not None:
                stamp = max(stamp, args.moment(page.since))
        return timestamp(stamp)


_METHODS = {
    "Identify": "_identify",
    "ListMetadataFormats": "_list_metadata_formats",
    "ListSets": "_list_sets",
    "GetRecord": "_get_record",
    "ListIdentifiers": "_list",
    "ListRecords": "_list",
}


def _find(identifier: str) -> Row[Any]:
    """Return a record by its identifier.

    :raises OaiError: `idDoesNotExist`, alike for what is not open and what is not there.
    """
    try:
        record_id = UUID(identifier)
    except ValueError:
        record_id = None
    if record_id is None or record_id.urn != identifier or not (record := reading.find(record_id)):
        raise OaiError("idDoesNotExist", "there is no record of this name")
    return record


def _add_record(parent: etree._Element, record: Row[Any], datestamp: str) -> None:
    element = add(parent, "record")
    _add_header(element, record, datestamp)
    if record.is_open:
        dublin_core.write(add(element, "metadata"), record)


def _add_header(parent: etree._Element, record: Row[Any], datestamp: str) -> None:
    header = add(parent, "header")
    if not record.is_open:
        header.set("status", "deleted")
    add(header, "identifier", record.id.urn)
    add(header, "datestamp", datestamp)
    add(header, "setSpec", args.KIND_SET + record.kind)
    if record.category in CATEGORIES:
        add(header, "setSpec", args.CATEGORY_SET + record.category)


def _element(name: str, **namespaces: str) -> etree._Element:
    names: dict[str | None, str] = {None: OAI}
    names.update(namespaces)
    return etree.Element(f"{{{OAI}}}{name}", nsmap=names)


def _base_url() -> str:
    return settings().origin + PATH
