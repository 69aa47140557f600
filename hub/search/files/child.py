"""The child process that reads a file: run by its path, so that it loads nothing of the program.

It is given a file as its standard input and the kind of it as its argument, and writes the text to
its standard output, after a line that says what was wrong. Whoever made the file is not trusted:
`hub.bounded` has limited what this process may use, and whatever a reader raises is an answer.
"""

import importlib
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, NoReturn
from zipfile import ZipFile

MOST = 200_000  # Characters that are kept of a file.
PAGES = 1_000  # Of a PDF.
UNPACKED = 100_000_000  # Bytes that the parts of an Office file may have.

_PARTS = {  # Where the texts of an Office file are (ECMA-376, part 1).
    "docx": re.compile(r"word/(document|footnotes|endnotes|header\d*|footer\d*)\.xml"),
    "xlsx": re.compile(r"xl/(sharedStrings|worksheets/sheet\d+)\.xml"),
    "pptx": re.compile(r"ppt/(slides/slide|notesSlides/notesSlide)\d+\.xml"),
}
_ENDS = {"p", "br", "tab", "si", "row", "is"}  # Elements after which another word begins.
_CHINESE = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"
_BROKEN = re.compile(rf"(?<=[{_CHINESE}])[ \t]*\n[ \t]*(?=[{_CHINESE}])")

Pieces = Iterator[str]


class TooLargeError(Exception):
    """It unpacks to more than anybody writes."""


class EncryptedError(Exception):
    """It opens with a password only."""


class OutOfTime(BaseException):
    """No library may take this for a fault of the file."""


def main(kind: str) -> None:
    """Read the file and say what is in it."""
    signal.signal(signal.SIGXCPU, _stop)
    reason, text = _read(_READERS[kind])
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    with open(1, "wb", closefd=False) as output:
        output.write(f"{reason}\n{text}".encode(errors="ignore"))


def _stop(number: int, frame: object) -> NoReturn:
    raise OutOfTime


def _read(reader: Callable[[BinaryIO], Pieces]) -> tuple[str, str]:
    """Return what was wrong, in a word, and the text."""
    pieces: list[str] = []
    try:
        with open(0, "rb", closefd=False) as source:
            reason = _gather(reader(source), pieces)
    except OutOfTime:
        reason = "cut" if pieces else "time"
    except MemoryError:
        reason = "cut" if pieces else "memory"
    except TooLargeError:
        reason = "size"
    except EncryptedError:
        reason = "encrypted"
    except Exception:  # Whatever a library makes of a bad file, here it ends.
        reason = "broken"
    text = "".join(pieces)[:MOST] if reason in {"", "cut"} else ""
    return reason, text.replace("\0", "")


def _gather(found: Pieces, pieces: list[str]) -> str:
    length = 0
    for piece in found:
        pieces.append(piece)
        length += len(piece)
        if length > MOST:
            return "cut"
    return ""


def _read_text(source: BinaryIO) -> Pieces:
    yield source.read(4 * MOST + 4).decode("utf-8-sig", errors="ignore")


def _read_pdf(source: BinaryIO) -> Pieces:
    # Loaded only for this kind: it takes a third of a second.
    reader = importlib.import_module("pypdf").PdfReader(source)
    if reader.is_encrypted and not reader.decrypt(""):
        raise EncryptedError
    for number, page in enumerate(reader.pages):
        if number == PAGES:
            yield " " * MOST  # There is more.
            return
        # Lines end where the paper ends; a Chinese sentence goes on without a space.
        yield _BROKEN.sub("", page.extract_text() + "\n")


def _office(kind: str) -> Callable[[BinaryIO], Pieces]:
    def read(source: BinaryIO) -> Pieces:
        left = [UNPACKED]
        with ZipFile(source) as archive:
            names = filter(_PARTS[kind].fullmatch, archive.namelist())
            for name in sorted(names, key=lambda name: (len(name), name)):
                with archive.open(name) as part:
                    yield from _texts(_Counted(part, left))

    return read


class _Counted:
    """A part of an archive that ends all when the parts together are too long."""

    def __init__(self, part: IO[bytes], left: list[int]) -> None:
        self._part, self._left = part, left

    def read(self, size: int) -> bytes:
        data = self._part.read(size)
        self._left[0] -= len(data)
        if self._left[0] < 0:
            raise TooLargeError
        return data


def _texts(part: _Counted) -> Pieces:
    """Yield the texts of one part; entities stay unexpanded and nothing outside is read."""
    etree = importlib.import_module("lxml.etree")
    options = {"resolve_entities": False, "load_dtd": False, "no_network": True}
    for _, element in etree.iterparse(part, events=("end",), huge_tree=False, **options):
        name = etree.QName(element).localname
        if name == "t" or (name == "v" and element.getparent().get("t") != "s"):
            yield (element.text or "") + (" " if name == "v" else "")
        elif name in _ENDS:
            yield "\n"
        if name in {"p", "si", "row"}:  # Done with: a part may be larger than the memory.
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


_READERS: dict[str, Callable[[BinaryIO], Pieces]] = {
    "pdf": _read_pdf,
    **{kind: _office(kind) for kind in _PARTS},
    **dict.fromkeys(("txt", "md", "csv"), _read_text),
}

if __name__ == "__main__":
    main(sys.argv[1])
