"""Secrets that are shown once and kept as digests."""

import hashlib
import secrets


def new_secret() -> str:
    """Return 256 random bits as 43 characters that are safe in URLs and headers."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return the SHA-256 under which a random secret is kept; it needs no salt, being random."""
    return hashlib.sha256(secret.encode()).hexdigest()
