"""What two nodes sign for each other when they join: proofs of keys, and entity statements.

The statements have the shape of OpenID Federation 1.0 (section 3): a headquarters makes one about
itself, and one about each node that it lets in; no chain is longer than that.
"""

import hashlib
from typing import Any

from hub import clock
from hub.config import settings
from hub.federation.errors import ClockError, MalformedError, ProofError
from hub.journal.signing import STATEMENT, NodeKeys, Signed, node_keys, signing_input
from hub.registry import keys, tokens, trust
from hub.registry.addresses import is_slug
from hub.registry.errors import MalformedKeyError

PROOF = "jw-join-proof+jws"
LIFE = 24 * 3600  # Seconds that a statement holds: as long as an invitation.
APART = 300  # Seconds by which two clocks may differ.


def code_digest(code: str) -> str:
    """Return the name under which an invitation is kept: SHA-256 of its code, in hex."""
    return hashlib.sha256(code.encode()).hexdigest()


def own_jwks(signing: NodeKeys | None = None) -> dict[str, Any]:
    """Return this node's public keys, the signing key first.

    :param signing: the key that shall be shown instead of the one in force.
    """
    return {"keys": [(signing or node_keys()).signing_jwk, keys.own_token_jwk()]}


def former_jwks() -> list[dict[str, Any]]:
    """Return the public keys with which this node signed before: whoever joins now reads it all."""
    own = node_keys().fingerprint
    known = trust.keys_of(settings().origin)
    return [key.jwk for key in known if key.kid != own and not trust.is_early(key)]


def read_former(about: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the keys with which a headquarters signed before, as it says of itself.

    :raises MalformedKeyError: when they are anything else.
    """
    found = about.get("former", [])
    if not isinstance(found, list) or len(found) > trust.MOST_KEYS:
        raise MalformedKeyError
    return [keys.signing_jwk(jwk) for jwk in found]


def read_jwks(jwks: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the signing key and the token key of a node that shows exactly these two.

    :raises MalformedKeyError: for anything else.
    """
    found = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(found, list) or len(found) != 2:
        raise MalformedKeyError
    return keys.signing_jwk(found[0]), keys.token_jwk(found[1])


def prove(code: str, audience: str, signing: NodeKeys | None = None) -> dict[str, str]:
    """Return the proof, by both our keys, that we hold them and were given the code."""
    own = signing or node_keys()
    claims = {
        "aud": audience,
        "code": code_digest(code),
        "iat": clock.timestamp(),
        "keys": [own.fingerprint, keys.own_token_jwk()["kid"]],
        "node": settings().origin,
    }
    signed = own.sign(claims, PROOF)
    return {"signing": compact(signed), "token": tokens.sign(claims, PROOF)}


def check_proof(
    proof: object, code: str, node: str, signing: dict[str, Any], token: dict[str, Any]
) -> None:
    """Let a proof pass that was made by both keys, for us, for this code, and just now.

    :raises ProofError: for any other.
    """
    expected = {
        "aud": settings().origin,
        "code": code_digest(code),
        "keys": [signing["kid"], token["kid"]],
        "node": node,
    }
    for name, jwk in (("signing", signing), ("token", token)):
        text = proof.get(name) if isinstance(proof, dict) else None
        claims = verified(text, jwk, PROOF)
        iat = claims.pop("iat", None)
        if claims != expected or not isinstance(iat, int):
            raise ProofError("made for something else")
        if abs(iat - clock.timestamp()) > APART:
            raise ClockError


def verified(text: object, jwk: dict[str, Any], typ: str) -> dict[str, Any]:
    """Return what a proof says that a key made.

    :raises ProofError: when it did not.
    """
    try:
        found = tokens.verify(text, typ={typ}, jwk=lambda _: jwk, algorithm=jwk["alg"])
    except tokens.MalformedTokenError as error:
        raise ProofError(str(error)) from error
    return found.claims


def state(
    subject: str, *, name: str, enterprise: str, role: str, jwks: dict[str, Any], **more: Any
) -> str:
    """Return a signed entity statement of ours about a node (about ourselves too)."""
    now, issuer = clock.timestamp(), settings().origin
    claims = {
        "iss": issuer,
        "sub": subject,
        "iat": now,
        "exp": now + LIFE,
        "jwks": jwks,
        "metadata": {"jingwei_node": {"name": name, "enterprise": enterprise, "role": role} | more},
        "authority_hints": [issuer],
    }
    return compact(node_keys().sign(claims, STATEMENT))


def read_own_statement(
    text: object, *, issuer: str, fingerprint: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a headquarters says of itself, and its keys as `{"keys": […]}`.

    :param fingerprint: thumbprint of its signing key, which came by way of a person.
    :raises MalformedError: when the statement was not made with that key, or is no such statement.
    """

    def find_key(claims: dict[str, Any]) -> dict[str, Any] | None:
        jwk = read_jwks(claims.get("jwks"))[0]
        return jwk if jwk["kid"] == fingerprint else None

    return _read(text, issuer, issuer, find_key)


def read_statement(
    text: object, *, issuer: str, subject: str, jwk: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a headquarters, whose key is known, says of another node; see above."""
    return _read(text, issuer, subject, lambda _: jwk)


def _read(
    text: object, issuer: str, subject: str, find_key: tokens.FindKey
) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        found = tokens.verify(text, typ={STATEMENT}, jwk=find_key, algorithm=keys.SIGNING)
    except tokens.MalformedTokenError as error:
        raise MalformedError(issuer, f"its statement: {error}") from error
    claims = found.claims
    if claims.get("iss") != issuer or claims.get("sub") != subject:
        raise MalformedError(issuer, "a statement about another node")
    if not isinstance(claims.get("exp"), int) or claims["exp"] < clock.timestamp() - APART:
        raise MalformedError(issuer, "a statement that is over; compare the clocks")
    metadata = claims.get("metadata")
    about = metadata.get("jingwei_node") if isinstance(metadata, dict) else None
    if not isinstance(about, dict) or not is_slug(about.get("enterprise")):
        raise MalformedError(issuer, "a statement that does not say who it is about")
    if not isinstance(about.get("name"), str) or not 0 < len(about["name"]) <= 200:
        raise MalformedError(issuer, "a statement without a name")
    return about, claims["jwks"]


def compact(signed: Signed) -> str:
    """Return a signed object as one text (RFC 7515, section 7.1)."""
    return f"{signing_input(signed.header, signed.payload).decode()}.{signed.signature}"
