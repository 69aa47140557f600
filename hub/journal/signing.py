"""Canonical bytes and the key that this node signs with.

A signed object travels as `{"h": header, "p": payload text, "s": signature}`: the parts of a JWS
(RFC 7515) whose payload is canonical JSON (RFC 8785), left unencoded so that pages compress well.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from joserfc.jwk import OKPKey
from joserfc.util import urlsafe_b64encode

from hub import clock
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

    @cached_property
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
    """Return the key that this node signs with now; the first is made at first use."""
    return of_this_node(Ring).current()


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


class Ring:
    """The signing keys in the home folder, and since when each is the one.

    `signing.pem` is the first. `signing.json` lists those that follow, `{"kid", "from"}`, each in
    a file of its own. Several processes serve a node: each looks at the list's stamp whenever it
    signs, so a new key needs no restart.
    """

    def __init__(self, config: Settings) -> None:
        self.folder = config.home / "keys"
        self._read: tuple[tuple[int, ...], list[tuple[int, NodeKeys]]] | None = None

    @property
    def listing(self) -> Path:
        """Return the file that names the keys after the first."""
        return self.folder / "signing.json"

    def current(self) -> NodeKeys:
        """Return the last key whose time has come."""
        now = clock.timestamp()
        return [found for since, found in self.dated() if since <= now][-1]

    def dated(self) -> list[tuple[int, NodeKeys]]:
        """Return all keys with the time from which they are the one, oldest first."""
        stamp = self._stamp()
        if self._read is None or self._read[0] != stamp:
            self._read = stamp, self._load()
        return self._read[1]

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self.listing.stat()
        except FileNotFoundError:
            return ()
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _load(self) -> list[tuple[int, NodeKeys]]:
        found = [(0, make_or_load(self.folder / "signing.pem"))]
        listed = json.loads(self.listing.read_text()) if self.listing.exists() else []
        for row in listed:
            text = (self.folder / f"signing-{row['kid']}.pem").read_bytes()
            signing = serialization.load_pem_private_key(text, password=None)
            found.append((row["from"], _node_keys(signing)))
        return found


def make_or_load(path: Path) -> NodeKeys:
    """Return the signing key in a file, made if there is none."""
    return _node_keys(keys.private_key(path, ed25519.Ed25519PrivateKey.generate))


def _node_keys(signing: object) -> NodeKeys:
    if not isinstance(signing, ed25519.Ed25519PrivateKey):
        raise TypeError("not an Ed25519 key")
    public = OKPKey.import_key(keys.pem(signing))
    return NodeKeys(signing, keys.public_jwk(public, keys.SIGNING))
