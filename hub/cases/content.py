"""What the fields of a case may hold. Nothing is kept that did not pass `clean`."""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from hub.cases.errors import (
    ContentError,
    PeriodError,
    PersonalDataError,
    TooLongError,
    TooManyError,
    UnknownChoiceError,
    UnknownFieldError,
    UnreadableTextError,
    WrongTypeError,
)
from hub.cases.fields import Column, Field, Shape, fields_of

Content = dict[str, Any]

LONG_FORM = 5_000  # Characters of an imported body.
LONG_FORM_REQUIRED = ("title", "category", "body")

# Control characters, halves of characters, and those that turn what is read around.
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_PERIOD = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))/(\d{4}-(?:0[1-9]|1[0-2]))")
_MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)", re.ASCII)
_IDENTITY = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d{4}[\dXx](?!\d)", re.ASCII)


def clean(kind: str, content: Mapping[str, Any], *, is_long_form: bool = False) -> Content:
    """Return the content as it is kept: bounded, without what is empty.

    :raises ContentError: naming the field that holds what it must not.
    """
    known = {field.name: field for field in fields_of(kind)}
    kept = {}
    for name, value in content.items():
        if name not in known:
            raise UnknownFieldError(field=name)
        field = known[name]
        limit = LONG_FORM if is_long_form and name == "body" else field.limit
        value = _clean(field, value, limit)
        if value not in ("", [], False, None):
            kept[name] = value
    return kept


def missing(kind: str, content: Mapping[str, Any], *, is_long_form: bool = False) -> list[str]:
    """Return the names of the fields that a submission needs and that are not there yet."""
    if is_long_form:
        return [name for name in LONG_FORM_REQUIRED if not content.get(name)]
    absent = [f.name for f in fields_of(kind) if f.required and not content.get(f.name)]
    for field in fields_of(kind):
        first = field.columns[0].name if field.columns else ""
        if first and any(not row.get(first) for row in content.get(field.name, ())):
            absent.append(f"{field.name}.{first}")
    return absent


def digest(content: Mapping[str, Any]) -> str:
    """Return the hex SHA-256 that names exactly this content."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def personal_numbers(text: str) -> list[str]:
    """Return what looks like a mobile phone or identity number in a text, at most ten."""
    found = [match.group() for pattern in (_IDENTITY, _MOBILE) for match in pattern.finditer(text)]
    return found[:10]


def clean_text(value: Any, name: str, limit: int, *, lines: bool = True) -> str:
    """Return a text without the space around it.

    :param lines: whether it may have more than one.
    :raises ContentError: when it is no text, is too long, or can't be read.
    """
    if not isinstance(value, str):
        raise WrongTypeError(field=name)
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not lines:
        text = " ".join(text.split("\n"))
    if len(text) > limit:
        raise TooLongError(field=name, limit=limit, length=len(text))
    if _UNREADABLE.search(text):
        raise UnreadableTextError(field=name)
    return text


def well_formed(kind: str, content: Mapping[str, Any]) -> Content:
    """Return the fields of a published document that have the shape that pages expect.

    Another node signed it, perhaps a newer or a careless one; what does not fit is left out.
    """
    known = {field.name: field for field in fields_of(kind)}
    return {
        name: _known_choices(known[name], value)
        for name, value in content.items()
        if name in known and _is_shaped(known[name], value)
    }


def _known_choices(field: Field, value: Any) -> Any:
    """Return a value without the choices that a newer node may know."""
    if field.shape != Shape.CHOICES:
        return value
    return [code for code in field.choices or () if code in value]


def _is_shaped(field: Field, value: Any) -> bool:
    match field.shape:
        case Shape.FLAG:
            return isinstance(value, bool)
        case Shape.TAGS | Shape.STEPS | Shape.CHOICES:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case Shape.ROWS:
            return isinstance(value, list) and all(
                isinstance(row, dict) and all(isinstance(cell, str | bool) for cell in row.values())
                for row in value
            )
    return isinstance(value, str)


def _clean(field: Field, value: Any, limit: int) -> Any:
    match field.shape:
        case Shape.FLAG:
            return _flag(value, field.name)
        case Shape.TAGS | Shape.STEPS:
            items = (clean_text(v, field.name, limit, lines=False) for v in _list(field, value))
            return list(dict.fromkeys(item for item in items if item))
        case Shape.CHOICES:
            return _chosen(field, value)
        case Shape.ROWS:
            rows = [_row(field, row, n) for n, row in enumerate(_list(field, value))]
            return [row for row in rows if any(row.values())]
    text = clean_text(value, field.name, limit, lines=field.shape in {Shape.TEXT, Shape.MARKDOWN})
    if text:
        _check(field, text)
    return text


def _chosen(field: Field, value: Any) -> list[str]:
    """Return some of the choices of a field, in its order."""
    choices = field.choices or {}
    if not isinstance(value, list):
        raise WrongTypeError(field=field.name)
    if any(not isinstance(code, str) or code not in choices for code in value):
        raise UnknownChoiceError(field=field.name, choices=", ".join(choices))
    return [code for code in choices if code in value]


def _check(field: Field, text: str) -> None:
    if field.choices and text not in field.choices:
        raise UnknownChoiceError(field=field.name, choices=", ".join(field.choices))
    if field.shape == Shape.PERIOD:
        months = _PERIOD.fullmatch(text)
        if not months or months[1] > months[2]:
            raise PeriodError(field=field.name)
    if field.shape == Shape.POST and personal_numbers(text):
        raise PersonalDataError(field=field.name)
    if field.shape == Shape.REFERENCE:
        try:
            UUID(text)
        except ValueError:
            raise ContentError(field=field.name) from None


def _list(field: Field, value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise WrongTypeError(field=field.name)
    if len(value) > field.items:
        raise TooManyError(field=field.name, limit=field.items, length=len(value))
    return value


def _row(field: Field, row: Any, number: int) -> dict[str, Any]:
    place = f"{field.name}.{number}"
    if not isinstance(row, dict):
        raise WrongTypeError(field=place)
    for name in row:
        if name not in {column.name for column in field.columns}:
            raise UnknownFieldError(field=f"{place}.{name}")
    return {
        column.name: _cell(column, row.get(column.name), f"{place}.{column.name}")
        for column in field.columns
    }


def _cell(column: Column, value: Any, place: str) -> Any:
    if column.shape == Shape.FLAG:
        return _flag(value, place)
    return clean_text("" if value is None else value, place, column.limit)


def _flag(value: Any, name: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise WrongTypeError(field=name)
    return bool(value)
