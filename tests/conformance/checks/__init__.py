"""The checks, in the order in which they run."""

from tests.conformance.checks import discovery, tokens, reading, publishing, files, faults  # noqa: I001
from tests.conformance.checks import checkpoints

__all__ = ["checkpoints", "discovery", "faults", "files", "publishing", "reading", "tokens"]
