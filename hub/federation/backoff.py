"""How long to leave a peer alone that failed."""

import random
from dataclasses import dataclass

from hub.federation.errors import RefusedError

SHORTEST, LONGEST = 0.5, 60.0  # Seconds of back-off after a failure.
SPREAD = 1.0  # Seconds over which those are spread who were told when to come back.


@dataclass
class Backoff:
    """How long to wait after failures in a row: doubling, with jitter, bounded."""

    failures: int = 0

    def succeed(self) -> None:
        """Begin anew."""
        self.failures = 0

    def fail(self, error: Exception | None = None) -> float:
        """Return the seconds to wait now: as many as the peer asked for, if it did."""
        asked = error.retry_after if isinstance(error, RefusedError) else None
        if asked is not None:
            return asked + random.uniform(0, SPREAD)  # noqa: S311 - not all in the same instant
        self.failures += 1
        longest = min(LONGEST, SHORTEST * 2 ** min(self.failures, 10))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing
