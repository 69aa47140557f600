"""What is in a document that somebody sends: one case written at length, or several in a sheet."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.cases.fields import Field, Shape, fields_of
from hub.cases.importing import documents
from hub.cases.importing.documents import Document
from hub.cases.importing.errors import DocumentKindError, UnreadableDocumentError
from hub.cases.importing.texts import decode, front_matter, plain
from hub.cases.models import Kind
from hub.languages import in_each
from hub.media.errors import UnknownKindError
from hub.media.kinds import kind_of

LONGEST = 60_000  # Characters of a plain text.
_HEADING = re.compile(r"(#{1,6})\s+(.+)")
_ITEM = re.compile(r"([-*+]|\d+\.)\s+(.+)")


@dataclass(frozen=True)
class Row:
    """One row of a sheet: the fields of a case, as its cells say."""

    number: int
    values: dict[str, Any]


Read = Document | list[Row] | dict[str, Any]  # The last: fields of a text with front matter.


def read_file(path: Path, name: str, *, folds: bool) -> Read:
    """Return what is in a document.

    :param folds: whether Traditional characters become Simplified ones.
    :raises DocumentKindError: when it is none of those that become drafts.
    :raises UnreadableDocumentError, ImportBusyError: see `documents.open_file`.
    """
    try:
        kind = kind_of(path, name)
    except UnknownKindError:
        kind = ""
    match kind:
        case "docx" | "pdf":
            return documents.document_of(documents.open_file(path, kind), folds=folds)
        case "xlsx":
            return list(_cases(documents.open_file(path, kind)["rows"]))
        case "txt" | "md":
            return read_text(_text(path), is_markdown=kind == "md", folds=folds)
    raise DocumentKindError


def read_text(text: str, *, is_markdown: bool = False, folds: bool) -> Read:
    """Return what is in a text: with front matter, fields of a case.

    :raises UnreadableDocumentError: when there is too much in it, or nothing.
    """
    if len(text) > LONGEST:
        raise UnreadableDocumentError("too_much")
    front, body = front_matter(text) if is_markdown else ({}, text)
    if front is None:
        raise UnreadableDocumentError("front_matter")
    if front:
        return {name: plain(value) for name, value in front.items()} | {"body": body}
    blocks = [_block(line.strip(), is_markdown) for line in body.splitlines() if line.strip()]
    return documents.document_of({"blocks": blocks, "pictures": [], "lost": {}}, folds=folds)


def _text(path: Path) -> str:
    text = decode(path.read_bytes())
    if text is None:
        raise UnreadableDocumentError("encoding")
    return text


def _block(line: str, is_markdown: bool) -> dict[str, Any]:
    if is_markdown and (heading := _HEADING.fullmatch(line)):
        return {"kind": "heading", "text": heading[2], "level": len(heading[1]) - 1}
    if is_markdown and (item := _ITEM.fullmatch(line)):
        return {"kind": "item", "text": item[2], "mark": item[1], "depth": 0}
    return {"kind": "text", "text": line}


def _cases(rows: Sequence[Sequence[str]]) -> Iterator[Row]:
    """Yield the cases of a sheet whose first row names the fields in either language."""
    known = _names(fields_of(Kind.CASE))
    columns = [known.get(cell.strip().lower()) for cell in rows[0]] if rows else []
    if not any(field and field.name == "title" for field in columns):
        raise UnreadableDocumentError("no_title_column")
    for number, row in enumerate(rows[1:], 2):
        cells = zip(columns, row, strict=False)
        yield Row(number, {field.name: _cell(field, cell) for field, cell in cells if field})


def _names(fields: Sequence[Field]) -> Mapping[str, Field]:
    names = {label.lower(): field for field in fields for label in in_each(field.label)}
    return names | {field.name: field for field in fields}


def _cell(field: Field, cell: str) -> Any:
    lines = [line.strip() for line in cell.splitlines() if line.strip()]
    match field.shape:
        case Shape.STEPS:
            return lines
        case Shape.TAGS:
            return [tag for tag in re.split("[，,、\n]", cell) if tag.strip()]
        case Shape.CHOICE:
            return _choice(field, cell.strip())
        case Shape.FLAG | Shape.ROWS | Shape.CHOICES:
            return None
    return cell.strip()


def _choice(field: Field, cell: str) -> str:
    """Return the code of a choice that is called so in any language."""
    for code, label in (field.choices or {}).items():
        if cell in {code, *in_each(label)}:
            return code
    return cell
