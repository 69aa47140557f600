"""What a file is, found from its bytes, and what it may be called.

The list is short on purpose: what a browser could run is not on it, and an Office file with
macros is none of them. What other nodes attach is shown as bytes of no kind unless it is listed.
"""

import codecs
import re
import unicodedata
from pathlib import Path

from hub.media.errors import UnknownKindError

OFFICE = "application/vnd.openxmlformats-officedocument"
KINDS = {  # Extension → media type, in the order in which they are offered.
    "pdf": "application/pdf",
    "docx": f"{OFFICE}.wordprocessingml.document",
    "xlsx": f"{OFFICE}.spreadsheetml.sheet",
    "pptx": f"{OFFICE}.presentationml.presentation",
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
}
_PICTURES = {"image/png", "image/jpeg", "image/webp"}  # Which every browser shows.
PLAIN = "application/octet-stream"  # For what is not listed.
NAME = 120  # Characters of a name.

_MAGIC = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}
_TEXTS = ("txt", "md", "csv")
_OFFICE_PARTS = {
    b"word/document.xml": "docx",
    b"xl/workbook.xml": "xlsx",
    b"ppt/presentation.xml": "pptx",
}
_DIRECTORY = 1024 * 1024  # Bytes of the list of contents of an Office file.
_END = 22 + 65535  # Bytes in which its end stands (APPNOTE.TXT, 4.3.16).
_PART = 256 * 1024
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Controls, halves of characters, what is not seen or turns a name around, what folders refuse.
_UNSAFE = re.compile(
    '[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff<>:"|?*%]'
)


def kind_of(path: Path, name: str) -> str:
    """Return the extension in `KINDS` that fits the bytes of a file.

    :param name: what it is called; it tells the plain texts apart and nothing else.
    :raises UnknownKindError: when it is none of them.
    """
    with path.open("rb") as file:
        head = file.read(16)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"PK\x03\x04"):
        return _office(path)
    extension = name.rpartition(".")[2].lower()
    if extension in _TEXTS and _is_text(path):
        return extension
    raise UnknownKindError


def clean_name(name: str, kind: str) -> str:
    """Return a name that is safe in every folder and header, ending in the extension of its kind.

    :param name: as somebody's browser sent it: perhaps with a path.
    """
    last = re.split(r"[/\\]", name)[-1]
    text = _UNSAFE.sub("", unicodedata.normalize("NFC", last)).strip(" .")
    stem, dot, extension = text.rpartition(".")
    same = {"jpeg": "jpg"}.get(extension.lower(), extension.lower()) == kind
    stem = (stem if dot and same else text).strip(" .")[: NAME - 6] or "file"
    return f"{stem}.{kind}"


def shown_type(claimed: str) -> str:
    """Return the type under which a file is served: the one it claims if it is listed."""
    return claimed if claimed in KINDS.values() else PLAIN


def is_picture(claimed: str) -> bool:
    """Say whether a type is one of those that pages show."""
    return claimed in _PICTURES


def _office(path: Path) -> str:
    """Tell Office files apart by their list of contents; nothing is unpacked."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END))
        end = file.read()
        place = end.rfind(b"PK\x05\x06")
        if place < 0 or len(end) < place + 20:
            raise UnknownKindError
        length = int.from_bytes(end[place + 12 : place + 16], "little")
        start = int.from_bytes(end[place + 16 : place + 20], "little")
        if length > _DIRECTORY or start > size:
            raise UnknownKindError
        file.seek(start)
        listed = file.read(length)
    found = [kind for part, kind in _OFFICE_PARTS.items() if part in listed]
    if len(found) != 1 or b"[Content_Types].xml" not in listed or b"vbaProject" in listed:
        raise UnknownKindError
    return found[0]


def _is_text(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while part := file.read(_PART):
                if _CONTROLS.search(decoder.decode(part)):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
