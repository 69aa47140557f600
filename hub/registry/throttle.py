"""What one peer may ask and send in a minute, so that none of them slows down the others.

Counted in the memory of each web process over a fixed window. What is over is answered with the
seconds to wait; it is never dropped, since whoever sends keeps it until it was accepted.
"""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from hub.config import Settings, of_this_node
from hub.registry.errors import ThrottledError


@dataclass(frozen=True)
class Quotas:
    """What each peer has used of this minute."""

    limiter: FixedWindowRateLimiter
    requests: RateLimitItemPerMinute
    entries: RateLimitItemPerMinute

    def count_request(self, peer: str) -> None:
        """Count a request of a peer.

        :raises ThrottledError: when it was one too many.
        """
        if not self.limiter.hit(self.requests, "requests", peer):
            raise self._refusal(self.requests, "requests", peer)

    def check_entries(self, peer: str) -> None:
        """Refuse entries of a peer that has sent its share, before they are read.

        :raises ThrottledError: when nothing of this minute is left.
        """
        if not self.limiter.test(self.entries, "entries", peer):
            raise self._refusal(self.entries, "entries", peer)

    def count_entries(self, peer: str, number: int) -> None:
        """Count what a peer sent. The last batch may exceed its share: else a batch larger than
        the quota would never come through.
        """
        if number:
            self.limiter.hit(self.entries, "entries", peer, cost=number)

    def _refusal(self, item: RateLimitItemPerMinute, *key: str) -> ThrottledError:
        ends = self.limiter.get_window_stats(item, *key).reset_time
        return ThrottledError(max(1, math.ceil(ends - time.time())))


def quotas() -> Quotas:
    """Return the quotas of this process."""
    return of_this_node(_make_quotas)


def _make_quotas(config: Settings) -> Quotas:
    return Quotas(
        FixedWindowRateLimiter(MemoryStorage()),
        RateLimitItemPerMinute(max(1, config.peer_requests_per_minute)),
        RateLimitItemPerMinute(max(1, config.peer_entries_per_minute)),
    )
