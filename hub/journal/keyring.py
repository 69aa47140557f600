"""The next signing key: made, kept beside the current one, and put in force.

Each step can be repeated after a kill: until the list names it, the same next key is found again.
"""

import json
import os
import secrets
from pathlib import Path

from hub import clock
from hub.config import of_this_node
from hub.journal.signing import NodeKeys, Ring, make_or_load


def prepare_next() -> NodeKeys:
    """Return the key that shall follow, made if it does not wait already."""
    ring = _ring()
    path = ring.folder / "next.pem"
    if path.exists() and make_or_load(path).fingerprint in {k.fingerprint for _, k in ring.dated()}:
        path.unlink()  # Left behind by a kill after it was put in force.
    return make_or_load(path)


def waiting() -> tuple[str, int] | None:
    """Return the key that is listed and whose time has not come, and that time."""
    since, last = _ring().dated()[-1]
    return (last.fingerprint, since) if since > clock.timestamp() else None


def activate(following: NodeKeys, since: int) -> None:
    """Sign with the next key from a time on; a key that was to come later than it never does.

    :param following: what `prepare_next` returned.
    :param since: seconds since 1970.
    """
    ring = _ring()
    path = ring.folder / f"signing-{following.fingerprint}.pem"
    if not path.exists():
        os.link(ring.folder / "next.pem", path)
    kept = [(k.fingerprint, at) for at, k in ring.dated()[1:] if at < since]
    rows = [{"kid": kid, "from": at} for kid, at in [*kept, (following.fingerprint, since)]]
    _replace(ring.listing, json.dumps(rows))
    (ring.folder / "next.pem").unlink()


def _ring() -> Ring:
    return of_this_node(Ring)


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is there whole, before or after."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with draft.open("w") as file:
        os.chmod(draft, 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
