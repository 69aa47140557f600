"""From a plain text to a title and Markdown: headings from numbering, parts from length."""

import re

from hub.cases.content import LONG_FORM

TITLE = 40  # Characters.
# As official documents number their parts (GB/T 9704-2012, 7.3.3).
_NUMBERED = (
    (re.compile(r"[一二三四五六七八九十]{1,3}、"), "## "),
    (re.compile(r"（[一二三四五六七八九十]{1,3}）"), "### "),
    (re.compile(r"\d{1,2}[.．、](?!\d)"), "#### "),
    (re.compile(r"[（(]\d{1,2}[）)]"), "##### "),
)
_LISTED = ("#### ", "##### ")  # Whose numbers also stand before the items of a list.
_ENDS = re.compile(r"[。！？；.!?;]”?$")
_SENTENCE = re.compile(r"[^。！？]*[。！？][”’）]*|[^。！？]+$")
_SPECIAL = re.compile(r"(?=^(?:[#>+*-]|\d+[.)]\s))")  # What Markdown would take for a mark.
HEADING = 30  # Characters; a longer line is a paragraph.
PARAGRAPH = 40


def to_markdown(text: str) -> str:
    """Return paragraphs as Markdown, their headings found by numbering or by standing alone."""
    lines = text.split("\n")
    marks = heading_marks(lines)
    return "\n\n".join(map(as_block, marks, lines))


def heading_marks(lines: list[str]) -> list[str]:
    """Return the Markdown mark of each line that is a heading, and nothing for the others.

    A number before a line that another one of its kind follows at once counts the items of a list.
    """
    marks = [_level(lines, at) for at in range(len(lines))]
    return [
        ""
        if mark in _LISTED and (_is_item(lines, at - 1, mark) or _is_item(lines, at + 1, mark))
        else mark
        for at, mark in enumerate(marks)
    ]


def _is_item(lines: list[str], at: int, mark: str) -> bool:
    """Say whether there is a line that is numbered as the headings with this mark are."""
    pattern = next(pattern for pattern, own in _NUMBERED if own == mark)
    return 0 <= at < len(lines) and pattern.match(lines[at]) is not None


def title_of(text: str) -> tuple[str, str, bool]:
    """Return a title, the text without it, and whether the title had to be made.

    A short first line is the title. Else what all headings begin with is, such as “国企推行
    ‘数字党建’” before “的价值分析” and “的基本原则”; else the first sentence.
    """
    lines = text.split("\n")
    first, rest = lines[0], lines[1:]
    if rest and len(first) <= TITLE and not _ENDS.search(first) and not _level(lines, 0):
        return first, "\n".join(rest), False
    headings = [lines[at] for at in range(len(lines)) if _level(lines, at) == "## "]
    shared = _common_start(headings).rstrip("的之，、") if len(headings) > 1 else ""
    if 6 <= len(shared) <= TITLE and shared.count("“") == shared.count("”"):
        return shared, text, True
    sentence = _SENTENCE.match(first)
    return cut((sentence.group() if sentence else first).rstrip("。；")), text, True


def _common_start(lines: list[str]) -> str:
    """Return what the lines begin with, all of them."""
    low, high = min(lines), max(lines)
    same = (at for at, character in enumerate(low) if character != high[at])
    return low[: next(same, len(low))]


def cut(title: str) -> str:
    """Return a title that fits."""
    title = " ".join(title.split())
    return title if len(title) <= TITLE else title[: TITLE - 1] + "…"


def parts_of(body: str, limit: int = LONG_FORM) -> list[str]:
    """Return a text in parts of at most so many characters, cut at the end of paragraphs.

    A paragraph that is too long by itself is cut at the end of sentences.
    """
    parts: list[str] = []
    blocks = [block for block in body.split("\n\n") if block.strip()]
    for block in (piece for whole in blocks for piece in _pieces(whole, limit)):
        if parts and len(parts[-1]) + 2 + len(block) <= limit:
            parts[-1] += "\n\n" + block
        else:
            parts.append(block)
    return parts


def part_title(title: str, part: int, count: int) -> str:
    """Return the title of one of several parts."""
    if count == 1:
        return title
    ending = f"（{part}/{count}）"
    return title[: TITLE - len(ending)] + ending


def _pieces(block: str, limit: int) -> list[str]:
    if len(block) <= limit:
        return [block]
    pieces = [""]
    for sentence in _SENTENCE.findall(block):
        for start in range(0, len(sentence), limit):
            fragment = sentence[start : start + limit]
            if len(pieces[-1]) + len(fragment) > limit:
                pieces.append("")
            pieces[-1] += fragment
    return [piece for piece in pieces if piece]


def as_block(mark: str, line: str) -> str:
    """Return a paragraph, or a heading with its mark, as Markdown."""
    return mark + line if mark else _SPECIAL.sub(r"\\", line, count=1)


def _level(lines: list[str], at: int) -> str:
    """Return the Markdown mark of a line that is a heading, else nothing."""
    line = lines[at]
    if len(line) > HEADING or _ENDS.search(line):
        return ""
    for pattern, mark in _NUMBERED:
        if pattern.match(line):
            return mark
    around = lines[max(0, at - 1) : at] + lines[at + 1 : at + 2]
    stands_alone = at > 0 and len(around) == 2 and all(len(other) > PARAGRAPH for other in around)
    return "## " if stands_alone else ""
