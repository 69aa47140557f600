"""Keys and signed objects, written from docs/federation.md alone."""

import base64
import hashlib
import json
from typing import Any
from uuid import uuid4

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Signed = dict[str, str]  # {"h": header, "p": payload, "s": signature}


def b64(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Return the bytes of a base64url text."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value: Any) -> str:
    """Return the RFC 8785 text of a value."""
    return rfc8785.dumps(value).decode()


def digest(signed: Signed) -> str:
    """Return the name of a signed object: SHA-256 of its payload."""
    return hashlib.sha256(signed["p"].encode()).hexdigest()


def holds(signed: Signed, jwk: dict[str, Any]) -> bool:
    """Say whether the Ed25519 signature of an object was made with this key."""
    covered = f"{b64(signed['h'].encode())}.{b64(signed['p'].encode())}"
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk["x"]))
        key.verify(unb64(signed["s"]), covered.encode())
    except InvalidSignature:
        return False
    return True


def thumbprint(jwk: dict[str, Any]) -> str:
    """Return the RFC 7638 thumbprint of a public key."""
    names = ("crv", "kty", "x", "y")
    members = {name: jwk[name] for name in names if name in jwk}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())


class SigningKey:
    """An Ed25519 key, which signs entries, releases and proofs."""

    algorithm = "Ed25519"

    def __init__(self) -> None:
        self._key = ed25519.Ed25519PrivateKey.generate()
        x = b64(self._key.public_key().public_bytes_raw())
        self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "Ed25519", "use": "sig"}
        self.jwk["kid"] = thumbprint(self.jwk)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes."""
        return self._key.sign(data)

    def object(self, payload: str | dict[str, Any], typ: str, **header: Any) -> Signed:
        """Sign a payload; `header` changes members of the usual header, None leaves one out."""
        text = payload if isinstance(payload, str) else canonical(payload)
        usual = {"alg": "Ed25519", "kid": self.jwk["kid"], "typ": typ} | header
        head = canonical({name: value for name, value in usual.items() if value is not None})
        covered = f"{b64(head.encode())}.{b64(text.encode())}"
        return {"h": head, "p": text, "s": b64(self.sign(covered.encode()))}


class TokenKey:
    """A P-256 key, which signs assertions and proofs (ES256)."""

    algorithm = "ES256"

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        x, y = (b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig"}
        self.jwk["kid"] = thumbprint(self.jwk)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes (RFC 7518, section 3.4)."""
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def compact(
    key: SigningKey | TokenKey, claims: dict[str, Any], typ: str | None, **header: Any
) -> str:
    """Return a compact JWS; `header` changes members of the usual header, None leaves one out."""
    usual = {"alg": key.algorithm, "kid": key.jwk["kid"], "typ": typ} | header
    head = json.dumps({name: value for name, value in usual.items() if value is not None})
    covered = f"{b64(head.encode())}.{b64(json.dumps(claims).encode())}"
    return f"{covered}.{b64(key.sign(covered.encode()))}"


def entry(origin: str, title: str, **changes: Any) -> dict[str, Any]:
    """Return the document of an entry; `changes` replaces members."""
    return {
        "v": 1,
        "type": "case",
        "id": str(uuid4()),
        "rev": 1,
        "origin": origin,
        "prev": None,
        "created": "2026-11-23T01:02:03Z",
        "lang": "zh-CN",
        "title": title,
        "body": f"{title}。正文。",
        "fields": {"submitting_unit": "互通测试支部", "category": "rules", "summary": title},
        "attachments": [],
    } | changes
