"""From what a source tells to an entry: plain text, as imports make it, within the bounds of ours.

No HTML is kept. What is longer than a case may be is cut; the original has the rest.
"""

import re
import unicodedata
from typing import Any

from flask_babel import force_locale, gettext
from lxml import etree

from hub.cases.content import LONG_FORM
from hub.cases.fields import CATEGORIES
from hub.cases.harvested import Provenance, fields_of
from hub.cases.importing.mending import strip_controls
from hub.cases.importing.shaping import parts_of, title_of, to_markdown
from hub.config import settings
from hub.federation.harvesting.records import Record

TITLE = 200  # Characters: as many as a title has room for here.
SUMMARY = 300
TAG, TAGS = 20, 10  # Characters of a tag, and how many.
MORE = "……"
_LONGEST = 64 * 1024  # Characters that are looked at; ten times what is kept.
_MARKUP = re.compile(
    r"</?(?:p|br|div|ul|ol|li|a|b|i|em|strong|span|h[1-6]|table|tr|td|img|script|style)\b", re.I
)
_SPACE = re.compile(r"\s+")
_DROPPED = ("script", "style", "head", "template", "noscript", "iframe", "object", "svg", "select")
_BLOCKS = (
    *("p", "br", "div", "ul", "ol", "li", "table", "tr", "blockquote", "pre", "hr", "section"),
    *("article", "header", "footer", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6"),
)


def shape(record: Record, source: str) -> dict[str, Any]:
    """Return title, body and fields of the entry that an item becomes."""
    text, summary = plain(record.text), plain(record.summary)
    title = " ".join(plain(record.title).split())
    if not title:
        title = title_of(text or summary or record.identifier)[0]
    summary = summary or text.partition("\n")[0]
    body = _body(text) if text != summary or len(summary) > SUMMARY else ""
    fields = {
        "category": _category(record.terms),
        "summary": cut(summary, SUMMARY),
        "submitting_unit": source,
        "tags": _tags(record.terms),
    }
    provenance = Provenance(source, record.link, record.dated)
    kept = {name: value for name, value in fields.items() if value}
    return {"title": cut(title, TITLE), "body": body, "fields": kept | fields_of(provenance)}


def plain(text: str) -> str:
    """Return a text without markup, one paragraph to a line."""
    text = text[:_LONGEST]
    if _MARKUP.search(text):
        text = _without_markup(text)
    text = strip_controls(unicodedata.normalize("NFC", text), [])
    return "\n".join(line for raw in text.splitlines() if (line := raw.strip()))


def cut(text: str, most: int) -> str:
    """Return a text that is not longer than this."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _body(text: str) -> str:
    parts = parts_of(to_markdown(text), LONG_FORM - len(MORE) - 2)
    return "\n\n".join([*parts[:1], *([MORE] if len(parts) > 1 else [])])


def _without_markup(text: str) -> str:
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    root = etree.fromstring(f"<body>{text}</body>".encode(), parser)
    etree.strip_elements(root, *_DROPPED, with_tail=False)
    for element in root.iter():
        element.text = _SPACE.sub(" ", element.text or "")
        element.tail = _SPACE.sub(" ", element.tail or "")
    for element in root.iter(*_BLOCKS):
        element.text = f"\n{element.text}"
        element.tail = f"\n{element.tail}"
    return "".join(root.itertext())


def _category(terms: tuple[str, ...]) -> str:
    """Return the category that one of the terms names, by its code or in this node's language.

    Empty if none does: nobody looks at it here who could correct a guess.
    """
    with force_locale(settings().locale):
        names = {gettext(label): code for code, label in CATEGORIES.items()}
    for term in terms:
        code = names.get(term.strip(), term.strip())
        if code in CATEGORIES:
            return code
    return ""


def _tags(terms: tuple[str, ...]) -> list[str]:
    tags = (" ".join(plain(term).split()) for term in terms)
    kept = (tag for tag in tags if 0 < len(tag) <= TAG and tag not in CATEGORIES)
    return list(dict.fromkeys(kept))[:TAGS]
