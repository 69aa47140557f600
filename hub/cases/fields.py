"""What a case and a pilot lesson consist of: the one list of their fields, and of their words.

Forms, the API, imports and pages all follow it; `content` judges what a field may hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hub.cases.errors import UnknownChoiceError
from hub.cases.models import Kind
from hub.errors import mark
from hub.identity.profile import PARTS
from hub.media.kinds import KINDS as MEDIA_TYPES

CATEGORIES = {
    "belief_education": mark("Belief education"),
    "cadre_management": mark("Cadre management"),
    "organisational_life": mark("Organisational life"),
    "organisational_function": mark("Organisational function"),
    "member_education": mark("Member education"),
    "digital_party_building": mark("Digital Party building"),
    "rules": mark("Rules"),
    "responsibility": mark("Responsibility"),
    "business_integration": mark("Business integration"),
    "project_sites": mark("Project sites"),
    "joint_building": mark("Joint building"),
    "brand": mark("Brand"),
}
OTHER_FILE = mark("other file")
_FILES = {
    "pdf": mark("PDF"),
    "docx": mark("Word document"),
    "xlsx": mark("Excel sheet"),
    "pptx": mark("PowerPoint slides"),
    "png": mark("picture"),
    "jpg": mark("picture"),
    "webp": mark("picture"),
    "txt": mark("plain text"),
    "md": mark("plain text"),
    "csv": mark("table as text"),
}
FILE_TYPES = {MEDIA_TYPES[extension]: word for extension, word in _FILES.items()}
KINDS = {"case": mark("Case"), "pilot_lesson": mark("Pilot lesson")}
VISIBILITIES = {
    "unit": mark("My unit"),
    "node": mark("This node"),
    "group": mark("The whole group"),
    "partners": mark("Named partner enterprises, and the group"),
    "public": mark("Everybody"),
}
STATES = {
    "draft": mark("Draft"),
    "secrecy_review": mark("Secrecy review"),
    "unit_review": mark("Content review"),
    "approved": mark("Approved"),
    "signed": mark("Signed"),
    "published": mark("Published"),
    "widen_review": mark("Review of a wider audience"),
    "withdrawn": mark("Withdrawn"),
}
POSTS = {
    "branch_secretary": mark("Branch secretary"),
    "adoption_liaison": mark("Adoption liaison"),
    "author": mark("Author"),
    "signatory": mark("Signatory"),
    "secrecy_reviewer": mark("Secrecy reviewer"),
    "group_editor": mark("Group editor"),
    "expert": mark("Expert"),
    "partner_liaison": mark("Partner liaison"),
}
HOW_CHOSEN = {"assigned": mark("Assigned by a superior"), "applied": mark("Applied for")}
VERDICTS = {
    "extend": mark("Extend it"),
    "adjust": mark("Adjust it, then go on"),
    "stop": mark("Stop it"),
    "inconclusive": mark("No conclusion yet"),
}
EVALUATORS = {
    "self": mark("The unit itself"),
    "superior": mark("Its superior"),
    "third_party": mark("A third party"),
}


class Shape(StrEnum):
    """What kind of value a field holds."""

    LINE = "line"
    TEXT = "text"
    MARKDOWN = "markdown"
    PERIOD = "period"
    POST = "post"  # A post that answers questions, never a person.
    CHOICE = "choice"
    CHOICES = "choices"
    FLAG = "flag"
    TAGS = "tags"
    STEPS = "steps"
    ROWS = "rows"
    REFERENCE = "reference"  # The id of another document.


@dataclass(frozen=True)
class Column:
    """One column of a table that an author fills in."""

    name: str
    label: str
    shape: Shape = Shape.LINE
    limit: int = 200


@dataclass(frozen=True)
class Field:
    """One thing that a document says: its name, how people call it, and its bounds."""

    name: str
    label: str
    shape: Shape = Shape.TEXT
    limit: int = 1_000  # Characters; of each item in a list.
    required: bool = False
    hint: str = ""
    items: int = 0  # Most items of a list.
    columns: tuple[Column, ...] = ()
    choices: Mapping[str, str] | None = None


_TITLE = Field("title", mark("Title"), Shape.LINE, 40, required=True, hint=mark("40 characters."))
_SUMMARY_HINT = mark("Begin with the result in one sentence. 300 characters.")
_BODY = Field(
    "body",
    mark("Full text"),
    Shape.MARKDOWN,
    3_000,
    hint=mark("Optional. 3,000 characters; “## ” begins a heading."),
)
_TAGS = Field(
    "tags", mark("Tags"), Shape.TAGS, 20, items=10, hint=mark("Ten at most, with commas between.")
)
_SAMPLE = Field(
    "sample", mark("A sample"), Shape.FLAG, hint=mark("Invented, to show how it is done.")
)
# For which units it is meant; where nothing is chosen, what is known of its own unit speaks.
SUITS: tuple[Field, ...] = (
    Field("suits_levels", mark("For units of the level"), Shape.CHOICES, choices=PARTS["level"]),
    Field("suits_sizes", mark("For units of the size"), Shape.CHOICES, choices=PARTS["size"]),
    Field("suits_layouts", mark("For members who work"), Shape.CHOICES, choices=PARTS["layout"]),
    Field("suits_sectors", mark("For the sector"), Shape.CHOICES, choices=PARTS["sector"]),
)
_POST_HINT = mark("A post that answers questions, never a person’s name or number.")

CASE: tuple[Field, ...] = (
    _TITLE,
    Field("category", mark("Category"), Shape.CHOICE, required=True, choices=CATEGORIES),
    Field("period", mark("Period"), Shape.PERIOD, 15, required=True, hint=mark("2026-01/2026-09")),
    Field("summary", mark("Summary"), limit=300, required=True, hint=_SUMMARY_HINT),
    Field("background", mark("Background"), required=True),
    Field("problem", mark("Problem"), required=True),
    Field(
        "practice",
        mark("Practice"),
        Shape.STEPS,
        500,
        required=True,
        items=20,
        hint=mark("One step to a line, in the order in which they were done."),
    ),
    Field(
        "outcomes",
        mark("Outcomes"),
        Shape.ROWS,
        required=True,
        items=20,
        columns=(
            Column("metric", mark("Measure")),
            Column("baseline", mark("Before")),
            Column("value", mark("After")),
            Column("source", mark("Source of the figure")),
        ),
    ),
    Field("insight", mark("Insight"), required=True),
    Field("preconditions", mark("Preconditions"), required=True),
    Field("people_needed", mark("People needed"), Shape.LINE, 200),
    Field("duration", mark("Duration"), Shape.LINE, 200),
    Field("cost_band", mark("Cost"), Shape.LINE, 200),
    Field("pitfalls", mark("Pitfalls")),
    Field("must_keep", mark("What must be kept")),
    Field("may_adapt", mark("What may be adapted")),
    Field("contact_post", mark("Contact post"), Shape.POST, 100, required=True, hint=_POST_HINT),
    Field("awards", mark("Awards"), Shape.LINE, 200),
    *SUITS,
    _TAGS,
    Field("parent_case", mark("Derived from case"), Shape.REFERENCE, 36),
    _BODY,
    _SAMPLE,
)

PILOT_LESSON: tuple[Field, ...] = (
    _TITLE,
    Field("category", mark("Category"), Shape.CHOICE, choices=CATEGORIES),
    Field("period", mark("Period"), Shape.PERIOD, 15, hint=mark("2026-01/2026-09")),
    Field("summary", mark("Summary"), limit=300, hint=_SUMMARY_HINT),
    Field(
        "how_chosen",
        mark("How the unit was chosen"),
        Shape.CHOICE,
        required=True,
        choices=HOW_CHOSEN,
    ),
    Field("objective", mark("Objective"), required=True),
    Field("scope", mark("Scope"), required=True),
    Field(
        "stages",
        mark("Stages"),
        Shape.ROWS,
        required=True,
        items=12,
        columns=(
            Column("name", mark("Stage")),
            Column("dates", mark("Dates")),
            Column("done", mark("What was done"), Shape.TEXT, 500),
        ),
    ),
    Field(
        "indicators",
        mark("Indicators"),
        Shape.ROWS,
        required=True,
        items=20,
        columns=(
            Column("name", mark("Indicator")),
            Column("baseline", mark("Before")),
            Column("target", mark("Target")),
            Column("actual", mark("Actual")),
        ),
    ),
    Field(
        "problems",
        mark("Problems met"),
        Shape.ROWS,
        required=True,
        items=20,
        columns=(
            Column("what", mark("Problem")),
            Column("cause", mark("Cause"), Shape.TEXT, 500),
            Column("solution", mark("Solution"), Shape.TEXT, 500),
            Column("resolved", mark("Resolved"), Shape.FLAG),
        ),
    ),
    Field("verdict", mark("Verdict"), Shape.CHOICE, required=True, choices=VERDICTS),
    Field("copy_conditions", mark("Conditions for copying it"), required=True),
    Field("not_suitable_for", mark("Not suitable for"), required=True),
    Field("cost", mark("Cost"), Shape.LINE, 200),
    Field("survey", mark("Survey")),
    Field("evaluator", mark("Evaluated by"), Shape.CHOICE, choices=EVALUATORS),
    Field("next_step", mark("Next step")),
    Field("linked_case", mark("Linked case"), Shape.REFERENCE, 36),
    Field("contact_post", mark("Contact post"), Shape.POST, 100, hint=_POST_HINT),
    *SUITS,
    _TAGS,
    Field(
        "hide_unit_name",
        mark("Hide the name of the unit"),
        Shape.FLAG,
        hint=mark("Readers then see the lesson without the unit’s name."),
    ),
    _BODY,
    _SAMPLE,
)

_BY_KIND = {Kind.CASE: CASE, Kind.PILOT_LESSON: PILOT_LESSON}

# What a reader needs to judge whether it fits comes first (docs/interface.md).
_READING = {
    Kind.CASE: "problem practice outcomes preconditions suits_levels suits_sizes suits_layouts "
    "suits_sectors people_needed duration cost_band must_keep may_adapt pitfalls contact_post "
    "background insight awards",
    Kind.PILOT_LESSON: "verdict objective scope stages indicators problems copy_conditions "
    "not_suitable_for suits_levels suits_sizes suits_layouts suits_sectors next_step survey "
    "how_chosen cost evaluator contact_post",
}
READING = {
    kind: tuple(field for name in names.split() for field in _BY_KIND[kind] if field.name == name)
    for kind, names in _READING.items()
}


def fields_of(kind: str) -> tuple[Field, ...]:
    """Return the fields of a kind of document, in the order in which people meet them.

    :raises ContentError: when there is no such kind.
    """
    if kind not in KINDS:
        raise UnknownChoiceError(field="kind", choices=", ".join(KINDS))
    return _BY_KIND[Kind(kind)]
