"""What the readers of both kinds of source return."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from hub.federation.harvesting.models import LONGEST_IDENTIFIER

LONGEST_LINK = 1_000


@dataclass(frozen=True)
class Record:
    """One item as its source tells it, or that it is gone. Plain text, or HTML; nothing is safe."""

    identifier: str
    datestamp: str
    is_deleted: bool = False
    title: str = ""
    summary: str = ""
    text: str = ""
    link: str = ""
    terms: tuple[str, ...] = ()  # Categories, subjects, tags.
    dated: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Some items, newest first where the kind of source says so, and how many were not legible."""

    records: tuple[Record, ...]
    unreadable: int = 0


def is_identifier(text: object) -> bool:
    """Say whether an item can be told from others by this."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= LONGEST_IDENTIFIER
        and text.isprintable()
        and text == text.strip()
    )


def link_of(text: str) -> str:
    """Return an address that people may follow, or nothing: no javascript:, no file:."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return ""
    plain = text.isprintable() and " " not in text and len(text) <= LONGEST_LINK
    return text if is_web and plain else ""
