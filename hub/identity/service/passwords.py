"""Passwords: argon2id, checked in the same time whether or not there is such a person."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.identity.errors import WeakPasswordError
from hub.identity.service.secret import new_secret

SHORTEST, LONGEST = 8, 200

# OWASP's first choice for argon2id; 19 MiB, so that a crowd at the door does not fill the memory.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    """Return an argon2id hash with its own salt and parameters."""
    return _HASHER.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Say whether this is the password; with no hash it takes as long and is always wrong."""
    try:
        _HASHER.verify(password_hash or _nobodys_hash(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_stale(password_hash: str) -> bool:
    """Say whether a hash was made with parameters that are no longer ours."""
    return _HASHER.check_needs_rehash(password_hash)


def check_strength(password: str, username: str) -> None:
    """Refuse what is too short, too long or the username; no rules about kinds of characters.

    Source: NIST SP 800-63B, 3.1.1.2.

    :raises WeakPasswordError: when it is refused.
    """
    if not SHORTEST <= len(password) <= LONGEST or password.casefold() == username:
        raise WeakPasswordError(field="password")


@cache
def _nobodys_hash() -> str:
    return hash_password(new_secret())
