"""What the specification says of an OAI-PMH 2.0 answer, written down without our own code.

openarchives.org/OAI/openarchivesprotocol.html and its OAI-PMH.xsd.
"""

import re
from collections.abc import Sequence

from lxml import etree

OAI = "{http://www.openarchives.org/OAI/2.0/}"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
OAI_DC = "{http://www.openarchives.org/OAI/2.0/oai_dc/}"
DC = "{http://purl.org/dc/elements/1.1/}"

SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SET = re.compile(r"[A-Za-z0-9_.!~*'()-]+(:[A-Za-z0-9_.!~*'()-]+)*")
EMAIL = re.compile(r"\S+@(\S+\.)+\S+")
CODES = {
    "badArgument",
    "badResumptionToken",
    "badVerb",
    "cannotDisseminateFormat",
    "idDoesNotExist",
    "noMetadataFormats",
    "noRecordsMatch",
    "noSetHierarchy",
}
ELEMENTS = {
    *("contributor", "coverage", "creator", "date", "description", "format", "identifier"),
    *("language", "publisher", "relation", "rights", "source", "subject", "title", "type"),
}


def check(answer: bytes, *, verb: str | None = None, base_url: str) -> etree._Element:
    """Return the element after `request`, once everything about the answer is as it must be."""
    assert answer.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    root = etree.fromstring(answer, etree.XMLParser(resolve_entities=False))
    assert root.tag == f"{OAI}OAI-PMH"
    assert root.get(f"{XSI}schemaLocation") == (
        "http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"
    )
    date, request, *rest = root
    assert date.tag == f"{OAI}responseDate"
    assert SECOND.fullmatch(date.text)
    assert request.tag == f"{OAI}request"
    assert request.text == base_url
    assert rest
    if rest[0].tag == f"{OAI}error":
        _check_errors(request, rest)
    else:
        assert len(rest) == 1
        assert rest[0].tag == f"{OAI}{request.get('verb')}"
        assert verb in {None, request.get("verb")}
        _CHECKS[request.get("verb")](rest[0])
    return rest[0]


def _check_errors(request: etree._Element, errors: Sequence[etree._Element]) -> None:
    for error in errors:
        assert error.tag == f"{OAI}error"
        assert error.get("code") in CODES
    if {error.get("code") for error in errors} & {"badVerb", "badArgument"}:
        assert not request.attrib
    else:
        assert request.get("verb")


def _names(element: etree._Element) -> list[str]:
    assert all(child.tag.startswith(OAI) for child in element)
    return [child.tag.removeprefix(OAI) for child in element]


def _check_identify(body: etree._Element) -> None:
    assert _names(body) == [
        "repositoryName",
        "baseURL",
        "protocolVersion",
        "adminEmail",
        "earliestDatestamp",
        "deletedRecord",
        "granularity",
    ]
    assert body.findtext(f"{OAI}protocolVersion") == "2.0"
    assert EMAIL.fullmatch(body.findtext(f"{OAI}adminEmail"))
    assert SECOND.fullmatch(body.findtext(f"{OAI}earliestDatestamp"))
    assert body.findtext(f"{OAI}deletedRecord") == "persistent"
    assert body.findtext(f"{OAI}granularity") == "YYYY-MM-DDThh:mm:ssZ"


def _check_formats(body: etree._Element) -> None:
    assert _names(body)
    for element in body:
        assert _names(element) == ["metadataPrefix", "schema", "metadataNamespace"]
    assert "oai_dc" in [element[0].text for element in body]


def _check_sets(body: etree._Element) -> None:
    assert set(_names(body)) == {"set"}
    for element in body:
        assert _names(element) == ["setSpec", "setName"]
        assert SET.fullmatch(element[0].text)
        assert element[1].text
    assert len({element[0].text for element in body}) == len(body)


def _check_get(body: etree._Element) -> None:
    assert _names(body) == ["record"]
    _check_record(body[0])


def _check_headers(body: etree._Element) -> None:
    for header in _listed(body, "header"):
        _check_header(header)


def _check_records(body: etree._Element) -> None:
    for record in _listed(body, "record"):
        _check_record(record)


def _listed(body: etree._Element, name: str) -> list[etree._Element]:
    names = _names(body)
    last = body[-1] if names[-1] == "resumptionToken" else None
    found = body[:-1] if last is not None else body[:]
    assert 1 <= len(found) <= 100
    assert {element.tag for element in found} == {OAI + name}
    assert last is None or last.get("cursor", "0").isdecimal()
    return found


def _check_record(record: etree._Element) -> None:
    header, *rest = record
    _check_header(header)
    if header.get("status") == "deleted":
        assert rest == []
        return
    assert [element.tag for element in rest] == [f"{OAI}metadata"]
    (dc,) = rest[0]
    assert dc.tag == f"{OAI_DC}dc"
    assert dc.get(f"{XSI}schemaLocation") == (
        "http://www.openarchives.org/OAI/2.0/oai_dc/ http://www.openarchives.org/OAI/2.0/oai_dc.xsd"
    )
    assert {element.tag.removeprefix(DC) for element in dc} <= ELEMENTS
    assert all(len(element) == 0 and not element.attrib for element in dc)


def _check_header(header: etree._Element) -> None:
    assert header.get("status") in {None, "deleted"}
    identifier, datestamp, *sets = header
    assert identifier.tag == f"{OAI}identifier"
    assert re.match(r"[a-z][a-z0-9+.-]*:\S+$", identifier.text)
    assert datestamp.tag == f"{OAI}datestamp"
    assert SECOND.fullmatch(datestamp.text)
    assert all(e.tag == f"{OAI}setSpec" and SET.fullmatch(e.text) for e in sets)


_CHECKS = {
    "Identify": _check_identify,
    "ListMetadataFormats": _check_formats,
    "ListSets": _check_sets,
    "GetRecord": _check_get,
    "ListIdentifiers": _check_headers,
    "ListRecords": _check_records,
}
