"""Compact signed tokens (RFC 7515, 7519), read in the one way that leaves nothing to the sender.

The algorithm and the kind of token are the reader's choice, keys come from the registry only, and
the text has a single spelling: Python's base64 decoder skips foreign characters, so a token with
`!!!!` at its end would pass for the genuine one.
"""

import binascii
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from hub.registry import keys
from hub.registry.errors import MalformedKeyError

LONGEST = 8 * 1024  # Characters of a token; entity statements are the longest.
ACCESS_TOKEN = "at+jwt"  # noqa: S105 - RFC 9068.

_COMPACT = re.compile(r"[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{1,7000}\.[A-Za-z0-9_-]{86}")
_ALLOWED = {"alg", "typ", "kid"}  # No jwk, jku, x5u, x5c, crit, b64, …
_SHOWN = {"alg", "typ", "jwk"}  # Of a token that shows its own key, and names no other.

FindKey = Callable[[dict[str, Any]], dict[str, Any] | None]  # From claims to a public JWK.


class MalformedTokenError(ValueError):
    """A token can't be read, or its signature does not hold."""


@dataclass(frozen=True)
class Token:
    """What a token says; nothing of it is true before its signature was checked."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]


def sign(claims: dict[str, Any], typ: str) -> str:
    """Return a compact token signed with this node's token key (ES256)."""
    return _sign(claims, {"typ": typ, "kid": keys.token_key().thumbprint()})


def sign_showing_key(claims: dict[str, Any], typ: str) -> str:
    """Return a compact token as `sign` makes it, whose header shows the key instead of its name."""
    return _sign(claims, {"typ": typ, "jwk": keys.bare(keys.own_token_jwk())})


def _sign(claims: dict[str, Any], header: dict[str, Any]) -> str:
    header = {"alg": keys.TOKEN} | header
    return jws.serialize_compact(
        header, json.dumps(claims), keys.token_key(), algorithms=[keys.TOKEN]
    )


def verify(token: object, *, typ: Collection[str | None], jwk: FindKey, algorithm: str) -> Token:
    """Check a compact token and return what it says.

    :param typ: the kinds that are accepted; None stands for a header that does not say.
    :param jwk: returns the public key for the claims, which are not yet to be believed.
    :raises MalformedTokenError: when anything at all is wrong with it.
    """
    read = _read(token, _ALLOWED)
    if read.header.get("alg") != algorithm or read.header.get("typ") not in typ:
        raise MalformedTokenError("another algorithm or kind of token")
    public = jwk(read.claims)
    if public is None or read.header.get("kid", public["kid"]) != public["kid"]:
        raise MalformedTokenError("no known key")
    _check_signature(read, public, algorithm)
    return read


def verify_shown(token: object, *, typ: str) -> tuple[Token, str]:
    """Check a compact token under the ES256 key in its own header; return it and the thumbprint.

    That proves only that the sender holds some key. Whose it is, the thumbprint must tell.

    :raises MalformedTokenError: when anything at all is wrong with it.
    """
    read = _read(token, _SHOWN)
    if read.header.get("alg") != keys.TOKEN or read.header.get("typ") != typ:
        raise MalformedTokenError("another algorithm or kind of token")
    try:
        public = keys.token_jwk(read.header.get("jwk"))
    except MalformedKeyError as error:
        raise MalformedTokenError("no public key of the right kind") from error
    _check_signature(read, public, keys.TOKEN)
    return read, str(public["kid"])


def _check_signature(read: Token, public: dict[str, Any], algorithm: str) -> None:
    try:
        key = (OKPKey if public["kty"] == "OKP" else ECKey).import_key(public)
        jws.deserialize_compact(read.text, key, algorithms=[algorithm])
    except (JoseError, ValueError) as error:
        raise MalformedTokenError("the signature does not hold") from error


def _read(token: object, allowed: Collection[str]) -> Token:
    if not isinstance(token, str) or len(token) > LONGEST or not _COMPACT.fullmatch(token):
        raise MalformedTokenError("not a compact token")
    header, claims, signature = token.split(".")
    _decode(signature)
    return Token(token, _parse(header, allowed), _parse(claims, None))


def _decode(part: str) -> bytes:
    try:
        decoded = urlsafe_b64decode(part.encode())
    except binascii.Error as error:
        raise MalformedTokenError("not base64url") from error
    if urlsafe_b64encode(decoded).decode() != part:
        raise MalformedTokenError("another spelling of the same bytes")
    return decoded


def _parse(part: str, allowed: Collection[str] | None) -> dict[str, Any]:
    try:
        value = json.loads(_decode(part), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise MalformedTokenError("not JSON") from error
    if not isinstance(value, dict) or (allowed is not None and not value.keys() <= set(allowed)):
        raise MalformedTokenError("not an object, or with members that are not allowed")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedTokenError("an object names a member twice")
    return found
