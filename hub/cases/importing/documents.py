"""From a document as somebody wrote it to title, sections, pictures, and what is to be said of it.

Nothing is mended silently and nothing guessed: what was changed, taken from the text, or left
behind is told, and the original stays beside the draft.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import Any

from hub import bounded
from hub.bounded import Limits
from hub.cases import hints
from hub.cases.importing import notes
from hub.cases.importing.errors import ImportBusyError, UnreadableDocumentError
from hub.cases.importing.mending import damages, drop_credits, mend_lines
from hub.cases.importing.notes import Note, note
from hub.cases.importing.shaping import TITLE, as_block, cut, heading_marks, title_of
from hub.config import Settings, of_this_node

CHILD = Path(__file__).with_name("child.py")
LIMITS = Limits(memory=1024 * 1024 * 1024, seconds=25, output=64 * 1024 * 1024, patience=50.0)
PARAGRAPH = 5_000  # Characters of one, or of one cell.
TOLD = 100  # Damages that are told.
AT_ONCE = 2  # Documents that one process opens.
HEADING_MARKS = ("## ", "### ", "#### ")  # By level of the heading in Word.


@dataclass(frozen=True)
class Picture:
    """A picture of a document, and what it is called beside its draft."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Section:
    """What stands below one heading of a document."""

    heading: str  # Without its number; empty before the first.
    paragraphs: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()  # Of its first table.


@dataclass
class Document:
    """What was read of a document."""

    title: str
    body: str  # Markdown of all that is below the title.
    sections: list[Section]
    pictures: list[Picture] = field(default_factory=list)
    told: list[Note] = field(default_factory=list)


@dataclass(frozen=True)
class Block:
    """One of the things that stand below each other, with the Markdown mark of a heading."""

    text: str
    mark: str = ""
    markdown: str = ""  # Where it is not simply the text.
    rows: tuple[tuple[str, ...], ...] = ()


def open_file(path: Path, kind: str) -> dict[str, Any]:
    """Open a document in a bounded process; return what `child` says.

    :raises UnreadableDocumentError: when it can't be read, with the reason.
    :raises ImportBusyError: when this process opens too many already.
    """
    places = of_this_node(_places)
    if not places.acquire(blocking=False):
        raise ImportBusyError
    try:
        with path.open("rb") as source, TemporaryFile() as output:
            code = bounded.run(CHILD, [kind], LIMITS, source, output)
            output.seek(0)
            answer = json.loads(output.read()) if code == 0 else {"fault": "too_much"}
    except ValueError:
        answer = {"fault": "broken"}
    finally:
        places.release()
    if "fault" in answer:
        raise UnreadableDocumentError(answer["fault"])
    found: dict[str, Any] = answer
    return found


def document_of(answer: dict[str, Any], *, folds: bool) -> Document:
    """Make a document of what was opened.

    :param folds: whether Traditional characters become Simplified ones.
    :raises UnreadableDocumentError: when there is no text in it, or a paragraph without end.
    """
    if any(len(text) > PARAGRAPH for block in answer["blocks"] for text in _texts(block)):
        raise UnreadableDocumentError("too_much")
    told: list[Note] = []
    blocks = _told_apart(_mended(answer["blocks"], told, folds))
    lines = [block.text for block in blocks]
    if not any(lines):
        raise UnreadableDocumentError("empty")
    told += _warnings(lines, answer["lost"])
    title, blocks = _titled(blocks, told)
    pictures = [
        Picture(f"图{number}.{row['kind']}", base64.b64decode(row["data"]))
        for number, row in enumerate(answer["pictures"], 1)
    ]
    body = "\n\n".join(block.markdown or as_block(block.mark, block.text) for block in blocks)
    return Document(title, body, list(_sections(blocks)), pictures, told)


def _places(config: Settings) -> BoundedSemaphore:
    return BoundedSemaphore(AT_ONCE)


def _mended(raw: Sequence[dict[str, Any]], told: list[Note], folds: bool) -> list[dict[str, Any]]:
    """Return the blocks with all their texts mended, the cells of tables too."""
    texts = [text for block in raw for text in _texts(block)]
    mended = iter(mend_lines("\n".join(texts), told, folds=folds).split("\n"))
    blocks = [_with_texts(block, [next(mended).strip() for _ in _texts(block)]) for block in raw]
    plain = [block["text"] for block in blocks if block["kind"] == "text"]
    kept = set(drop_credits(plain, told))
    return [block for block in blocks if block["kind"] != "text" or block["text"] in kept]


def _texts(block: dict[str, Any]) -> list[str]:
    if block["kind"] == "table":
        return [cell for row in block["rows"] for cell in row]
    return [block["text"]] if "text" in block else []


def _with_texts(block: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    if block["kind"] == "table":
        cells = iter(texts)
        return block | {"rows": [[next(cells) for _ in row] for row in block["rows"]]}
    return block | {"text": texts[0]} if texts else block


def _told_apart(raw: Sequence[dict[str, Any]]) -> list[Block]:
    """Return the blocks with their headings: those of Word, and those that are typed."""
    lines = [block.get("text", "") if block["kind"] != "item" else "" for block in raw]
    marks = heading_marks(lines)
    return [_block(block, mark) for block, mark in zip(raw, marks, strict=True)]


def _block(block: dict[str, Any], mark: str) -> Block:
    match block["kind"]:
        case "heading":
            level = block["level"]
            return Block(block["text"], HEADING_MARKS[min(max(level, 1), 3) - 1] if level else "# ")
        case "item":
            indent = "    " * block["depth"]
            return Block(block["text"], markdown=f"{indent}{block['mark']} {block['text']}")
        case "table":
            rows = tuple(tuple(row) for row in block["rows"] if row)
            return Block("", markdown=_table(rows), rows=rows)
        case "picture":
            name = f"图{block['number']}"
            return Block("", markdown=f"（{name}，见附件）")
    return Block(block["text"], mark)


def _table(rows: tuple[tuple[str, ...], ...]) -> str:
    """Return a table as Markdown; its first row is its head."""
    width = max((len(row) for row in rows), default=0)
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.replace("|", "\\|") for cell in (*row, *[""] * (width - len(row)))]
        lines.append(f"| {' | '.join(cells)} |")
        if number == 0:
            lines.append(f"|{' --- |' * width}")
    return "\n".join(lines)


def _titled(blocks: list[Block], told: list[Note]) -> tuple[str, list[Block]]:
    """Return the title, and the blocks without it if it stands for itself."""
    title = next((block for block in blocks if block.mark == "# "), None)
    if title:
        rest = [block for block in blocks if block is not title]
        text = title.text
    else:
        text, _, is_made = title_of("\n".join(block.text for block in blocks if block.text))
        first = next(block for block in blocks if block.text)
        rest = blocks if is_made else [block for block in blocks if block is not first]
        if is_made:
            told.append(note(notes.TITLE_MADE))
    if len(text) > TITLE:
        told.append(note(notes.TITLE_CUT))
    return cut(text), [Block(b.text, "## ") if b.mark == "# " else b for b in rest]


def _warnings(lines: list[str], lost: dict[str, int]) -> Iterator[Note]:
    yield from islice(damages(lines), TOLD)
    messages = {hints.Kind.PERSONAL: notes.PERSONAL, hints.Kind.MARKED: notes.MARKED}
    for hint in hints.found(lines):
        yield note(messages[hint.kind], number=hint.number, text=hint.text)
    for kind, count in lost.items():
        yield note(notes.LOST[kind], count=count)


_NUMBER = re.compile(
    r"^(?:[一二三四五六七八九十]{1,3}、|（[一二三四五六七八九十]{1,3}）|\d{1,2}[.．、]|[（(]\d{1,2}[）)])\s*"
)


def _sections(blocks: list[Block]) -> Iterator[Section]:
    """Yield what stands below the headings of the highest level that there is."""
    top = min((block.mark for block in blocks if block.mark), key=len, default="")
    heading, inside = "", list[Block]()
    for block in [*blocks, Block("", top or "## ")]:
        if block.mark != (top or "## "):
            inside.append(block)
            continue
        if heading or inside:
            paragraphs = tuple(each.text for each in inside if each.text)
            rows = next((each.rows for each in inside if each.rows), ())
            yield Section(heading, paragraphs, rows)
        heading, inside = _NUMBER.sub("", block.text), []
