"""A case as Markdown with front matter, as `importing.texts` reads it back without loss."""

from typing import Any

import yaml
from sqlalchemy import Row

from hub.cases import content, harvested

UNBROKEN = 1_000_000  # Characters of a line: what is folded is hard to read and to compare.


def markdown_of(document: Row[Any]) -> str:
    """Return a published document as Markdown, with all fields that its page shows."""
    return written(_front_of(document), document.body)


def written(front: dict[str, Any], body: str) -> str:
    """Return a text with front matter."""
    matter = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=UNBROKEN)
    return f"---\n{matter}---\n{body}\n"


def _front_of(document: Row[Any]) -> dict[str, Any]:
    front: dict[str, Any] = {"kind": document.kind, "origin": document.origin}
    if document.is_harvested:
        found = harvested.provenance_of(document.fields)
        front |= {"unsigned": True, "source": found.source, "source_link": found.link}
    if document.unit:
        front["unit"] = document.unit
    return front | {"title": document.title} | content.well_formed(document.kind, document.fields)
