"""The token and registration endpoints: how a peer comes by the right to ask us anything.

Authlib runs the grant; who the client is, `assertions` judges (docs/adr/0007-client-assertions.md).
"""

import json
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from authlib.oauth2 import AuthorizationServer, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import ClientCredentialsGrant, InvalidScopeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from flask import Blueprint, Response, request

from hub import clock
from hub.application import parse
from hub.config import Settings, of_this_node, settings
from hub.database import transaction
from hub.errors import HubError, InvalidError, problem
from hub.federation import assertions, registration
from hub.federation.assertions import ClientError, ascii_of
from hub.federation.client import ASSERTION_TYPE
from hub.federation.errors import InvitationError
from hub.identity.access import anyone
from hub.journal.granting import granted_channels
from hub.registry import dpop, keys, tokens
from hub.registry import service as registry
from hub.registry.errors import ProofOfPossessionError
from hub.registry.models import PeerKind

LARGEST = 16 * 1024  # Bytes of a request.
LIFE = 600  # Seconds that an access token holds.

METHOD = "private_key_jwt"
GRANT = "client_credentials"
SCOPES = {
    PeerKind.SUBSIDIARY: (
        "fed.read",
        "fed.publish",
        "fed.blob",
        "fed.feedback",
        "fed.hint",
        "fed.receipts",
    ),
    PeerKind.PARTNER: ("fed.read", "fed.blob", "fed.feedback", "fed.hint"),
    PeerKind.SIBLING: ("fed.read", "fed.blob", "fed.hint"),
    PeerKind.HEADQUARTERS: ("fed.hint",),
}

blueprint = Blueprint("oauth", __name__)


@dataclass(frozen=True)
class Client:
    """A peer in the role of an OAuth client."""

    caller: registry.Caller
    thumbprint: str | None  # Of the key that it proved to hold, to which its token is bound.

    def check_grant_type(self, grant_type: str) -> bool:
        """Say whether the client may use this grant."""
        return grant_type == GRANT

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Say whether the client may prove itself in this way."""
        return method == METHOD


class DpopError(OAuth2Error):  # type: ignore[misc]
    """The proof of possession of a token request does not hold (RFC 9449, section 5)."""

    error = ProofOfPossessionError.code

    def __init__(self, error: ProofOfPossessionError) -> None:
        super().__init__(description=ascii_of(str(error)))

    def get_body(self) -> list[tuple[str, str]]:
        """Return the members of the answer (RFC 6749, section 5.2), and our code."""
        return [*super().get_body(), ("code", self.error)]


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
        "dpop_signing_alg_values_supported": [keys.TOKEN],
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
    text = ascii_of(str(error))
    more = {"error": name, "error_description": text}
    response = problem(error.status, error.code, text, field=error.field, **more)
    response.headers["Cache-Control"] = "no-store"
    return response


def _authenticate(query_client: Any, asked: OAuth2Request) -> Client:
    """Return the client that an assertion proves; Authlib asks for this by its signature."""
    form = asked.payload.data
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise ClientError("assertion_missing", "The request carries no client assertion.")
    assertion = assertions.verify(form.get("client_assertion"), form.get("client_id"))
    proof = _proof_of(assertion.caller)
    with transaction():
        assertions.claim(assertion)
        if proof is not None:
            _claim(proof)
    client = Client(assertion.caller, proof.thumbprint if proof else None)
    asked.client = client
    return client


def _proof_of(caller: registry.Caller) -> dpop.Proof | None:
    """Return the proof (RFC 9449) that a request came with; a partner's must."""
    shown = request.headers.get("DPoP")
    if shown is None and caller.kind != PeerKind.PARTNER:
        return None
    try:
        return dpop.verify(dpop.Request(request.method, request.path, proof=shown))
    except ProofOfPossessionError as error:
        raise DpopError(error) from error


def _claim(proof: dpop.Proof) -> None:
    try:
        dpop.claim(proof)
    except ProofOfPossessionError as error:
        raise DpopError(error) from error


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
        "token_type": "DPoP" if client.thumbprint else "Bearer",
        "access_token": _access_token(client, granted),
        "expires_in": LIFE,
        "scope": granted,
    }


def _access_token(client: Client, scope: str) -> str:
    """Return an access token (RFC 9068). It proves who asks; the database says if they may."""
    caller, now, origin = client.caller, clock.timestamp(), settings().origin
    bound = {"cnf": {"jkt": client.thumbprint}} if client.thumbprint else {}
    claims = {
        "iss": origin,
        "aud": origin,
        "sub": caller.client_id,
        "client_id": caller.client_id,
        "iat": now,
        "exp": now + LIFE,
        "jti": str(uuid4()),
        "scope": scope,
        "channels": granted_channels(caller),
    }
    return tokens.sign(claims | bound, tokens.ACCESS_TOKEN)


def _json_body() -> dict[str, Any]:
    if not request.is_json:
        raise InvalidError("Content-Type", "application/json")
    try:
        body = parse(request.get_data())
    except ValueError as error:
        raise InvalidError("body", "not JSON") from error
    if not isinstance(body, dict):
        raise InvalidError("body", "not an object")
    return body
