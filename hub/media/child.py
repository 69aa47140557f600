"""The child process that draws a picture anew: run by its path, so that it loads nothing else.

It is given a picture as its standard input and its type as its argument, and writes what is
seen, and nothing else that the file said, to its standard output. Whoever made it is not trusted:
`hub.bounded` has limited what this process may use, and whatever the reader raises ends it.
"""

import importlib
import sys
from typing import Any

PIXELS = 50_000_000  # Of a picture that is opened at all.
SIDE = 2560  # Pixels of its longer side afterwards.
TOO_MANY = 3  # The status that says so.

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_QUALITY = {"JPEG": {"quality": 85}, "PNG": {}, "WEBP": {"quality": 85}}
_MODES = {
    "JPEG": {"RGB", "L"},
    "PNG": {"RGB", "RGBA", "L", "LA", "1", "I;16"},
    "WEBP": {"RGB", "RGBA"},
}


def main(type_: str) -> None:
    """Draw the picture anew."""
    image: Any = importlib.import_module("PIL.Image")
    image.MAX_IMAGE_PIXELS = None  # We look ourselves, before anything is unpacked.
    kind = _FORMATS[type_]
    with open(0, "rb", closefd=False) as source:
        picture = image.open(source, formats=[kind])
        if picture.width * picture.height > PIXELS:
            sys.exit(TOO_MANY)
        drawn = _drawn(picture, kind)
    with open(1, "wb", closefd=False) as output:
        drawn.save(output, kind, **_QUALITY[kind])


def _drawn(picture: Any, kind: str) -> Any:
    """Return the picture the right way up, small enough, and with nothing written beside it."""
    turn = importlib.import_module("PIL.ImageOps").exif_transpose
    if kind == "JPEG":
        picture.draft(None, (SIDE, SIDE))  # Unpacked in less memory, never smaller than that.
    if "transparency" in picture.info or picture.mode in {"P", "PA"}:
        picture = picture.convert("RGBA")
    picture.thumbnail((SIDE, SIDE))
    drawn = turn(picture)
    if drawn.mode not in _MODES[kind]:
        drawn = drawn.convert("RGB")
    drawn.info = {}  # A comment, a profile, when and where.
    return drawn


if __name__ == "__main__":
    main(sys.argv[1])
