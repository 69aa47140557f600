"""XML that is always legal, whatever a text holds."""

import re
from datetime import datetime

from lxml import etree

XSI = "http://www.w3.org/2001/XMLSchema-instance"

# All but the characters of XML 1.0 (section 2.2).
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def legal(text: str) -> str:
    """Return a text without the characters that XML can't carry."""
    return _ILLEGAL.sub("", text)


def add(
    parent: etree._Element, tag: str, text: str | None = None, **attributes: str
) -> etree._Element:
    """Append and return an element, of the parent's namespace or of another (`{uri}name`)."""
    name = tag if tag.startswith("{") else f"{{{etree.QName(parent).namespace}}}{tag}"
    element = etree.SubElement(parent, name)
    for key, value in attributes.items():
        element.set(key, legal(value))
    if text is not None:
        element.text = legal(text)
    return element


def serialise(root: etree._Element) -> bytes:
    """Return a document as UTF-8 with its declaration."""
    data: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data


def timestamp(moment: datetime) -> str:
    """Return a moment in UTC to the second, as both RFC 3339 and OAI-PMH write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
