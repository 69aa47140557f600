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
NO_FILE = mark("A file that it names is not beside it.")
NOT_JSON = mark("It is not a JSON object with title and body.")
TOO_LARGE = mark("It is larger than %(limit)s MB.")
WRONG_KIND = mark("Only .md, .txt and .jsonl are read.")


PERSONAL = mark("Paragraph %(number)s: a personal number stands near “%(text)s”. Take it out.")
MARKED = mark(
    "Paragraph %(number)s: “%(text)s” looks like a confidentiality mark. State secrets and "
    "internal papers have no place here."
)
LOST = {
    "picture": mark("%(count)s pictures were not taken over. They are in the original."),
    "formula": mark("%(count)s formulas were not taken over. They are in the original."),
    "chart": mark("%(count)s charts were not taken over. They are in the original."),
    "diagram": mark("%(count)s diagrams were not taken over. They are in the original."),
    "embedded": mark("%(count)s embedded objects were not taken over. They are in the original."),
}
SUMMARY_MADE = mark("The summary was taken from the text. Please check it.")
PERIOD_MADE = mark("The period was taken from the text. Please check it.")
UNIT_MADE = mark("The unit was taken from the text. Please check it.")
ROW = mark("Row %(number)s was left out, because of “%(field)s”: %(reason)s")
CUT = mark(
    "The full text was cut after %(limit)s characters, the most that are shown. All of it is in "
    "the original."
)
NOT_FITTING = mark("“%(heading)s” does not fit “%(label)s”: it stays in the full text only.")


def code_of(message: str) -> str:
    """Return the name that programs know a note by."""
    for kind, text in LOST.items():
        if text == message:
            return f"lost_{kind}"
    return next(name.lower() for name, text in globals().items() if text == message)


@dataclass(frozen=True)
class Note:
    """One thing to tell, as a marked message and its values."""

    message: str
    values: dict[str, Any] = field(default_factory=dict)
    where: str | None = None  # The field that it is about.


def note(message: str, **values: Any) -> Note:
    """Return a note with its values."""
    return Note(message, values)
