"""What stands in the files of a document, for its index."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from hub.database import db
from hub.search import analysis
from hub.search.models import FileText

MOST = 500_000  # Characters of the files of one document that it is found by.


def tokens_of(attachments: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tokens of the field `files`: of their names, and of the texts that are known."""
    if not attachments:
        return {}
    names = "\n".join(str(row["name"]) for row in attachments)
    parts = [names, *_texts([row["sha256"] for row in attachments])]
    return {"files": analysis.tokens("\n".join(parts)).text}


def _texts(names: Sequence[str]) -> Iterable[str]:
    """Yield the texts of some files in their order, as far as all of them together may go."""
    rows = db.session.execute(
        select(FileText.sha256, FileText.text).where(FileText.sha256.in_(names))
    )
    found = {row.sha256: row.text for row in rows}
    left = MOST
    for name in names:
        text = found.get(name, "")[:left]
        left -= len(text)
        yield text
