"""XML of strangers: looked through before any library builds something of it.

Sickle parses leniently and feedparser falls back on guessing, so neither is handed what came, but
what `parse` has read, written anew: well-formed UTF-8 without document type, comments and the like.
"""

import io

from lxml import etree

from hub.federation.harvesting.errors import ForbiddenXmlError, NotXmlError

MOST_ELEMENTS = 50_000
DEEPEST = 100
LONGEST_TEXT = 256 * 1024  # Characters of one text; what follows is cut off.
_SAFE = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


class _Guard:
    """Looks at the parts of a document as they come by, and builds nothing."""

    def __init__(self) -> None:
        self.count = self.depth = 0

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Refuse a document type, before anything that it declares is read."""
        raise ForbiddenXmlError

    def start(self, tag: str, attributes: object) -> None:
        """Count an element."""
        self.count += 1
        self.depth += 1
        if self.count > MOST_ELEMENTS or self.depth > DEEPEST:
            raise ForbiddenXmlError

    def end(self, tag: str) -> None:
        """Leave an element."""
        self.depth -= 1

    def close(self) -> None:
        """Return nothing."""


def parse(data: bytes) -> etree._Element:
    """Return the root of a document that is well-formed and harmless.

    :raises NotXmlError: when it is no XML.
    :raises ForbiddenXmlError: for a document type, too many elements, or too deep a nest.
    """
    try:
        etree.parse(io.BytesIO(data), etree.XMLParser(target=_Guard(), **_SAFE))
        root: etree._Element = etree.parse(io.BytesIO(data), etree.XMLParser(**_SAFE)).getroot()
    except etree.XMLSyntaxError as error:
        raise NotXmlError(str(error)) from None
    for element in root.iter():
        if element.text and len(element.text) > LONGEST_TEXT:
            element.text = element.text[:LONGEST_TEXT]
    return root


def serialise(root: etree._Element) -> bytes:
    """Return a document that `parse` let through, as UTF-8."""
    data: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data
