"""A file on its way from a browser or program into a case."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from uuid import UUID

from werkzeug.datastructures import FileStorage

from hub.cases import service
from hub.cases.models import Case
from hub.config import settings
from hub.database import transaction
from hub.identity.models import Actor
from hub.journal.attachments import Attachment
from hub.media import kinds, pictures
from hub.media import service as media
from hub.media.errors import EmptyFileError, InfectedError
from hub.media.service import Received


def upload(
    actor: Actor, case_id: UUID, sent: FileStorage | None, version: int | None = None
) -> Case:
    """Attach what was sent; opens its own transactions, and none while it reads the bytes.

    :raises HubError: as `service.attach`, and when the file is too large, empty, infected, of a
        kind that may not be attached, or a picture that can't be opened.
    """
    if sent is None:
        raise EmptyFileError
    try:
        with closing(sent):
            return _take(actor, case_id, sent, version)
    except InfectedError as error:
        with transaction():
            service.record_infected(actor, error.values["found"], case_id)
        raise


def _take(actor: Actor, case_id: UUID, sent: FileStorage, version: int | None) -> Case:
    with transaction():
        service.check_attachable(actor, case_id, version=version)
    with ready(parts_of(sent), sent.filename or "") as (received, file):
        with transaction():
            service.check_attachable(actor, case_id, received, version=version)
        with media.adding():
            media.put(received)
            with transaction():
                return service.attach(actor, case_id, received, file, version=version)


@contextmanager
def ready(parts: Iterable[bytes], name: str) -> Iterator[tuple[Received, Attachment]]:
    """Take in what is called so, and say what it is; a picture is drawn anew.

    :raises HubError: as `media.receive`, `described` and `pictures.redrawn`.
    """
    with media.receive(parts, most=settings().largest_attachment) as received:
        file = described(received, name)
        if not kinds.is_picture(file.type):
            yield received, file
            return
        with pictures.redrawn(received, file.type) as drawn:
            yield drawn, described(drawn, name)


def described(received: Received, name: str) -> Attachment:
    """Return what is kept of a file that is called so.

    :raises UnknownKindError: when it is of a kind that may not be attached.
    """
    kind = kinds.kind_of(received.path, name)
    called = kinds.clean_name(name, kind)
    return Attachment(received.sha256, received.size, kinds.KINDS[kind], called)


def parts_of(sent: FileStorage) -> Iterator[bytes]:
    """Yield the bytes of what was sent as they come."""
    while part := sent.stream.read(media.PART):
        yield part
