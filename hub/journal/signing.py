"""Canonical bytes and this node's keys.

A signed object travels as `{"h": header, "p": payload text, "s": signature}`: the parts of a JWS
(RFC 7515) whose payload is canonical JSON (RFC 8785), left unencoded so that pages compress well.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc.jwk import ECKey, OKPKey
from joserfc.util import urlsafe_b64encode

from hub.config import Settings, of_this_node, read_or_create

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
    """The private keys of this node: one signs what it publishes, the other its requests.

    They differ in algorithm, so that a token never passes for an entry nor the reverse.
    """

    signing: ed25519.Ed25519PrivateKey
    signing_jwk: dict[str, Any]  # Public part, with `kid` (RFC 7638) and `alg` Ed25519.
    token: ECKey  # ES256: client assertions and access tokens.
    token_jwk: dict[str, Any]

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
    """Return this node's keys; they are made at first use and kept in its home folder."""
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
    folder = config.home / "keys"
    signing = _private_key(folder / "signing.pem", ed25519.Ed25519PrivateKey.generate)
    token = _private_key(folder / "token.pem", lambda: ec.generate_private_key(ec.SECP256R1()))
    if not isinstance(signing, ed25519.Ed25519PrivateKey):
        raise TypeError(f"{folder / 'signing.pem'} holds no Ed25519 key")
    token_key = ECKey.import_key(_pem(token))
    return NodeKeys(
        signing,
        public_jwk(OKPKey.import_key(_pem(signing)), "Ed25519"),
        token_key,
        public_jwk(token_key, "ES256"),
    )


def public_jwk(key: OKPKey | ECKey, algorithm: str) -> dict[str, Any]:
    """Return the public part of a key with its thumbprint as `kid`."""
    public = key.as_dict(private=False)
    members = {name: public[name] for name in ("kty", "crv", "x", "y") if name in public}
    return members | {"kid": key.thumbprint(), "alg": algorithm, "use": "sig"}


def _private_key(path: Path, make: Any) -> Any:
    text = read_or_create(path, lambda: _pem(make()).decode())
    os.chmod(path, 0o600)
    return serialization.load_pem_private_key(text.encode(), password=None)


def _pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem
