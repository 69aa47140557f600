"""Shapes of requests and answers of the API, made from the list of fields.

Here stands only which types are taken; what a field may hold is judged by `content`, once for all.
"""

from typing import Any

from flask_smorest.fields import Upload
from marshmallow import RAISE, Schema, fields, validate

from hub.cases.fields import CASE, KINDS, PILOT_LESSON, STATES, VISIBILITIES, Field, Shape
from hub.cases.remarks import LENGTH
from hub.cases.scales import OUTCOMES, REPLICABILITY
from hub.cases.service import Approval as ApprovalDecision
from hub.cases.service import Secrecy


class Strict(Schema):
    """A request body: what it does not know it refuses."""

    class Meta:
        """Unknown fields are errors."""

        unknown = RAISE


class Export(Strict):
    """In which form a case is wanted."""

    format = fields.String(required=True, validate=validate.OneOf(["docx", "md"]))


def _row(field: Field) -> type[Schema]:
    cells: dict[str, fields.Field[Any]] = {
        column.name: fields.Boolean(truthy={True}, falsy={False})
        if column.shape == Shape.FLAG
        else fields.String(metadata={"maxLength": column.limit})
        for column in field.columns
    }
    return Strict.from_dict(cells, name=f"{field.name.title()}Row")


def _taken(field: Field) -> fields.Field[Any]:
    """Return the type that the API takes for a field; null empties it."""
    about = {"description": field.label, "maxLength": field.limit}
    match field.shape:
        case Shape.FLAG:
            return fields.Boolean(truthy={True}, falsy={False}, allow_none=True)
        case Shape.TAGS | Shape.STEPS:
            item = fields.String(metadata={"maxLength": field.limit})
            return fields.List(item, allow_none=True, metadata={"maxItems": field.items})
        case Shape.CHOICES:
            code = fields.String(metadata={"enum": list(field.choices or ())})
            return fields.List(code, allow_none=True, metadata={"description": field.label})
        case Shape.ROWS:
            row = fields.Nested(_row(field))
            return fields.List(row, allow_none=True, metadata={"maxItems": field.items})
        case Shape.CHOICE:
            about = {"description": field.label, "enum": [*(field.choices or ()), None]}
    return fields.String(allow_none=True, metadata=about)


_AROUND: dict[str, fields.Field[Any]] = {
    "unit": fields.String(metadata={"description": "Id or name; the author's own if absent"}),
    "visibility": fields.String(metadata={"enum": list(VISIBILITIES)}),
    "partners": fields.List(fields.String(), metadata={"description": "Slugs of enterprises"}),
}
_CONTENT = {field.name: _taken(field) for field in (*CASE, *PILOT_LESSON)}
_VERSION = fields.Integer(strict=True, metadata={"description": "As last seen; 409 if changed"})


class NewCase(Strict.from_dict({**_CONTENT, **_AROUND}, name="CaseContent")):  # type: ignore[misc]
    """A case or pilot lesson to begin."""

    kind = fields.String(required=True, metadata={"enum": list(KINDS)})
    title = fields.String(required=True, metadata={"maxLength": 40})


class CaseChanges(Strict.from_dict({**_CONTENT, **_AROUND}, name="CaseChange")):  # type: ignore[misc]
    """Fields of a case to change."""

    version = _VERSION


class Step(Strict):
    """A step without a choice."""

    version = _VERSION


class SecrecyReview(Step):
    """What the secrecy review decided, and why."""

    decision = fields.String(required=True, metadata={"enum": list(Secrecy)})
    grounds = fields.String(required=True)


class Approval(Step):
    """What the review of the content decided."""

    decision = fields.String(required=True, metadata={"enum": list(ApprovalDecision)})
    note = fields.String()


class Audience(Step):
    """Who shall read it."""

    visibility = fields.String(required=True, metadata={"enum": list(VISIBILITIES)})
    partners = fields.List(fields.String(), load_default=list)


class Withdrawal(Step):
    """Why it is taken back."""

    reason = fields.String(required=True)


class Standing(Schema):
    """Which case, and where it stands now."""

    id = fields.UUID()
    state = fields.String(validate=validate.OneOf(STATES))


class Listed(Standing):
    """A case in a list."""

    kind = fields.String()
    title = fields.String()
    rev = fields.Integer()
    changed_at = fields.DateTime()


class Worklist(Schema):
    """What somebody wrote and what waits for them."""

    mine = fields.List(fields.Nested(Listed))
    queue = fields.List(fields.Nested(Listed))


class File(Schema):
    """A file of a case; `/cases/<id>/files/<sha256>` hands it over to readers."""

    sha256 = fields.String(required=True)
    size = fields.Integer(required=True)
    type = fields.String(required=True)
    name = fields.String(required=True)


class NewFile(Schema):
    """A file to attach."""

    file = Upload(required=True, metadata={"description": "At most HUB_ATTACHMENT_MEGABYTES"})


class RegisterPage(Schema):
    """Which part of the register."""

    before = fields.Integer(validate=validate.Range(min=1))
    since = fields.DateTime(metadata={"description": "From then on; with its zone"})
    until = fields.DateTime(metadata={"description": "Before then; with its zone"})
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=500))


class Decided(Schema):
    """A line of the register."""

    number = fields.Integer()
    at = fields.DateTime()
    action = fields.String()
    case_id = fields.UUID()
    title = fields.String()
    unit = fields.String()
    by = fields.String()
    rev = fields.Integer(allow_none=True)
    grounds = fields.String()
    digest = fields.String()


class Register(Schema):
    """Lines of the register, newest first; `before` asks for those that follow."""

    decisions = fields.List(fields.Nested(Decided))
    before = fields.Integer(allow_none=True)


class Folding(Schema):
    """How a document is brought in."""

    folds = fields.Boolean(
        load_default=False, metadata={"description": "Make Traditional characters Simplified"}
    )


class FoundSection(Schema):
    """A section of a document, and the field that it was put into as well."""

    heading = fields.String()
    field = fields.String()


class Warned(Schema):
    """Something to look at, or what was changed."""

    code = fields.String()
    place = fields.String(metadata={"description": "Number of a paragraph, or name of a section"})
    text = fields.String()


class Imported(Schema):
    """What became of a document."""

    id = fields.UUID(metadata={"description": "Of the draft; of a sheet, of its first"})
    ids = fields.List(fields.UUID())
    sections = fields.List(fields.Nested(FoundSection))
    warnings = fields.List(fields.Nested(Warned))


class Shown(Standing.from_dict(_CONTENT, name="CaseText")):  # type: ignore[misc]
    """A case as its reader sees it; the last four only for those who may act on it."""

    kind = fields.String()
    rev = fields.Integer()
    origin = fields.String()
    enterprise = fields.String()
    unit = fields.String()
    attachments = fields.List(fields.Nested(File))
    published_at = fields.DateTime()
    synced_at = fields.DateTime()
    replicability = fields.String(metadata={"enum": [*REPLICABILITY, ""]})
    adopted = fields.Integer(metadata={"description": "Other units that took it over"})
    effective = fields.Integer(metadata={"description": "Those of them that it worked for"})
    unsigned = fields.Boolean(metadata={"description": "True for what was harvested elsewhere"})
    source = fields.String(metadata={"description": "Where that came from; absent otherwise"})
    source_link = fields.String()
    version = fields.Integer()
    visibility = fields.String()
    partners = fields.List(fields.String())
    note = fields.String()


class NewRemark(Strict):
    """A question or an answer: plain text that names no person."""

    text = fields.String(required=True, metadata={"maxLength": LENGTH})


class NewAdoption(NewRemark):
    """How a case fared in the unit that took it over."""

    outcome = fields.String(required=True, metadata={"enum": list(OUTCOMES)})


class Said(Schema):
    """Which question or answer."""

    id = fields.UUID()


class Remark(Said):
    """What a unit said of a case; `state` is accepted once others see it."""

    type = fields.String()
    state = fields.String()
    text = fields.String()
    unit = fields.String()
    post = fields.String()
    origin = fields.String()
    said_at = fields.DateTime()


class Question(Remark):
    """A question or comment with its answers."""

    answers = fields.List(fields.Nested(Remark))


class Adoption(Remark):
    """What a unit reports of its adoption; what is not known of the unit is empty."""

    outcome = fields.String(metadata={"enum": [*OUTCOMES, ""]})
    is_confirmed = fields.Boolean(metadata={"description": "By the unit's own branch secretary"})
    level = fields.String()
    size = fields.String()
    layout = fields.String()
    sector = fields.String()


class Adoptions(Schema):
    """What units report of their adoptions of a case."""

    adoptions = fields.List(fields.Nested(Adoption))


class Remarks(Schema):
    """What was said of a case."""

    questions = fields.List(fields.Nested(Question))
