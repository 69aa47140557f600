"""Proofs of possession (RFC 9449): an access token alone opens nothing to a partner enterprise.

Whoever asks signs each request with a key; the token names that key (`cnf.jkt`). A token that
leaks on the way, in a log or at a proxy, is of no use to whoever finds it.
"""

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from joserfc.util import urlsafe_b64encode

from hub import clock
from hub.config import settings
from hub.registry import claims, tokens
from hub.registry.errors import ProofOfPossessionError

PROOF = "dpop+jwt"
SCHEME = "dpop"  # Of the Authorization header, in lowercase.
APART = 60  # Seconds by which a proof may be older or newer than our clock says.


@dataclass(frozen=True)
class Request:
    """What a request shows of its sender, for the guard to judge."""

    method: str
    path: str  # As decoded, without the query.
    authorization: str | None = None
    proof: str | None = None  # The DPoP header.


@dataclass(frozen=True)
class Proof:
    """A proof that holds for the request that it came with, and was perhaps used before."""

    thumbprint: str
    jti: str
    issued_at: int


def prove(method: str, url: str, access_token: str | None = None) -> str:
    """Return a proof for one request, made with this node's token key.

    :param url: without query and fragment.
    :param access_token: the token that the request carries, if any.
    """
    told = {"jti": str(uuid4()), "htm": method, "htu": url, "iat": clock.timestamp()}
    if access_token is not None:
        told["ath"] = hash_of(access_token)
    return tokens.sign_showing_key(told, PROOF)


def hash_of(access_token: str) -> str:
    """Return the name of an access token in a proof (RFC 9449, section 4.2, `ath`)."""
    return urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).decode()


def verify(request: Request, *, access_token: str | None = None) -> Proof:
    """Check the proof of a request as RFC 9449, section 4.3 lists it; `claim` it afterwards.

    :param access_token: the token that the request carries, for which the proof must be made.
    :raises ProofOfPossessionError: when it is missing, or anything at all is wrong with it.
    """
    if request.proof is None:
        raise ProofOfPossessionError("missing")
    try:
        token, thumbprint = tokens.verify_shown(request.proof, typ=PROOF)
    except tokens.MalformedTokenError as error:
        raise ProofOfPossessionError(str(error)) from error
    told = token.claims
    _check_request(told, request)
    jti, issued = told.get("jti"), told.get("iat")
    if not isinstance(jti, str) or not 0 < len(jti) <= 128:
        raise ProofOfPossessionError("jti must be a text of at most 128 characters")
    if type(issued) is not int or abs(issued - clock.timestamp()) > APART:
        raise ProofOfPossessionError(f"iat is not within {APART} s of our clock")
    if access_token is not None and told.get("ath") != hash_of(access_token):
        raise ProofOfPossessionError("made for another access token")
    return Proof(thumbprint, jti, issued)


def claim(proof: Proof) -> None:
    """Use a proof up. The caller owns the transaction.

    :raises ProofOfPossessionError: when it was used before.
    """
    name = f"{PROOF} {proof.thumbprint} {proof.jti}"
    if not claims.claim(name, until=proof.issued_at + 2 * APART):
        raise ProofOfPossessionError("used before")


def _check_request(told: dict[str, Any], request: Request) -> None:
    """Let a proof pass that was made for this method at this address of ours."""
    if told.get("htm") != request.method:
        raise ProofOfPossessionError("made for another method")
    try:
        url = urlsplit(told["htu"]) if isinstance(told.get("htu"), str) else None
    except ValueError:
        url = None
    if url is None or f"{url.scheme}://{url.netloc}" != settings().origin:
        raise ProofOfPossessionError("made for another node")
    if unquote(url.path) != request.path:
        raise ProofOfPossessionError("made for another address")
