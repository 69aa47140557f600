"""A case as a Word document by the habits of GB/T 9704: paper, margins, faces and sizes."""

import io
import re
from collections.abc import Sequence
from typing import Any

import docx
import lxml.html
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy import Row

from hub.cases import content, harvested
from hub.cases.fields import READING, Field, Shape
from hub.cases.models import Kind

# GB/T 9704-2012, 5.2: A4, 37 mm above and 28 mm left of a text of 156 by 225 mm.
PAPER = {"page_width": Mm(210), "page_height": Mm(297)}
MARGINS = {
    "top_margin": Mm(37),
    "left_margin": Mm(28),
    "right_margin": Mm(26),
    "bottom_margin": Mm(35),
}
BODY, HEADING, MINOR, TITLE = "仿宋", "黑体", "楷体", "小标宋"
SIZE, TITLE_SIZE, LINE = Pt(16), Pt(22), Pt(28)
MOST_CELLS = 2_000  # Of a table; a larger one is written as lines.
_UNWRITABLE = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0.


def word_of(page: Row[Any], text: Markup) -> bytes:
    """Return a published document as .docx: what its page shows, without what others said of it.

    :param text: its body as safe HTML.
    """
    document = _paper()
    _title(document, page)
    fields = content.well_formed(page.kind, page.fields)
    if fields.get("sample"):
        _say(document, gettext("A sample: unit and figures are invented."))
    _say(document, fields.get("summary", ""))
    for field in READING[Kind(page.kind)]:
        if fields.get(field.name):
            _field(document, field, fields[field.name])
    if text:
        document.add_heading(gettext("Full text"), 1)
        _blocks(document, lxml.html.fragment_fromstring(str(text), create_parent="div"))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _paper() -> Document:
    document = docx.Document()
    for name, length in (PAPER | MARGINS).items():
        setattr(document.sections[0], name, length)
    faces = {"Normal": BODY, "Title": TITLE, "Heading 1": HEADING, "Heading 2": MINOR}
    for name, face in faces.items():
        style: Any = document.styles[name]
        style.font.name, style.font.size = face, TITLE_SIZE if name == "Title" else SIZE
        fonts = style.element.rPr.rFonts
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)  # It would win over the face.
        fonts.set(qn("w:eastAsia"), face)
        style.paragraph_format.line_spacing = None if name == "Title" else LINE
        style.paragraph_format.space_after = Pt(0)
    return document


def _title(document: Document, page: Row[Any]) -> None:
    document.add_heading(_clean(page.title), 0).alignment = WD_ALIGN_PARAGRAPH.CENTER
    origin = f"{page.unit or gettext('Unit name withheld')} · {page.node_name or page.origin}"
    document.add_paragraph(_clean(origin)).alignment = WD_ALIGN_PARAGRAPH.CENTER
    if page.is_harvested:
        source = harvested.provenance_of(page.fields).source
        _say(
            document,
            gettext(
                "Unsigned: fetched from “%(source)s”, which has no node of this federation. Nobody"
                " here has reviewed it, and only this node shows it.",
                source=source,
            ),
        )


def _field(document: Document, field: Field, value: Any) -> None:
    document.add_heading(gettext(field.label), 1)
    choices = field.choices or {}
    match field.shape:
        case Shape.STEPS:
            for number, step in enumerate(value, 1):
                _say(document, f"{number}. {step}")
        case Shape.ROWS:
            head = [gettext(column.label) for column in field.columns]
            rows = [[_cell(row.get(column.name)) for column in field.columns] for row in value]
            _table(document, [head, *rows])
        case Shape.CHOICES:
            _say(document, gettext(", ").join(gettext(choices[code]) for code in value))
        case _:
            _say(document, gettext(choices[value]) if value in choices else value)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(gettext("Yes") if value else gettext("Not yet"))
    return value or "—"


def _blocks(document: Document, parent: Any) -> None:
    """Write the elements that `markup.safe` lets through."""
    for line_break in parent.iter("br"):
        line_break.tail = f"\n{(line_break.tail or '').lstrip()}"
    for block in parent:
        if block.tag == "table":
            _table(document, [[cell.text_content() for cell in row] for row in block.iter("tr")])
        elif block.tag == "blockquote":
            _blocks(document, block)
        elif block.tag in {"ul", "ol"}:
            for number, item in enumerate(block, _start(block)):
                mark = f"{number}. " if block.tag == "ol" else "· "
                _say(document, mark + item.text_content().strip())
        elif block.tag.startswith("h") and block.tag != "hr":
            document.add_heading(_clean(block.text_content()), 2)
        else:
            _say(document, block.text_content())


def _start(block: Any) -> int:
    """Return the number that a list begins with; whoever wrote it may claim anything."""
    text = block.get("start", "")[:9]
    return int(text) if text.isdecimal() else 1


def _table(document: Document, rows: Sequence[Sequence[str]]) -> None:
    width = max(map(len, rows), default=0)
    if not width:
        return
    if len(rows) * width > MOST_CELLS:
        for row in rows:
            _say(document, " | ".join(row))
        return
    table = document.add_table(len(rows), width, style="Table Grid")
    for line, row in zip(table.rows, rows, strict=True):
        for cell, text in zip(line.cells, row, strict=False):
            cell.text = _clean(text)


def _say(document: Document, text: str) -> None:
    """Write a paragraph for each line, two characters in."""
    for line in _clean(text).split("\n"):
        if line.strip():
            document.add_paragraph(line.strip()).paragraph_format.first_line_indent = 2 * SIZE


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("", text)
