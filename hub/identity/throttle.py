"""Slowing down those who guess passwords, without locking anybody out for ever.

Counted in the memory of each web process over a moving window. Only failures count. Somebody who
guesses from one address can't close the door to the owner of the account at another one until
very many have failed; and then it opens again by itself. `X-Forwarded-For` is never believed.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from hub.config import Settings
from hub.identity.errors import TooManyAttemptsError
from hub.identity.service import fold_username

MINUTES = 5
BY_BOTH = RateLimitItemPerMinute(10, MINUTES)
BY_USERNAME = RateLimitItemPerMinute(50, MINUTES)
BY_ADDRESS = RateLimitItemPerMinute(100, MINUTES)  # A whole office may share one.


@dataclass(frozen=True)
class Throttle:
    """What was tried at this node lately."""

    limiter: MovingWindowRateLimiter

    def check(self, username: str, address: str | None) -> None:
        """Refuse another attempt when too many have failed.

        :raises TooManyAttemptsError: for up to five minutes.
        """
        if not all(self.limiter.test(*key) for key in _keys(username, address)):
            raise TooManyAttemptsError

    def count_failure(self, username: str, address: str | None) -> None:
        """Remember that an attempt failed."""
        for key in _keys(username, address):
            self.limiter.hit(*key)


def throttle(settings: Settings) -> Throttle:
    """Make the throttle of one node; for `of_this_node`."""
    return Throttle(MovingWindowRateLimiter(MemoryStorage()))


def _keys(username: str, address: str | None) -> list[tuple[RateLimitItemPerMinute, str]]:
    name = hashlib.sha256(fold_username(username).encode(errors="replace")).hexdigest()
    place = _network(address)
    return [(BY_BOTH, f"{name} {place}"), (BY_USERNAME, name), (BY_ADDRESS, place)]


def _network(address: str | None) -> str:
    """Return an address, or its /64 in IPv6: a customer there has that many to guess from."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
