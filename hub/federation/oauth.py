"""The token and registration endpoints: how a peer comes by the right to ask us anything.

Authlib runs the grant; who the client is, is judged here. Its own validator accepts several
audiences, assertions that hold for months and a `jti` that two requests use at once
(docs/adr/0007-client-assertions.md).
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

from authlib.oauth2 import AuthorizationServer, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import ClientCredentialsGrant, InvalidScopeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from flask import Blueprint, Response, request
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from hub import clock
from hub.config import Settings, of_this_node, settings
from hub.database import db, transaction
from hub.errors import HubError, InvalidError, problem
from hub.federation import registration, relay
from hub.federation.client import ASSERTION, ASSERTION_TYPE
from hub.federation.errors import InvitationError
from hub.identity.access import anyone
from hub.registry import keys, tokens
from hub.registry import service as registry
from hub.registry.models import Peer, PeerKind, UsedAssertion

LARGEST = 16 * 1024  # Bytes of a request.
LIFE = 600  # Seconds that an access token holds.
ASSERTION_LIFE = 300  # Most seconds that an assertion may hold.
AHEAD = 60  # Seconds that a client's clock may be ahead of ours.

METHOD = "private_key_jwt"
GRANT = "client_credentials"
SCOPES = {
    PeerKind.SUBSIDIARY: ("fed.read", "fed.publish", "fed.hint"),
    PeerKind.PARTNER: ("fed.read", "fed.hint"),
    PeerKind.HEADQUARTERS: ("fed.hint",),
}

blueprint = Blueprint("oauth", __name__)


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
class Client:
    """A peer in the role of an OAuth client."""

    caller: registry.Caller

    def check_grant_type(self, grant_type: str) -> bool:
        """Say whether the client may use this grant."""
        return grant_type == GRANT

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Say whether the client may prove itself in this way."""
        return method == METHOD


class PeerCredentialsGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """Client credentials, proved by a signed assertion and in no other way."""

    TOKEN_ENDPOINT_AUTH_METHODS = [METHOD]  # noqa: RUF012 - Authlib's declaration.


class Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server, on Flask, with nothing but what one grant needs."""

    def query_client(self, client_id: str) -> Client | None:
        """Return no client: only a verified assertion names one."""
        return None

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Keep nothing: membership is checked whenever the token is used."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Tell nobody; the blinker signals of Authlib are global."""

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        """Return the request as Authlib reads it, each parameter once.

        :raises InvalidError: for a parameter that comes twice (RFC 6749, section 3.2).
        """
        for name, values in request.form.lists():
            if len(values) > 1:
                raise InvalidError(name[:60], "given twice")
        # Whether plain http will do is decided by the node's origin, not by this request's URL.
        found = OAuth2Request(request.method, f"https://token{request.path}")
        found.payload = BasicOAuth2Payload(request.form.to_dict())
        return found

    def handle_response(
        self, status: int, body: dict[str, Any], headers: list[tuple[str, str]]
    ) -> Response:
        """Return the answer as Flask sends it."""
        return Response(json.dumps(body), status=status, headers=headers)


def _make_server(config: Settings) -> Server:
    server = Server()
    server.register_client_auth_method(METHOD, _authenticate)
    server.register_grant(PeerCredentialsGrant)
    server.register_token_generator(GRANT, _generate)
    return server


@blueprint.get("/.well-known/oauth-authorization-server")
@anyone
def metadata() -> dict[str, Any]:
    """Describe the endpoints (RFC 8414)."""
    issuer = settings().origin
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "registration_endpoint": f"{issuer}/oauth/register",
        "response_types_supported": [],
        "grant_types_supported": [GRANT],
        "token_endpoint_auth_methods_supported": [METHOD],
        "token_endpoint_auth_signing_alg_values_supported": [keys.TOKEN],
        "scopes_supported": sorted({name for names in SCOPES.values() for name in names}),
    }


@blueprint.post("/oauth/token")
@anyone
def token() -> Response:
    """Issue an access token to a peer that proves who it is."""
    request.max_content_length = LARGEST
    return cast(Response, of_this_node(_make_server).create_token_response(request))


@blueprint.post("/oauth/register")
@anyone
def register() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Let in the node that an invitation names (RFC 7591)."""
    request.max_content_length = LARGEST
    kind, _, code = request.headers.get("Authorization", "").partition(" ")
    body = _json_body()
    if kind.lower() != "bearer" or not registration.is_known(code):
        raise InvitationError
    with transaction():
        answer = registration.register(code, body)
    return answer, 201, {"Cache-Control": "no-store"}


@blueprint.errorhandler(HubError)
def show_error(error: HubError) -> Response:
    """Answer in the words of RFC 6749 and RFC 7591, and with our own stable code."""
    if isinstance(error, InvitationError):
        name = "invalid_token"
    else:
        name = "invalid_request" if request.endpoint == "oauth.token" else "invalid_client_metadata"
    text = _ascii(str(error))
    more = {"error": name, "error_description": text}
    response = problem(error.status, error.code, text, field=error.field, **more)
    response.headers["Cache-Control"] = "no-store"
    return response


def _authenticate(query_client: Any, asked: OAuth2Request) -> Client:
    """Return the client that an assertion proves, which nobody may use again."""
    form = asked.payload.data
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise ClientError("assertion_missing", "The request carries no client assertion.")
    found: list[Peer] = []

    def find_key(claims: dict[str, Any]) -> dict[str, Any] | None:
        peer = _peer_of(claims)
        if peer is None:
            return None
        found.append(peer)
        return peer.token_jwk

    try:
        assertion = tokens.verify(
            form.get("client_assertion"),
            typ={None, "JWT", ASSERTION},
            jwk=find_key,
            algorithm=keys.TOKEN,
        )
    except tokens.MalformedTokenError as error:
        raise ClientError("assertion", "The client assertion does not hold.") from error
    _check_claims(assertion.claims, form.get("client_id"))
    client = Client(_check_member(found[0]))
    with transaction():
        _claim(assertion.claims)
    asked.client = client
    return client


def _peer_of(claims: dict[str, Any]) -> Peer | None:
    client_id = claims.get("sub")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= 64:
        return None
    return db.session.scalar(select(Peer).where(Peer.client_id == client_id))


def _check_member(peer: Peer) -> registry.Caller:
    try:
        registry.check_live(peer)
    except HubError as error:
        raise ClientError(error.code, _ascii(str(error))) from error
    return registry.caller_of(peer)


def _check_claims(claims: dict[str, Any], client_id: str | None) -> None:
    """Let the claims of an assertion pass that was made by the client, for us, just now.

    :raises ClientError: for any other; times are refused with the code `clock`.
    """
    if claims.get("iss") != claims["sub"] or client_id not in {None, claims["sub"]}:
        raise ClientError("assertion", "iss, sub and client_id differ.")
    if claims.get("aud") != settings().origin:
        raise ClientError("audience", f"aud must be one text: {settings().origin}")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 128:
        raise ClientError("assertion", "jti must be a text of at most 128 characters.")
    now, issued, ends = clock.timestamp(), claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(ends) is not int:
        raise ClientError("assertion", "iat and exp must be whole numbers.")
    if issued > now + AHEAD or ends <= now:
        text = f"Issued at {issued}, ends at {ends}, and it is {now} here: compare the clocks."
        raise ClientError("clock", text)
    if ends > now + ASSERTION_LIFE or ends - issued > ASSERTION_LIFE:
        raise ClientError("assertion", f"The assertion holds longer than {ASSERTION_LIFE} s.")


def _claim(claims: dict[str, Any]) -> None:
    """Use an assertion up. One INSERT decides: whoever looks first and writes then, races."""
    name = f"{claims['sub']} {claims['jti']}"
    ends = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=AHEAD)
    db.session.execute(delete(UsedAssertion).where(UsedAssertion.expires_at < clock.now()))
    jti = hashlib.sha256(name.encode()).hexdigest()
    try:
        db.session.execute(insert(UsedAssertion).values(jti=jti, expires_at=ends))
    except IntegrityError as error:
        raise ClientError("assertion_used", "This assertion was used before.") from error


def _generate(
    grant_type: str, client: Client, scope: str | None = None, **ignored: Any
) -> dict[str, Any]:
    """Return the token response: what was asked, reduced to what this kind of peer may do."""
    allowed = SCOPES[client.caller.kind]
    asked = scope.split() if scope else allowed
    granted = " ".join(name for name in allowed if name in asked)
    if not granted:
        raise InvalidScopeError
    return {
        "token_type": "Bearer",
        "access_token": _access_token(client.caller, granted),
        "expires_in": LIFE,
        "scope": granted,
    }


def _access_token(caller: registry.Caller, scope: str) -> str:
    """Return an access token (RFC 9068). It proves who asks; the database says if they may."""
    now, origin = clock.timestamp(), settings().origin
    claims = {
        "iss": origin,
        "aud": origin,
        "sub": caller.client_id,
        "client_id": caller.client_id,
        "iat": now,
        "exp": now + LIFE,
        "jti": str(uuid4()),
        "scope": scope,
        "channels": relay.granted_channels(caller),
    }
    return tokens.sign(claims, tokens.ACCESS_TOKEN)


def _json_body() -> dict[str, Any]:
    if not request.is_json:
        raise InvalidError("Content-Type", "application/json")
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise InvalidError("body", "not JSON") from error
    if not isinstance(body, dict):
        raise InvalidError("body", "not an object")
    return body


def _ascii(text: str) -> str:
    """Return the text in the characters that RFC 6749 allows in a description."""
    kept = text.translate(str.maketrans('“”"\\', "''''"))
    return "".join(c if " " <= c <= "~" else "?" for c in kept)
