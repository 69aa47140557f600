"""Whether the files of an index in tantivy are as they were written."""

import json
import struct
import zlib
from pathlib import Path

FOOTER_MAGIC = 1337


def is_sound(path: Path) -> bool:
    """Read all files that the newest commit uses, and compare them with their checksums."""
    try:
        names = json.loads((path / ".managed.json").read_text())
        used = json.loads((path / "meta.json").read_text())["segments"]
        prefixes = tuple(segment["segment_id"].replace("-", "") for segment in used)
        return all(_is_whole(path / n) for n in names if n.startswith(prefixes))
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return False


def _is_whole(path: Path) -> bool:
    """Compare a segment's file with the checksum that tantivy wrote at its end.

    The end is: a JSON text that holds the CRC, its length and a fixed number, 4 bytes each.
    """
    if not path.exists():
        return path.suffix == ".del"  # Of a commit that has been merged away.
    content = path.read_bytes()
    length, magic = struct.unpack("<II", content[-8:])
    footer = json.loads(content[-8 - length : -8])
    return bool(magic == FOOTER_MAGIC and footer["crc"] == zlib.crc32(content[: -8 - length]))
