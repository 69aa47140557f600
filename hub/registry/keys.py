"""Keys: those of this node, kept in its home folder, and the public ones that others send."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from hub.config import Settings, of_this_node, read_or_create
from hub.registry.errors import MalformedKeyError

SIGNING = "Ed25519"  # Algorithm of entries, releases and statements.
TOKEN = "ES256"  # noqa: S105 - algorithm of tokens and of client assertions.


def token_key() -> ECKey:
    """Return the private key of this node's tokens and assertions, made at first use."""
    return of_this_node(_load_token_key)


def own_token_jwk() -> dict[str, Any]:
    """Return the public part of this node's token key."""
    return public_jwk(token_key(), TOKEN)


def _load_token_key(config: Settings) -> ECKey:
    path = config.home / "keys" / "token.pem"
    return ECKey.import_key(pem(private_key(path, lambda: ec.generate_private_key(ec.SECP256R1()))))


def private_key(path: Path, make: Callable[[], Any]) -> Any:
    """Return the private key in a file, writing what `make` returns if there is none."""
    text = read_or_create(path, lambda: pem(make()).decode())
    os.chmod(path, 0o600)
    return serialization.load_pem_private_key(text.encode(), password=None)


def pem(key: Any) -> bytes:
    """Return a private key as unencrypted PKCS #8."""
    encoded: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return encoded


def public_jwk(key: OKPKey | ECKey, algorithm: str) -> dict[str, Any]:
    """Return the public part of a key with its thumbprint as `kid`."""
    public = key.as_dict(private=False)
    return bare(public) | {"kid": key.thumbprint(), "alg": algorithm, "use": "sig"}


def bare(jwk: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a public key that make it one, without its name and use."""
    return {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}


def signing_jwk(jwk: object) -> dict[str, Any]:
    """Return the public Ed25519 key in a JWK that somebody sent, with its true thumbprint.

    :raises MalformedKeyError: for another kind of key, or one with a private part.
    """
    members = _members(jwk, {"kty": "OKP", "crv": "Ed25519"}, {"x"})
    return public_jwk(_import(OKPKey, members), SIGNING)


def token_jwk(jwk: object) -> dict[str, Any]:
    """Return the public P-256 key in a JWK that somebody sent; see `signing_jwk`."""
    members = _members(jwk, {"kty": "EC", "crv": "P-256"}, {"x", "y"})
    return public_jwk(_import(ECKey, members), TOKEN)


def _members(
    jwk: object, kind: dict[str, str], coordinates: set[str]
) -> dict[str, str | list[str]]:
    if not isinstance(jwk, dict) or "d" in jwk:
        raise MalformedKeyError
    if any(jwk.get(name) != value for name, value in kind.items()):
        raise MalformedKeyError
    if any(not isinstance(jwk.get(name), str) or len(jwk[name]) != 43 for name in coordinates):
        raise MalformedKeyError  # 32 bytes in base64url.
    return {name: jwk[name] for name in (*kind, *sorted(coordinates))}


def _import(
    kind: type[OKPKey] | type[ECKey], members: dict[str, str | list[str]]
) -> OKPKey | ECKey:
    """Import a key; a point that is not on its curve is refused here."""
    try:
        key = kind.import_key(members)
        key.public_key  # noqa: B018 - computed at first use, and that is what may fail.
    except (JoseError, ValueError) as error:
        raise MalformedKeyError from error
    return key
