"""The checks, in the order in which they run."""

from tests.conformance.checks import discovery, tokens, reading, publishing, files, faults  # noqa: I001

__all__ = ["discovery", "faults", "files", "publishing", "reading", "tokens"]
