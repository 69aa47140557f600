"""What the fields of a draft may hold, by what a document says: proposals that a person judges."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hub.cases.content import LONG_FORM
from hub.cases.errors import UnknownFieldError
from hub.cases.fields import Field, Shape, fields_of
from hub.cases.importing import notes
from hub.cases.importing.documents import Document, Section
from hub.cases.importing.notes import Note, note
from hub.cases.importing.shaping import parts_of

# Field → what the sections are usually called that belong there; the first that fits counts.
_USUAL = {
    "summary": "摘要 提要 概要 内容简介",
    "problem": "问题 难点 痛点 短板 困难",
    "background": "背景 基本情况 概况 起因 缘起 现状",
    "outcomes": "成效 效果 成果 收获",
    "preconditions": "前提 适用条件 适用范围 推广条件 实施条件",
    "pitfalls": "注意事项 易错 教训",
    "insight": "启示 体会 思考 经验 感悟",
    "practice": "做法 举措 措施 实施过程 工作过程 实践 步骤 路径",
    "objective": "目标 目的",
    "scope": "范围 对象",
    "copy_conditions": "推广条件 复制条件 适用条件",
    "not_suitable_for": "不适用 不宜",
    "next_step": "下一步 今后打算 后续",
}
# What the columns of a table of outcomes are called.
_COLUMNS = {
    "metric": "指标 项目 内容 事项",
    "baseline": "之前 实施前 活动前 原来 基线 前",
    "value": "之后 实施后 活动后 现在 成效 后",
    "source": "来源 出处 依据",
}
_PERIOD = re.compile(
    r"(20\d\d)年(\d{1,2})月(?:\d{1,2}日)?\s*[至到~～—–-]+\s*(?:(20\d\d)年)?(\d{1,2})月"
)
_SENTENCE = re.compile(r"[^。！？]{0,300}[。！？]”?")
_HEAD = 8  # Paragraphs in which the unit and the period usually stand.


def field_of(heading: str, kind: str) -> str:
    """Return the field that a section of this name usually belongs to; empty for none."""
    known = {each.name for each in fields_of(kind)}
    for name, words in _USUAL.items():
        if name in known and any(word in heading for word in words.split()):
            return name
    return ""


def mapping_of(sections: Sequence[Section], kind: str) -> list[str]:
    """Return a field for each section, none twice."""
    mapping: list[str] = []
    for section in sections:
        name = field_of(section.heading, kind) if section.heading else ""
        mapping.append("" if name in mapping else name)
    return mapping


def values_of(
    sections: Sequence[Section], mapping: Sequence[str], kind: str, told: list[Note]
) -> dict[str, Any]:
    """Return the fields with what stands in their sections; what does not fit is told.

    :raises UnknownFieldError: when the mapping names none.
    """
    known, values = {each.name: each for each in fields_of(kind)}, dict[str, Any]()
    for section, name in zip(sections, mapping, strict=True):
        if not name:
            continue
        if name not in known:
            raise UnknownFieldError(field="section")
        value = _value(known[name], section)
        if value is None:
            label = known[name].label
            told.append(note(notes.NOT_FITTING, heading=section.heading, label=label))
        else:
            values[name] = value
    return values


def proposed(document: Document, units: Sequence[str], told: list[Note]) -> dict[str, Any]:
    """Return what can be read of a document's title, text, unit, period and summary.

    :param units: names of the units that its author writes for.
    """
    values = {"title": document.title, "body": _fitting(document.body, told)}
    paragraphs = [text for section in document.sections for text in section.paragraphs]
    head = "\n".join(paragraphs[:_HEAD])
    if period := _period(head) or _period("\n".join(paragraphs)):
        values["period"] = period
        told.append(note(notes.PERIOD_MADE))
    if unit := max((name for name in units if name in head), key=len, default=""):
        values["unit"] = unit
        told.append(note(notes.UNIT_MADE))
    if summary := _summary(paragraphs):
        values["summary"] = summary
        told.append(note(notes.SUMMARY_MADE))
    return values


def _value(field: Field, section: Section) -> Any:
    """Return a section as its field takes it; None when it does not fit."""
    if field.shape == Shape.ROWS:
        return _rows(field, section.rows)
    if field.shape == Shape.STEPS:
        steps = list(section.paragraphs)
        fits = 0 < len(steps) <= field.items and all(len(step) <= field.limit for step in steps)
        return steps if fits else None
    text = "\n".join(section.paragraphs)
    return text if 0 < len(text) <= field.limit else None


def _rows(field: Field, rows: Sequence[Sequence[str]]) -> list[dict[str, str]] | None:
    """Return a table of outcomes whose head names the columns; None for any other."""
    columns = {column.name: column for column in field.columns}
    if field.name != "outcomes" or not 2 <= len(rows) <= field.items + 1:
        return None
    places = _places(rows[0])
    if not {"metric", "value"} <= places.keys():
        return None
    made = [
        {name: row[at] if at < len(row) else "" for name, at in places.items()} for row in rows[1:]
    ]
    fits = all(len(cell) <= columns[name].limit for row in made for name, cell in row.items())
    return made if fits else None


def _places(head: Sequence[str]) -> Mapping[str, int]:
    places: dict[str, int] = {}
    for name, words in _COLUMNS.items():
        for at, cell in enumerate(head):
            if at not in places.values() and any(word in cell for word in words.split()):
                places[name] = at
                break
    return places


def _fitting(body: str, told: list[Note]) -> str:
    """Return as much of a text as is shown, up to the end of a paragraph."""
    if len(body) <= LONG_FORM:
        return body
    told.append(note(notes.CUT, limit=LONG_FORM))
    return parts_of(body)[0]


def _period(text: str) -> str:
    found = _PERIOD.search(text)
    if not found:
        return ""
    begins, ends = (found[1], int(found[2])), (found[3] or found[1], int(found[4]))
    if begins > ends or not all(1 <= month <= 12 for month in (begins[1], ends[1])):
        return ""
    return f"{begins[0]}-{begins[1]:02}/{ends[0]}-{ends[1]:02}"


def _summary(paragraphs: Sequence[str], limit: int = 300) -> str:
    """Return the first sentences of the first paragraph that has some."""
    for paragraph in paragraphs:
        sentences, text = _SENTENCE.findall(paragraph), ""
        for sentence in sentences:
            if len(text) + len(sentence) > limit:
                break
            text += sentence
        if len(text) >= 20:
            return text.strip()
    return ""
