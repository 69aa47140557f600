"""A public case in unqualified Dublin Core, as OAI-PMH asks for of everybody."""

from typing import Any

from lxml import etree
from sqlalchemy import Row

from hub.cases import content
from hub.config import settings
from hub.federation.feeds.arguments import PREFIX
from hub.federation.feeds.xml import XSI, add, timestamp

OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DC = "http://purl.org/dc/elements/1.1/"
SCHEMA = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"


def describe(parent: etree._Element) -> None:
    """Say which format this is (section 4.4)."""
    add(parent, "metadataPrefix", PREFIX)
    add(parent, "schema", SCHEMA)
    add(parent, "metadataNamespace", OAI_DC)


def write(parent: etree._Element, record: Row[Any]) -> None:
    """Append what a case says of itself."""
    root = etree.SubElement(
        parent, f"{{{OAI_DC}}}dc", nsmap={"oai_dc": OAI_DC, "dc": DC, "xsi": XSI}
    )
    root.set(f"{{{XSI}}}schemaLocation", f"{OAI_DC} {SCHEMA}")
    tags = content.well_formed(record.kind, record.fields).get("tags", [])
    for name, values in (
        ("title", [record.title]),
        ("creator", [record.unit]),
        ("subject", [record.category, *tags]),
        ("description", [record.summary, record.body]),
        ("publisher", [record.node_name or record.enterprise]),
        ("date", [timestamp(record.published_at)]),
        ("type", [record.kind]),
        ("format", ["text/html"]),
        ("identifier", [f"{settings().origin}/cases/{record.id}"]),
    ):
        for value in filter(None, values):
            add(root, f"{{{DC}}}{name}", value)
