"""A comparison on the wire: 256 hashes, or what is live in one bucket (docs/federation.md)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import InvalidError
from hub.federation.protocol import ChannelCursor, parse_place

BUCKETS = 256
MAX_LISTED = 20_000  # Entries in the list of one bucket.


@dataclass(frozen=True)
class LiveEntry:
    """An entry that is live in a channel, as two nodes compare it."""

    iss: str
    origin: str
    entry_id: str
    rev: int
    seq: int  # Of its release, in the issuer's chain.
    digest: str  # Of the entry.
    place: int = 0  # In the log of the node that lists it.

    @property
    def line(self) -> str:
        """Return what both sides hash: all but the place, which is the lister's own."""
        parts = (self.iss, self.origin, self.entry_id, self.rev, self.seq, self.digest)
        return "\n".join(str(part) for part in parts)

    @property
    def bucket(self) -> int:
        """Return the bucket: the first byte of the SHA-256 of origin, slash and id."""
        return hashlib.sha256(f"{self.origin}/{self.entry_id}".encode()).digest()[0]

    def as_wire(self) -> dict[str, Any]:
        """Return the shape on the wire."""
        names = {"iss": self.iss, "origin": self.origin, "id": self.entry_id}
        return names | {
            "rev": self.rev,
            "seq": self.seq,
            "digest": self.digest,
            "at": self.place,
        }


def hashes(entries: Iterable[LiveEntry]) -> list[str]:
    """Return one hash for each bucket: of the sorted hashes of its lines."""
    lines: list[list[bytes]] = [[] for _ in range(BUCKETS)]
    for entry in entries:
        lines[entry.bucket].append(hashlib.sha256(entry.line.encode()).digest())
    return [hashlib.sha256(b"".join(sorted(bucket))).hexdigest() for bucket in lines]


def parse_buckets(body: object) -> tuple[ChannelCursor, list[str]]:
    """Return the place of a peer's comparison, and its hash of each bucket.

    :raises InvalidError: when it is anything else.
    """
    as_of, found = parse_place(body), body.get("buckets") if isinstance(body, Mapping) else None
    if not isinstance(found, list) or len(found) != BUCKETS:
        raise InvalidError("buckets", f"not a list of {BUCKETS}")
    return as_of, [str(text) for text in found]


def parse_bucket(body: object) -> tuple[ChannelCursor, list[LiveEntry]]:
    """Return the place of a peer's comparison, and what it has live in one bucket.

    :raises InvalidError: when it is anything else.
    """
    as_of, listed = parse_place(body), body.get("entries") if isinstance(body, Mapping) else None
    if not isinstance(listed, list) or len(listed) > MAX_LISTED:
        raise InvalidError("entries", f"not a list of at most {MAX_LISTED}")
    return as_of, [_parse_entry(row) for row in listed]


def _parse_entry(row: object) -> LiveEntry:
    if not isinstance(row, Mapping):
        raise InvalidError("entries", "an entry is not an object")
    texts = [row.get(name) for name in ("iss", "origin", "id", "digest")]
    numbers = [row.get(name) for name in ("rev", "seq", "at")]
    if not all(isinstance(text, str) and len(text) < 256 for text in texts):
        raise InvalidError("entries", "an entry without iss, origin, id or digest")
    if not all(type(number) is int and 0 <= number < 2**53 for number in numbers):
        raise InvalidError("entries", "an entry without rev, seq or at")
    (iss, origin, entry_id, digest), (rev, seq, place) = map(str, texts), numbers
    return LiveEntry(iss, origin, entry_id, rev or 0, seq or 0, digest, place or 0)
