"""Documents with files, straight through the journal."""

from hashlib import sha256
from uuid import uuid4

from hub.cases import service as cases
from hub.database import transaction
from hub.journal import log
from hub.journal.attachments import Attachment
from hub.journal.log import Publication
from hub.media import service as media
from tests.search.files.made import TYPES
from tests.search.published import CHANNELS


def hold(content: bytes) -> str:
    """Have the bytes of a file here, as if they had been uploaded or fetched."""
    media.take([content], most=len(content), check=lambda received: None)
    return sha256(content).hexdigest()


def publish_with(
    title: str,
    *files: tuple[str, bytes],
    visibility: str = "public",
    entry_id: str = "",
    rev: int = 1,
) -> str:
    """Publish a document with files, by name and content, and return its entry's id."""
    entry_id = entry_id or str(uuid4())
    named = [
        Attachment(sha256(content).hexdigest(), len(content), TYPES[name.rpartition(".")[2]], name)
        for name, content in files
    ]
    publication = Publication(
        type="case",
        entry_id=entry_id,
        rev=rev,
        title=title,
        body="",
        fields={"summary": "一句话结果。", "submitting_unit": "示范第一党支部"},
        channels=CHANNELS[visibility],
        attachments=named,
    )
    with transaction():
        cases.receive(log.publish_all([publication]))
    return entry_id
