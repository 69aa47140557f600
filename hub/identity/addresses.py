"""Addresses to which a reader may be sent on."""

import re

# A path of our own: one slash, then neither slash nor backslash, and nothing that browsers drop
# (they remove tabs and line feeds, and read a backslash as a slash: WHATWG URL, 4.4).
_OWN = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
LONGEST = 2000


def own_path(target: str | None) -> str:
    """Return the target if it is a path on this host, and the home page otherwise."""
    if target and len(target) <= LONGEST and _OWN.fullmatch(target):
        return target
    return "/"
