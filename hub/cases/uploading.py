"""A file on its way from a browser or program into a case."""

from collections.abc import Iterator
from uuid import UUID

from werkzeug.datastructures import FileStorage

from hub.cases import service
from hub.cases.models import Case
from hub.config import settings
from hub.database import transaction
from hub.identity.models import Actor
from hub.journal.attachments import Attachment
from hub.media import kinds
from hub.media import service as media
from hub.media.errors import EmptyFileError


def upload(
    actor: Actor, case_id: UUID, sent: FileStorage | None, version: int | None = None
) -> Case:
    """Attach what was sent; opens its own transactions, and none while it reads the bytes.

    :raises HubError: as `service.attach`, and when the file is too large, empty, or of a kind that
        may not be attached.
    """
    with transaction():
        service.check_attachable(actor, case_id, version=version)
    if sent is None:
        raise EmptyFileError
    with media.receive(_parts(sent), most=settings().largest_attachment) as received:
        name = sent.filename or ""
        kind = kinds.kind_of(received.path, name)
        file = Attachment(
            received.sha256, received.size, kinds.KINDS[kind], kinds.clean_name(name, kind)
        )
        with media.adding():
            media.put(received)
            with transaction():
                return service.attach(actor, case_id, received, file, version=version)


def _parts(sent: FileStorage) -> Iterator[bytes]:
    while part := sent.stream.read(media.PART):
        yield part
