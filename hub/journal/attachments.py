"""Files that entries name: by the hash of their bytes, so that a signature covers them too."""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, exists, select

from hub.database import db, insert_missing
from hub.journal.models import PUT, Entry, EntryFile, Live

MOST = 50  # Files of one entry that are looked at.
LONGEST = {"type": 100, "name": 200}  # Characters.

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Attachment:
    """A file as its entry names it (docs/federation.md, Files)."""

    sha256: str
    size: int
    type: str
    name: str

    def as_wire(self) -> dict[str, Any]:
        """Return it as it stands in an entry."""
        return asdict(self)


def is_sha256(text: object) -> bool:
    """Say whether this is a hash in its one spelling."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def attachments_of(document: dict[str, Any]) -> list[Attachment]:
    """Return the files that an entry names, each once; what is not well formed is left out.

    Another node signed it, perhaps a newer or a careless one.
    """
    named = document.get("attachments")
    found: dict[str, Attachment] = {}
    for row in named[:MOST] if isinstance(named, list) else ():
        if _is_well_formed(row):
            file = Attachment(row["sha256"], row["size"], row["type"], row["name"])
            found.setdefault(file.sha256, file)
    return list(found.values())


def keep_names(documents: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Note which files these entries name: digest and document of each."""
    rows = [
        {"digest": digest, "sha256": file.sha256, "size": file.size}
        for digest, document in documents
        for file in attachments_of(document)
    ]
    insert_missing(EntryFile, rows)


def live(names: Collection[str]) -> set[str]:
    """Return those of these files that a live entry names, in whatever channel."""
    statement = (
        select(EntryFile.sha256)
        .join(Live, Live.entry_digest == EntryFile.digest)
        .where(EntryFile.sha256.in_(names), Live.op == PUT)
    )
    return set(db.session.scalars(statement))


def forget_names() -> None:
    """Forget which files the entries named whose text is gone, in the caller's transaction."""
    stands = exists().where(Entry.digest == EntryFile.digest, Entry.payload.is_not(None))
    statement = delete(EntryFile).where(~stands)
    db.session.execute(statement.execution_options(synchronize_session=False))


def _is_well_formed(row: object) -> bool:
    if not isinstance(row, dict) or not is_sha256(row.get("sha256")):
        return False
    size = row.get("size")
    if type(size) is not int or size < 1:
        return False
    return all(
        isinstance(row.get(name), str) and 0 < len(row[name]) <= most and row[name].isprintable()
        for name, most in LONGEST.items()
    )
