"""Word documents as secretaries type them: official form, with numbering by hand."""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Pt

CHINESE = "一二三四五六七八九十"
PARTS = ("实施背景", "存在问题", "主要做法", "主要成效", "经验启示", "适用条件")
SENTENCE = (
    "公司党委把党员责任区同安全责任区合在一张图上，班组长每周到现场一次，隐患由提出的人确认整改。"
)
HEAD = ("指标", "实施前", "实施后", "数据来源")


@dataclass
class Written:
    """A document, and what an import should find in it."""

    data: bytes
    title: str
    headings: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    pictures: int = 0


def written(number: int) -> Written:
    """Return one of many documents; the number decides how it is typed."""
    document, title = Document(), f"以“双责任区”推动{number}号站安全生产的实践"
    made = Written(b"", title)
    _heading_lines(document, title, number)
    for index, part in enumerate(PARTS):
        _part(document, made, index, part, number)
    document.add_paragraph("供稿：设备部党支部")
    made.data = _saved(document)
    return made


def _heading_lines(document: Document, title: str, number: int) -> None:
    line = document.add_paragraph()
    line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = line.add_run(title)
    run.font.size = Pt(22)
    document.add_paragraph(("——", "")[number % 2] + "检修公司党支部")
    document.add_paragraph(f"（2025年{number % 6 + 1}月至2026年{number % 6 + 2}月）")


def _part(document: Document, made: Written, index: int, part: str, number: int) -> None:
    heading = f"{CHINESE[index]}、{part}"
    made.headings.append(heading)
    if number % 4 == 3:  # With the styles of Word.
        document.add_heading(heading, 1)
    else:
        document.add_paragraph(heading)
    document.add_paragraph(SENTENCE * 2)
    if part == "主要做法":
        _practice(document, made, number)
    if part == "主要成效":
        _outcomes(document, made, number)


def _practice(document: Document, made: Written, number: int) -> None:
    brackets = "()" if number % 3 == 1 else "（）"
    for index, name in enumerate(("画一张图", "每周一会", "当场确认")):
        heading = f"（{CHINESE[index]}）{name}"
        made.headings.append(heading)
        document.add_paragraph(f"{brackets[0]}{CHINESE[index]}{brackets[1]}{name}")
        document.add_paragraph(SENTENCE)
        if index == 0:
            made.headings.append(f"1{'.．、'[number % 3]}先画现场")
            document.add_paragraph(made.headings[-1])
            document.add_paragraph(SENTENCE)
        if index == 1:  # Items of a list, no headings.
            for item in range(1, 4):
                document.add_paragraph(f"{item}.看现场第{item}处")


def _outcomes(document: Document, made: Written, number: int) -> None:
    rows = [
        list(HEAD),
        ["平均整改天数", "9", f"{number % 5}", "隐患台账"],
        ["隐患数", "31", "12", ""],
    ]
    table = document.add_table(len(rows), len(HEAD))
    for cells, row in zip(rows, table.rows, strict=True):
        for text, cell in zip(cells, row.cells, strict=True):
            cell.text = text
    made.tables.append(rows)
    for _ in range(number % 3):
        document.add_picture(io.BytesIO(png(made.pictures)))
        made.pictures += 1


def _saved(document: Document) -> bytes:
    packed = io.BytesIO()
    document.save(packed)
    return packed.getvalue()


def png(shade: int, side: int = 8) -> bytes:
    """Return a small picture of one shade."""
    rows = b"".join(b"\0" + bytes([shade * 40 % 256]) * side for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def document_of(paragraphs: Sequence[str]) -> bytes:
    """Return a document of these paragraphs."""
    document = Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    return _saved(document)
