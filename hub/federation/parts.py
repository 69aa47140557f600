"""A snapshot in its parts: written into files, listed on the wire, and read."""

import gzip
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from hub.errors import InvalidError
from hub.federation.protocol import (
    MAX_ITEMS,
    MAX_PAGE,
    ChannelCursor,
    Item,
    parse_item,
    parse_place,
)

MAX_PARTS = 10_000
MAX_PART = 4 * 1024 * 1024  # Bytes of a part, as sent.
MAX_UNPACKED = 48 * 1024 * 1024  # Bytes of a part as unpacked.
FULL = 3 * 1024 * 1024  # Bytes of a part after which the next begins.
FULL_UNPACKED = 40 * 1024 * 1024
LONGEST_LINE = 2 * 1024 * 1024  # Bytes of an item: an entry of 256 KiB, escaped, and its release.

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_NAME = re.compile(r"[A-Za-z0-9-]{1,60}\Z")


@dataclass(frozen=True)
class Part:
    """One file of a snapshot: gzip, one item a line."""

    name: str
    sha256: str
    size: int
    count: int


@dataclass(frozen=True)
class Snapshot:
    """What was live in a channel at a place of its log."""

    as_of: ChannelCursor
    parts: Sequence[Part]

    @property
    def build(self) -> str:
        """Return a name that no snapshot with other items has."""
        hashes = " ".join(part.sha256 for part in self.parts)
        return hashlib.sha256(f"{self.as_of} {hashes}".encode()).hexdigest()[:32]

    def as_wire(self) -> dict[str, Any]:
        """Return the shape on the wire."""
        place = {"epoch": self.as_of.epoch, "as_of": self.as_of.seq}
        return place | {"parts": [asdict(part) for part in self.parts]}


@dataclass
class PartsWriter:
    """Writes items into parts of bounded size."""

    folder: Path
    name: str
    _done: list[Part] = field(default_factory=list)
    _file: IO[bytes] | None = None
    _packed: gzip.GzipFile | None = None
    _count: int = 0
    _unpacked: int = 0

    def add(self, item: Item, *, is_end: bool) -> None:
        """Write an item as a line of its own."""
        if self._packed is None or self._file is None:
            path = self.folder / f"{self.name}-{len(self._done) + 1:04}"
            self._file = path.open("wb")
            self._packed = gzip.GzipFile("", "wb", 4, self._file, mtime=0)
            self._count, self._unpacked = 0, 0
        wire = item.as_wire() | ({"head": True} if is_end else {})
        line = json.dumps(wire, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._packed.write(line)
        self._count, self._unpacked = self._count + 1, self._unpacked + len(line)
        if self._file.tell() > FULL or self._unpacked > FULL_UNPACKED:
            self._close()

    def finish(self) -> list[Part]:
        """Return all parts, safely on disk."""
        self._close()
        return self._done

    def _close(self) -> None:
        if self._packed is None or self._file is None:
            return
        self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        path = Path(self._file.name)
        self._file.close()
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self._done.append(Part(path.name, sha256, path.stat().st_size, self._count))
        self._packed = self._file = None


def parse_snapshot(body: object) -> Snapshot:
    """Return what a peer says of its snapshot.

    :raises InvalidError: when it is anything else.
    """
    as_of, parts = parse_place(body), body.get("parts") if isinstance(body, Mapping) else None
    if not isinstance(parts, list) or len(parts) > MAX_PARTS:
        raise InvalidError("parts", f"not a list of at most {MAX_PARTS}")
    return Snapshot(as_of, [_parse_part(part) for part in parts])


def _parse_part(part: object) -> Part:
    if not isinstance(part, Mapping):
        raise InvalidError("parts", "a part is not an object")
    name, sha256 = str(part.get("name")), str(part.get("sha256"))
    size, count = part.get("size"), part.get("count")
    if not _NAME.match(name) or not _DIGEST.match(sha256):
        raise InvalidError("parts", "a part without a name or a hash")
    if type(size) is not int or type(count) is not int or not 0 < size <= MAX_PART or count < 0:
        raise InvalidError("parts", "a part without a size or a count, or too large")
    return Part(name, sha256, size, count)


def read(part: Part, data: bytes) -> Iterator[list[tuple[Item, bool]]]:
    """Yield the items of a part in batches, each with whether it is an end of a chain.

    The same bytes give the same batches.

    :raises InvalidError: for other bytes than the part's, for what is not gzip or more than a part
        may hold, for a line that is no item, and for another number of lines than was said.
    """
    if (hashlib.sha256(data).hexdigest(), len(data)) != (part.sha256, part.size):
        raise InvalidError("parts", "a part with another hash")
    batch: list[tuple[Item, bool]] = []
    size = count = 0
    for line in _lines(data):
        batch.append(_parse(line))
        size, count = size + len(line), count + 1
        if len(batch) == MAX_ITEMS or size > MAX_PAGE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
    if count != part.count:
        raise InvalidError("parts", "a part with another count")


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a part, never unpacking more than a part may hold."""
    left = MAX_UNPACKED
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
            while line := unpacked.readline(LONGEST_LINE + 1):
                left -= len(line)
                if len(line) > LONGEST_LINE or left < 0:
                    raise InvalidError("parts", "a part that is too large")
                yield line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidError("parts", "a part that is not gzip") from error


def _parse(line: bytes) -> tuple[Item, bool]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidError("items", "a line that is not JSON") from error
    return parse_item(value), value.get("head") is True
