"""Client assertions (RFC 7523): the one proof that a peer is who it says.

Authlib's own validator accepts several audiences, assertions that hold for months and a `jti` that
two requests use at once (docs/adr/0007-client-assertions.md).
"""

from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error
from sqlalchemy import select

from hub import clock
from hub.config import settings
from hub.database import db
from hub.errors import HubError
from hub.federation.client import ASSERTION
from hub.registry import claims, keys, tokens
from hub.registry import service as registry
from hub.registry.models import Peer

LONGEST = 300  # Most seconds that an assertion may hold.
AHEAD = 60  # Seconds that a client's clock may be ahead of ours.


class ClientError(OAuth2Error):  # type: ignore[misc]
    """The client did not prove who it is; `code` says what was wrong, for its administrator."""

    error = "invalid_client"
    status_code = 401

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description=description)
        self.code = code

    def get_body(self) -> list[tuple[str, str]]:
        """Return the members of the answer (RFC 6749, section 5.2), and our code."""
        return [*super().get_body(), ("code", self.code)]


@dataclass(frozen=True)
class Assertion:
    """A verified assertion and the peer that made it."""

    claims: dict[str, Any]
    caller: registry.Caller


def verify(text: object, client_id: str | None) -> Assertion:
    """Return what an assertion says and whose it is.

    :param client_id: as the request names it, if it does.
    :raises ClientError: when the assertion does not hold, or its peer may not come in now.
    """
    found: list[Peer] = []

    def find_key(told: dict[str, Any]) -> dict[str, Any] | None:
        peer = _peer_of(told)
        if peer is None:
            return None
        found.append(peer)
        return peer.token_jwk

    try:
        token = tokens.verify(
            text, typ={None, "JWT", ASSERTION}, jwk=find_key, algorithm=keys.TOKEN
        )
    except tokens.MalformedTokenError as error:
        raise ClientError("assertion", "The client assertion does not hold.") from error
    _check_claims(token.claims, client_id)
    try:
        registry.check_live(found[0], even_closed=True)  # To be told so.
    except HubError as error:
        raise ClientError(error.code, ascii_of(str(error))) from error
    return Assertion(token.claims, registry.caller_of(found[0]))


def claim(assertion: Assertion) -> None:
    """Use an assertion up. The caller owns the transaction.

    :raises ClientError: when it was used before.
    """
    told = assertion.claims
    if not claims.claim(f"{told['sub']} {told['jti']}", until=told["exp"] + AHEAD):
        raise ClientError("assertion_used", "This assertion was used before.")


def _peer_of(told: dict[str, Any]) -> Peer | None:
    client_id = told.get("sub")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= 64:
        return None
    return db.session.scalar(select(Peer).where(Peer.client_id == client_id))


def _check_claims(told: dict[str, Any], client_id: str | None) -> None:
    """Let the claims of an assertion pass that was made by the client, for us, just now."""
    if told.get("iss") != told["sub"] or client_id not in {None, told["sub"]}:
        raise ClientError("assertion", "iss, sub and client_id differ.")
    if told.get("aud") != settings().origin:
        raise ClientError("audience", f"aud must be one text: {settings().origin}")
    jti = told.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 128:
        raise ClientError("assertion", "jti must be a text of at most 128 characters.")
    now, issued, ends = clock.timestamp(), told.get("iat"), told.get("exp")
    if type(issued) is not int or type(ends) is not int:
        raise ClientError("assertion", "iat and exp must be whole numbers.")
    if issued > now + AHEAD or ends <= now:
        text = f"Issued at {issued}, ends at {ends}, and it is {now} here: compare the clocks."
        raise ClientError("clock", text)
    if ends > now + LONGEST or ends - issued > LONGEST:
        raise ClientError("assertion", f"The assertion holds longer than {LONGEST} s.")


def ascii_of(text: str) -> str:
    """Return the text in the characters that RFC 6749 allows in a description."""
    kept = text.translate(str.maketrans('“”"\\', "''''"))
    return "".join(c if " " <= c <= "~" else "?" for c in kept)
