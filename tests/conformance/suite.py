"""The checks by name, and how a run of them is told."""

from collections.abc import Callable
from dataclasses import dataclass

import requests

from tests.conformance.peer import Peer


@dataclass
class World:
    """The node under test and two nodes of ours that have joined it."""

    hub: str
    enterprise: str
    writer: Peer
    reader: Peer
    spare_code: str  # An invitation that nobody has used, for `spare`.
    spare: Peer


Check = Callable[[World], None]
CHECKS: list[tuple[str, Check]] = []


def check(name: str) -> Callable[[Check], Check]:
    """Add a check under the rule that it holds the node to."""

    def add(function: Check) -> Check:
        CHECKS.append((name, function))
        return function

    return add


def run(world: World, tell: Callable[[str], None]) -> int:
    """Run all checks, tell each result, and return how many failed."""
    failed = 0
    for name, function in CHECKS:
        try:
            function(world)
            tell(f"ok      {name}")
        except (AssertionError, KeyError, TypeError, ValueError, requests.RequestException) as e:
            failed += 1
            tell(f"FAILED  {name}\n        {type(e).__name__}: {e}")
    tell(f"{len(CHECKS) - failed} passed, {failed} failed")
    return failed
