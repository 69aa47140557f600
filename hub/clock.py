"""The time, asked in one place so that tests can hold it still."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC, with its zone."""
    return datetime.now(UTC)


def timestamp() -> int:
    """Return the current time as whole seconds since 1970 (RFC 7519 NumericDate)."""
    return int(now().timestamp())
