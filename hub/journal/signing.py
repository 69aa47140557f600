"""Canonical bytes and the key that this node signs with.

A signed object travels as `{"h": header, "p": payload text, "s": signature}`: the parts of a JWS
(RFC 7515) whose payload is canonical JSON (RFC 8785), left unencoded so that pages compress well.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric import ed25519
from joserfc.jwk import OKPKey
from joserfc.util import urlsafe_b64encode

from hub.config import Settings, of_this_node
from hub.registry import keys

ENTRY = "jw-entry+jws"
RELEASE = "jw-release+jws"
STATEMENT = "entity-statement+jwt"


@dataclass(frozen=True)
class Signed:
    """A signed object as it travels."""

    header: str
    payload: str
    signature: str

    @property
    def digest(self) -> str:
        """Return the name of the object: SHA-256 of its payload, in lowercase hex."""
        return digest(self.payload)

    def as_wire(self) -> dict[str, str]:
        """Return the shape on the wire."""
        return {"h": self.header, "p": self.payload, "s": self.signature}


@dataclass(frozen=True)
class NodeKeys:
    """The key with which this node signs what it publishes.

    Tokens are signed by another (`registry.keys`) of another algorithm, so that neither passes
    for the other.
    """

    signing: ed25519.Ed25519PrivateKey
    signing_jwk: dict[str, Any]  # Public part, with `kid` (RFC 7638) and `alg` Ed25519.

    @property
    def fingerprint(self) -> str:
        """Return what people compare: the RFC 7638 thumbprint of the signing key."""
        return str(self.signing_jwk["kid"])

    def sign(self, payload: dict[str, Any], typ: str) -> Signed:
        """Sign a payload; `typ` keeps one kind of object from passing for another."""
        header = canonical({"alg": "Ed25519", "kid": self.fingerprint, "typ": typ})
        text = canonical(payload)
        signature = self.signing.sign(signing_input(header, text))
        return Signed(header, text, urlsafe_b64encode(signature).decode())


def node_keys() -> NodeKeys:
    """Return this node's key, made at first use and kept in its home folder."""
    return of_this_node(_load)


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value (RFC 8785).

    :raises rfc8785.CanonicalizationError: for what has no canonical form, such as 2^53.
    """
    return rfc8785.dumps(value).decode()


def digest(payload: str) -> str:
    """Return the lowercase hex SHA-256 of a payload's bytes."""
    return hashlib.sha256(payload.encode()).hexdigest()


def signing_input(header: str, payload: str) -> bytes:
    """Return the bytes that a JWS signature covers (RFC 7515, section 5.1)."""
    return urlsafe_b64encode(header.encode()) + b"." + urlsafe_b64encode(payload.encode())


def _load(config: Settings) -> NodeKeys:
    path = config.home / "keys" / "signing.pem"
    signing = keys.private_key(path, ed25519.Ed25519PrivateKey.generate)
    if not isinstance(signing, ed25519.Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    public = OKPKey.import_key(keys.pem(signing))
    return NodeKeys(signing, keys.public_jwk(public, keys.SIGNING))
