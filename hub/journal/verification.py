"""Bytes in, VerifiedEntry or VerifiedRelease out, or an error: there is no third way.

Storage takes nothing else, so what was not verified can't be stored. The bytes that are verified
are the bytes that are parsed.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from hub.journal.errors import VerificationError
from hub.journal.shapes import (
    CHILDREN,
    ENTRY_SHAPE,
    MAX_ENTRY,
    RELEASE_SHAPE,
    check_parent,
    check_shape,
)
from hub.journal.signing import ENTRY, RELEASE, Signed, signing_input

FindKey = Callable[[str, str], dict[str, Any] | None]

MAX_RELEASE = 4 * 1024
MAX_HEADER = 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1  # RFC 8785 keeps integers exact up to here.

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SEAL = object()


@dataclass(frozen=True)
class VerifiedEntry:
    """An entry whose origin's signature holds; only `verify_entry` makes one."""

    signed: Signed
    document: dict[str, Any]
    seal: object

    def __post_init__(self) -> None:
        _check_seal(self.seal)

    @property
    def parent(self) -> tuple[str, str] | None:
        """Return origin and id of what a child speaks of; see `parent_of`."""
        return parent_of(self.document)


@dataclass(frozen=True)
class VerifiedRelease:
    """A release whose issuer's signature holds; only `verify_release` makes one."""

    signed: Signed
    statement: dict[str, Any]
    seal: object

    def __post_init__(self) -> None:
        _check_seal(self.seal)


def _check_seal(seal: object) -> None:
    if seal is not _SEAL:
        raise TypeError("only verification makes verified objects")


def verify_entry(wire: object, find_key: FindKey) -> VerifiedEntry:
    """Check an entry as it came over the wire.

    :param find_key: returns the public JWK of an origin by `kid`, or None; keys come from nowhere
        else, so a header that carries one is refused.
    :raises VerificationError: with a `code` that names what is wrong.
    """
    signed = _signed(wire, MAX_ENTRY)
    document = _parse(signed.payload)
    check_shape(document, ENTRY_SHAPE)
    check_parent(document)
    _check_signature(signed, ENTRY, document["origin"], find_key)
    return VerifiedEntry(signed, document, _SEAL)


def verify_release(wire: object, find_key: FindKey) -> VerifiedRelease:
    """Check a release as it came over the wire; see `verify_entry`."""
    signed = _signed(wire, MAX_RELEASE)
    statement = _parse(signed.payload)
    check_shape(statement, RELEASE_SHAPE)
    if statement["op"] not in {"put", "retract"}:
        raise VerificationError("malformed", "op is neither put nor retract")
    _check_signature(signed, RELEASE, statement["iss"], find_key)
    return VerifiedRelease(signed, statement, _SEAL)


def parent_of(document: dict[str, Any]) -> tuple[str, str] | None:
    """Return origin and id of the entry that a child speaks of; None for what stands alone."""
    if document["type"] not in CHILDREN:
        return None
    return document["parent"]["origin"], document["parent"]["id"]


def verify_signed(
    wire: object, typ: str, signer: str, find_key: FindKey, *, most: int = MAX_RELEASE
) -> dict[str, Any]:
    """Return what a signed object of another kind says; whom it names, the caller compares.

    :param most: bytes of its payload.
    :raises VerificationError: see `verify_entry`.
    """
    signed = _signed(wire, most)
    _check_signature(signed, typ, signer, find_key)
    return _parse(signed.payload)


def parse_strictly(text: str) -> Any:
    """Parse JSON that has one reading only.

    Refuses duplicate keys (json.loads silently keeps the last), floats, integers of 2^53 and
    more, lone surrogates, and nesting deeper than 16.

    :raises VerificationError: with the codes malformed, duplicate_key, float, integer_too_large,
        surrogate, too_deep.
    """
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_bounded_integer,
        )
    except (ValueError, RecursionError) as error:
        raise VerificationError("malformed", "not JSON") from error
    if "\\ud" in text.lower() and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise VerificationError("surrogate", "holds a lone surrogate")
    return value


def _signed(wire: object, most: int) -> Signed:
    if not isinstance(wire, dict) or wire.keys() != {"h", "p", "s"}:
        raise VerificationError("malformed", "not an object of h, p and s")
    parts = [wire["h"], wire["p"], wire["s"]]
    if not all(isinstance(part, str) for part in parts):
        raise VerificationError("malformed", "h, p and s are not all texts")
    header, payload, signature = parts
    try:
        size = len(payload.encode())
        header.encode()
    except UnicodeEncodeError as error:
        raise VerificationError("surrogate", "holds a lone surrogate") from error
    if size > most or len(header) > MAX_HEADER or len(signature) > MAX_HEADER:
        raise VerificationError("too_large", "larger than allowed")
    return Signed(header, payload, signature)


def _parse(payload: str) -> dict[str, Any]:
    value = parse_strictly(payload)
    if not isinstance(value, dict):
        raise VerificationError("malformed", "not an object")
    if _canonical(value) != payload:
        raise VerificationError("not_canonical", "not in canonical form (RFC 8785)")
    return value


def _canonical(value: Any) -> str:
    """Return the RFC 8785 text of a value that `parse_strictly` let through.

    Without floats, json.dumps differs from RFC 8785 only in the order of keys beyond the basic
    plane (UTF-16 units there, code points here), and it is several times as fast.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return rfc8785.dumps(value).decode() if _ASTRAL.search(text) else text


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise VerificationError("duplicate_key", "an object names a member twice")
    return found


def _no_float(text: str) -> Any:
    raise VerificationError("float", "numbers with a fraction must be texts")


def _bounded_integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise VerificationError("integer_too_large", "an integer is 2^53 or more")
    return int(text)


def _check_depth(text: str) -> None:
    """Refuse what is nested too deeply before a parser recurses into it."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()
        if mark[0] == '"':
            continue
        depth += 1 if mark in "{[" else -1
        if depth > MAX_DEPTH:
            raise VerificationError("too_deep", f"nested deeper than {MAX_DEPTH}")


# A whole text, so that brackets inside of it don't count; or one bracket.
_STRUCTURE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)


def _check_signature(signed: Signed, typ: str, signer: str, find_key: FindKey) -> None:
    kid = _kid_in(signed.header, typ)
    jwk = find_key(signer, kid)
    if jwk is None:
        raise VerificationError("unknown_key", "no known key of its signer has this kid")
    try:
        signature = urlsafe_b64decode(signed.signature.encode())
        if urlsafe_b64encode(signature).decode() != signed.signature:
            raise ValueError("another spelling of the signature")
        covered = signing_input(signed.header, signed.payload)
        _public_key(cast(str, jwk["x"])).verify(signature, covered)
    except (InvalidSignature, ValueError) as error:
        raise VerificationError("bad_signature", "the signature does not hold") from error


@lru_cache(maxsize=1024)  # All that is signed with one key has the same header.
def _kid_in(text: str, typ: str) -> str:
    header = parse_strictly(text)
    if not isinstance(header, dict) or header.keys() != {"alg", "kid", "typ"}:
        raise VerificationError("bad_header", "the header is not alg, kid and typ")
    if header["alg"] != "Ed25519" or header["typ"] != typ or not isinstance(header["kid"], str):
        raise VerificationError("bad_header", "the header is of another algorithm or type")
    return str(header["kid"])


@lru_cache(maxsize=1024)
def _public_key(x: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(x.encode()))
