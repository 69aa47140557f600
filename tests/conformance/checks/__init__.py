"""The checks, in the order in which they run."""

from tests.conformance.checks import discovery, tokens, reading, publishing, faults  # noqa: I001

__all__ = ["discovery", "faults", "publishing", "reading", "tokens"]
