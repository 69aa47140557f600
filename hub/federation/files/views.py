"""The addresses of files: for peers, for readers of a case, and for their programs."""

from uuid import UUID

from flask import Blueprint, Response, g, request

from hub.api import Blueprint as ApiBlueprint
from hub.cases import service as cases
from hub.errors import NotFoundError
from hub.federation.files import fetching, granting
from hub.federation.files.errors import UnavailableError
from hub.federation.files.granting import Named
from hub.identity.access import anyone, scope
from hub.identity.models import Scope
from hub.identity.service import audiences
from hub.media import service as media
from hub.media.errors import OtherSizeError
from hub.media.kinds import PLAIN, is_picture
from hub.media.serving import parts_of, send
from hub.registry import access

blueprint = Blueprint("files", __name__)
programs = ApiBlueprint("files_api", __name__, url_prefix="/api/v1", description="Files of cases")


@blueprint.get("/fed/v1/blobs/<sha256>")
@access.peer("fed.blob")
def give(sha256: str) -> Response:
    """Hand a peer a file that a live release in a channel open to it names."""
    named = granting.readable(g.peer, request.args.get("via", ""), sha256)
    if request.method == "HEAD" and not media.held([sha256]):
        raise UnavailableError  # Who only asks starts no fetch.
    fetching.obtain(named)
    return send(sha256, sha256, PLAIN)


@blueprint.put("/fed/v1/blobs/<sha256>")
@access.peer("fed.publish")
def take(sha256: str) -> Response:
    """Take in a file that a live release of the caller names; sent again it changes nothing."""
    named = granting.published_by(g.peer, request.args.get("via", ""), sha256)
    if request.content_length != named.size:
        raise OtherSizeError
    request.max_content_length = named.size + 1  # Whoever asks for more at the very limit gets 413.
    media.take(parts_of(), most=named.size, check=named.check)
    return Response(status=204)


@blueprint.get("/cases/<uuid:case_id>/files/<sha256>")
@anyone
def download(case_id: UUID, sha256: str) -> Response:
    """Hand a file to whoever may read its case."""
    document, file = cases.published_file(case_id, sha256, audiences(g.actor))
    fetching.obtain(Named(file.sha256, file.size, document.digest))
    return send(file.sha256, file.name, file.type)


@blueprint.get("/cases/<uuid:case_id>/pictures/<sha256>")
@anyone
def picture(case_id: UUID, sha256: str) -> Response:
    """Hand the page of a case one of its pictures."""
    document, file = cases.published_file(case_id, sha256, audiences(g.actor))
    if not is_picture(file.type):
        raise NotFoundError
    fetching.obtain(Named(file.sha256, file.size, document.digest))
    return send(file.sha256, file.name, file.type, is_ours=True)


@programs.get("/files/<sha256>")
@scope(Scope.READ)
@programs.response(200, content_type=PLAIN)
def file(sha256: str) -> Response:
    """Hand over a file of any published case that the caller may read."""
    document, found = cases.readable_file(sha256, audiences(g.actor))
    fetching.obtain(Named(found.sha256, found.size, document.digest))
    return send(found.sha256, found.name, found.type)


@programs.get("/cases/<uuid:case_id>/files/<sha256>")
@scope(Scope.READ)
@programs.response(200, content_type=PLAIN)
def attachment(case_id: UUID, sha256: str) -> Response:
    """Hand over a file of a published case, or of one at work to those who see that."""
    try:
        found = cases.file_at_work(case_id, sha256, g.actor)
    except NotFoundError:
        return download(case_id, sha256)
    return send(found.sha256, found.name, found.type)
