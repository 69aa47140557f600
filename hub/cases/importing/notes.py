"""What an import has to tell its author: what it changed, and what it could not mend."""

from dataclasses import dataclass, field
from typing import Any

from hub.errors import mark

GLOSSES = mark("Removed %(count)s pronunciation glosses in brackets.")
SCRIPT = mark("Converted Traditional characters to Simplified.")
PUNCTUATION = mark("Set %(count)s punctuation marks in Chinese form.")
CREDIT = mark("Left out a line that names a person: %(text)s")
TITLE_MADE = mark("The title was taken from the text. Please check it.")
TITLE_CUT = mark("The title had more than 40 characters and was cut. Please check it.")
QUOTES = mark("Paragraph %(number)s: a quotation mark has no partner near “%(text)s”.")
DAMAGE = mark("Paragraph %(number)s: the text is damaged near “%(text)s”.")
SPLIT = mark(
    "Longer than %(limit)s characters: it became %(count)s parts, of which this is number %(part)s."
)
UNIT_UNKNOWN = mark("The unit “%(unit)s” is not on this node; the author's own stands instead.")
CONTROLS = mark("Removed %(count)s invisible characters.")

ENCODING = mark("It is neither UTF-8 nor GB 18030 text.")
EMPTY = mark("There is no text in it.")
FRONT_MATTER = mark("The front matter between the two “---” lines is not valid YAML.")
NOT_JSON = mark("It is not a JSON object with title and body.")
TOO_LARGE = mark("It is larger than %(limit)s MB.")
WRONG_KIND = mark("Only .md, .txt and .jsonl are read.")


@dataclass(frozen=True)
class Note:
    """One thing to tell, as a marked message and its values."""

    message: str
    values: dict[str, Any] = field(default_factory=dict)
    where: str | None = None  # The field that it is about.


def note(message: str, **values: Any) -> Note:
    """Return a note with its values."""
    return Note(message, values)
