"""The child process that opens a document: run by its path, so that it loads nothing else of ours.

It is given a document as its standard input and the kind of it as its argument, and writes one JSON
object: `blocks` (or `rows`, of a sheet), `pictures` in Base64, what was `lost` on the way, and in
`fault` why it could not be read. Whoever made the document is not trusted: `hub.bounded` has
limited what this process may use, and whatever a reader raises is an answer.
"""

import base64
import importlib
import io
import json
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NoReturn
from zipfile import ZipFile

MOST = 60_000  # Characters of a document, some twenty pages of them.
PAGES = 200  # Of a PDF.
ROWS, COLUMNS = 200, 60  # Of a sheet.
UNPACKED = 200_000_000  # Bytes that the parts of an Office file may have.
PARTS = 5_000
PICTURES, LARGEST = 18, 30_000_000  # Number, and bytes together.

_STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='标题'] => h1.title:fresh
p[style-name='标题 1'] => h1:fresh
p[style-name='标题 2'] => h2:fresh
p[style-name='标题 3'] => h3:fresh
"""
_OBJECTS = {  # What can't be taken over, by how Word writes it (ECMA-376, part 1).
    "formula": re.compile(rb"<m:oMath[ >]"),
    "chart": re.compile(rb'uri="[^"]*/chart"'),
    "diagram": re.compile(rb'uri="[^"]*/diagram"'),
    "embedded": re.compile(rb"<w:object[ >]"),
}
_TYPES = {"image/png": "png", "image/jpeg": "jpg"}
_NUMBERED = re.compile(
    r"[一二三四五六七八九十]{1,3}、|（[一二三四五六七八九十\d]{1,3}）|\d{1,2}[.．、]"
)

Answer = dict[str, Any]


class Unreadable(Exception):
    """It can't be read, for a reason that people may be told."""


class OutOfTime(BaseException):
    """No library may take this for a fault of the document."""


def main(kind: str) -> None:
    """Open the document and say what is in it."""
    signal.signal(signal.SIGXCPU, _stop)
    try:
        with open(0, "rb", closefd=False) as source:
            answer = _READERS[kind](io.BytesIO(source.read()))  # Nothing lies beside it.
    except (OutOfTime, MemoryError):
        answer = {"fault": "too_much"}
    except Unreadable as error:
        answer = {"fault": str(error)}
    except Exception:  # Whatever a library makes of a bad document, here it ends.
        answer = {"fault": "broken"}
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    with open(1, "w", encoding="utf-8", errors="replace", closefd=False) as output:
        json.dump(answer, output)


def _stop(number: int, frame: object) -> NoReturn:
    raise OutOfTime


def _read_docx(source: BinaryIO) -> Answer:
    lost = _checked(source)
    pictures: list[Answer] = []
    left = LARGEST

    def keep(image: Any) -> dict[str, str]:
        nonlocal left
        with image.open() as opened:
            data = opened.read(left + 1)
        extension = _TYPES.get(image.content_type)
        if extension is None or len(data) > left or len(pictures) == PICTURES:
            lost["picture"] += 1
            return {"src": ""}
        left -= len(data)
        pictures.append({"kind": extension, "data": base64.b64encode(data).decode()})
        return {"src": str(len(pictures))}

    mammoth = importlib.import_module("mammoth")
    found = mammoth.convert_to_html(
        source, style_map=_STYLES, convert_image=mammoth.images.img_element(keep)
    )
    blocks = _bounded(_blocks(found.value))
    return {"blocks": blocks, "pictures": pictures, "lost": lost}


def _checked(source: BinaryIO) -> Counter[str]:
    """Return what of an Office file can't be taken over; refuse what nobody's Word has written."""
    lost: Counter[str] = Counter()
    with ZipFile(source) as archive:
        parts = archive.infolist()
        if len(parts) > PARTS or sum(part.file_size for part in parts) > UNPACKED:
            raise Unreadable("too_much")
        if any(part.flag_bits & 1 for part in parts):
            raise Unreadable("encrypted")
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                text = archive.read(part)
                if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                    raise Unreadable("broken")
                if part.filename == "word/document.xml":
                    lost.update({name: len(each.findall(text)) for name, each in _OBJECTS.items()})
    source.seek(0)
    return +lost


def _blocks(html: str) -> Iterator[Answer]:
    """Yield what stands below each other in a document, from its HTML."""
    fragments = importlib.import_module("lxml.html").fragments_fromstring(html)
    for element in fragments:
        if isinstance(element, str):
            yield from _text(element)
            continue
        pictures = list(_pictures(element))
        if element.tag in {"ul", "ol"}:
            yield from _list(element, 0)
        elif element.tag == "table":
            yield {"kind": "table", "rows": _rows(element)}
        elif element.tag[0] == "h" and element.tag[1:].isdigit():
            level = 0 if element.get("class") == "title" else int(element.tag[1:])
            for line in _text(_inner(element)):
                yield line | {"kind": "heading", "level": level}
        else:
            yield from _text(_inner(element))
        yield from pictures


def _text(text: str) -> Iterator[Answer]:
    for line in text.split("\n"):
        if line.strip():
            yield {"kind": "text", "text": line.strip()}


def _inner(element: Any) -> str:
    """Return the text of an element, with line breaks where it has them."""
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    return str(element.text_content())


def _pictures(element: Any) -> Iterator[Answer]:
    for image in element.iter("img"):
        if image.get("src"):
            yield {"kind": "picture", "number": int(image.get("src"))}


def _list(element: Any, depth: int) -> Iterator[Answer]:
    for number, item in enumerate(element.iterchildren("li"), 1):
        mark = f"{number}." if element.tag == "ol" else "-"
        below = [each for each in item if each.tag in {"ul", "ol"}]
        for each in below:
            item.remove(each)
        text = " ".join(_inner(item).split())
        if text:
            yield {"kind": "item", "text": text, "mark": mark, "depth": depth}
        for each in below:
            yield from _list(each, depth + 1)


def _rows(table: Any) -> list[list[str]]:
    """Return the cells of a table; of tables within cells the text."""
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table")) is table]
    return [
        [" ".join(_inner(cell).split()) for cell in row.iterchildren("td", "th")] for row in rows
    ]


def _bounded(blocks: Iterable[Any]) -> list[Any]:
    kept, length = [], 0
    for block in blocks:
        length += len(json.dumps(block, ensure_ascii=False))
        if length > 4 * MOST:
            raise Unreadable("too_much")
        kept.append(block)
    return kept


def _read_pdf(source: BinaryIO) -> Answer:
    reader = importlib.import_module("pypdf").PdfReader(source)
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("encrypted")
    if len(reader.pages) > PAGES:
        raise Unreadable("too_much")
    lost: Counter[str] = Counter()
    lines: list[str] = []
    for page in reader.pages:
        lost["picture"] += _drawn(page)
        lines += [line.strip() for line in page.extract_text().split("\n")]
    if not any(lines):
        raise Unreadable("scanned" if +lost else "empty")
    texts = ({"kind": "text", "text": line} for line in _joined(lines))
    return {"blocks": _bounded(texts), "pictures": [], "lost": +lost}


def _drawn(page: Any) -> int:
    """Return how many pictures are on a page."""
    drawn = (page.get("/Resources") or {}).get("/XObject") or {}
    return sum(each.get_object().get("/Subtype") == "/Image" for each in drawn.values())


def _joined(lines: list[str]) -> Iterator[str]:
    """Yield paragraphs: a line that ends where the paper ends goes on in the next."""
    widths = sorted(len(line) for line in lines if line)
    full = widths[int(len(widths) * 0.9)] - 3
    paragraph = ""
    for line in lines:
        if line and not (line.isdigit() or re.fullmatch(r"[-—] ?\d+ ?[-—]", line)):
            if paragraph and _NUMBERED.match(line):
                yield paragraph
                paragraph = ""
            paragraph += line
            if len(line) < full:
                yield paragraph
                paragraph = ""
    if paragraph:
        yield paragraph


def _read_xlsx(source: BinaryIO) -> Answer:
    _checked(source)
    book = importlib.import_module("openpyxl").load_workbook(source, read_only=True, data_only=True)
    sheet = book.worksheets[0]
    found = sheet.iter_rows(max_row=ROWS + 2, max_col=COLUMNS, values_only=True)
    rows = [["" if cell is None else str(cell) for cell in row] for row in found]
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    if len(kept) > ROWS + 1:
        raise Unreadable("too_much")
    return {"rows": _bounded(kept), "pictures": [], "lost": {}}


_READERS: dict[str, Callable[[BinaryIO], Answer]] = {
    "docx": _read_docx,
    "pdf": _read_pdf,
    "xlsx": _read_xlsx,
}

if __name__ == "__main__":
    main(sys.argv[1])
