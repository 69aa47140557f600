"""Files in answers: never shown in our pages' name, always handed over to be saved."""

from typing import Any
from urllib.parse import quote

from flask import Response, redirect, request, send_file

from hub.media.kinds import shown_type
from hub.media.stores import store


def send(sha256: str, name: str, claimed: str, *, is_ours: bool = False) -> Response:
    """Answer with a file that is held here, or with an address that serves it for a minute.

    Parts of it can be asked for (RFC 9110, section 14), and whether it changed.

    :param claimed: the type that its entry says; see `kinds.shown_type`.
    :param is_ours: serve it ourselves wherever it lies, as a page may load nothing from elsewhere.
    """
    kind, held = shown_type(claimed), store()
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Content-Type": kind, "Content-Disposition": disposition}
    elsewhere = None if is_ours else held.address(sha256, headers)
    if elsewhere:
        response: Any = redirect(elsewhere, 302)
    else:
        file = held.path(sha256) or held.open(sha256)
        response = send_file(
            file, kind, as_attachment=True, download_name=name, conditional=True, etag=sha256
        )
        del response.headers["Cache-Control"]  # It is for who asked only, as all other answers.
    # Beside the policy of pages: browsers obey all that they are given.
    response.headers.add("Content-Security-Policy", "sandbox")
    found: Response = response
    return found


def parts_of(length: int = 256 * 1024) -> Any:
    """Yield the body of a request as it arrives."""
    while part := request.stream.read(length):
        yield part
