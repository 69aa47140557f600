"""Forms for writing and deciding, made from the list of fields.

They only carry what people type: `content` judges it, and its complaints come back beside the
field that they are about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import Optional
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from hub.cases.errors import IncompleteError, UnknownChoiceError
from hub.cases.fields import CATEGORIES, VISIBILITIES, Column, Shape, fields_of
from hub.cases.fields import Field as Described
from hub.cases.models import Kind
from hub.cases.remarks import LENGTH
from hub.cases.scales import OUTCOMES
from hub.cases.service import Approval, Secrecy, Work
from hub.errors import HubError, words

SPARE_ROWS = 2  # Empty rows beneath those that are filled in; saving brings new ones.
AROUND = ("unit", "visibility", "partners")
# Where a section of a document may go, beside the full text in which it stays.
PLACES = [
    field
    for field in fields_of(Kind.CASE)
    if field.shape in {Shape.TEXT, Shape.STEPS, Shape.ROWS} and field.name != "summary"
]
PROPOSED = ("title", "summary", "category")


class PeriodForm(Form):
    """Two months."""

    begins = StringField(lazy_gettext("First month"), render_kw={"type": "month"})
    ends = StringField(lazy_gettext("Last month"), render_kw={"type": "month"})


class Checkboxes(SelectMultipleField):
    """Several choices, each a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class WritingForm(FlaskForm):
    """What surrounds the fields of every kind."""

    version = IntegerField(validators=[Optional()], widget=HiddenInput())
    unit = SelectField(lazy_gettext("Submitting unit"))
    visibility = RadioField(lazy_gettext("Who may read it"))
    partners = Checkboxes(lazy_gettext("Partner enterprises"))
    file_errors: Sequence[str] = ()  # What was wrong with a file; it has a form of its own.


class ImportForm(FlaskForm):
    """A document, or a text that was copied from one."""

    text = TextAreaField(lazy_gettext("Or paste its text"), render_kw={"rows": 8})
    folds = BooleanField(lazy_gettext("Convert Traditional characters to Simplified"), default=True)
    file_errors: Sequence[str] = ()


class ArrangeForm(WritingForm):
    """What was proposed for a draft that was made of a document."""

    title = StringField(lazy_gettext("Title"), render_kw={"maxlength": 40})
    summary = TextAreaField(lazy_gettext("Summary"), render_kw={"rows": 4, "maxlength": 300})
    category = SelectField(
        lazy_gettext("Category"),
        choices=[SelectChoice(code, lazy_gettext(name)) for code, name in CATEGORIES.items()],
    )


class DecisionForm(FlaskForm):
    """A decision on exactly the version that was shown."""

    version = IntegerField(validators=[Optional()], widget=HiddenInput())


class SecrecyForm(DecisionForm):
    """What the secrecy review decides."""

    decision = RadioField(
        lazy_gettext("Decision"),
        choices=[
            SelectChoice(Secrecy.CLEARED, lazy_gettext("Cleared: nothing in it must stay inside")),
            SelectChoice(Secrecy.REDACT, lazy_gettext("To be redacted by the author")),
            SelectChoice(Secrecy.ESCALATED, lazy_gettext("Referred upwards: it waits here")),
            SelectChoice(Secrecy.REFUSED, lazy_gettext("Refused: not in this text")),
        ],
    )
    grounds = TextAreaField(lazy_gettext("Grounds"), render_kw={"rows": 3, "maxlength": 1000})


class ApprovalForm(DecisionForm):
    """What the review of the content decides."""

    decision = RadioField(
        lazy_gettext("Decision"),
        choices=[
            SelectChoice(Approval.APPROVED, lazy_gettext("Agree: it may be signed")),
            SelectChoice(Approval.RETURNED, lazy_gettext("Returned to the author")),
        ],
    )
    note = TextAreaField(
        lazy_gettext("Note to the author"), render_kw={"rows": 3, "maxlength": 1000}
    )


class AudienceForm(DecisionForm):
    """Who may read a case from now on."""

    visibility = RadioField(lazy_gettext("Who may read it"))
    partners = Checkboxes(lazy_gettext("Partner enterprises"))


class WithdrawalForm(DecisionForm):
    """Why a case is taken back."""

    reason = TextAreaField(lazy_gettext("Reason"), render_kw={"rows": 3, "maxlength": 1000})


class RemarkForm(FlaskForm):
    """A question or an answer."""

    text = TextAreaField(lazy_gettext("Your text"), render_kw={"rows": 4, "maxlength": LENGTH})


class AdoptionForm(FlaskForm):
    """How it went in the unit that took a case over."""

    outcome = RadioField(
        lazy_gettext("What came of it"),
        choices=[SelectChoice(code, lazy_gettext(name)) for code, name in OUTCOMES.items()],
        validate_choice=False,  # The service judges it, and says so beside it.
    )
    text = TextAreaField(
        lazy_gettext("How it went, in a few sentences"),
        id="adoption-text",
        render_kw={"rows": 4, "maxlength": LENGTH},
    )


@dataclass(frozen=True)
class Slip:
    """What was typed beside a question and not taken, to be shown again with the reason."""

    id: UUID  # Of the question.
    text: str
    error: str


@cache
def writing_form(kind: str) -> type[WritingForm]:
    """Return the form for a kind of document."""
    inputs = {field.name: _input(field) for field in fields_of(kind)}
    return type(f"{kind.title()}Form", (WritingForm,), inputs)


def filled(kind: str, content: Mapping[str, Any], **around: Any) -> WritingForm:
    """Return the form with the content of a case in it, and some empty rows."""
    shown = {field.name: _shown(field, content.get(field.name)) for field in fields_of(kind)}
    return writing_form(kind)(formdata=None, data=shown | around)


def arranged(work: Work) -> ArrangeForm:
    """Return the form with what was proposed for a draft in it."""
    case = work.case
    shown = {name: work.content.get(name) for name in PROPOSED}
    around = {"unit": str(case.unit_id), "visibility": case.visibility, "partners": case.partners}
    return ArrangeForm(formdata=None, data=shown | around | {"version": case.version})


def arranged_values(form: ArrangeForm) -> dict[str, Any]:
    """Return what was typed there; what is empty empties its field."""
    around = {name: form[name].data for name in AROUND if form[name].data}
    return {name: form[name].data or "" for name in PROPOSED} | around


def offer(form: Any, units: Mapping[str, str], partners: Mapping[str, str]) -> None:
    """Fill in what may be chosen here: units that one writes for, and partners that are known."""
    if "unit" in form:
        form.unit.choices = [SelectChoice(code, name) for code, name in units.items()]
    form.partners.choices = [SelectChoice(slug, name) for slug, name in partners.items()]
    labels = (
        VISIBILITIES if partners else {k: v for k, v in VISIBILITIES.items() if k != "partners"}
    )
    form.visibility.choices = [(code, gettext(label)) for code, label in labels.items()]


def values_of(form: WritingForm, kind: str) -> dict[str, Any]:
    """Return what was typed, as `content.clean` takes it; what is empty empties its field."""
    values = {field.name: _typed(field, form[field.name].data) for field in fields_of(kind)}
    around = {name: form[name].data for name in AROUND if form[name].data}
    return values | around


def complain(form: FlaskForm, error: HubError) -> None:
    """Show an error beside the input that it is about, or above the form."""
    message, name = complaint(error), (error.field or "").split(".")[0]
    if name == "file" and hasattr(form, "file_errors"):
        form.file_errors = [*form.file_errors, message]
    elif name in form and isinstance(form[name].errors, list | tuple):
        form[name].errors = [*form[name].errors, message]
    else:
        form.form_errors.append(message)


def complaint(error: HubError) -> str:
    """Return what is wrong with an input, in words that need no code of a field or choice."""
    if isinstance(error, UnknownChoiceError):
        return str(gettext("Please choose one of these."))
    if isinstance(error, IncompleteError):
        return str(gettext("Please fill this in."))
    return words(error)


def _input(field: Described) -> Any:
    label, about = lazy_gettext(field.label), lazy_gettext(field.hint) if field.hint else ""
    match field.shape:
        case Shape.FLAG:
            return BooleanField(label, description=about)
        case Shape.CHOICE:
            words = (field.choices or {}).items()
            choices = [SelectChoice(code, lazy_gettext(word)) for code, word in words]
            blank = SelectChoice("", lazy_gettext("Please choose"))
            return SelectField(label, description=about, choices=[blank, *choices], default="")
        case Shape.CHOICES:
            words = (field.choices or {}).items()
            boxes = [SelectChoice(code, lazy_gettext(word)) for code, word in words]
            return Checkboxes(label, description=about, choices=boxes)
        case Shape.PERIOD:
            return FormField(PeriodForm, label)
        case Shape.ROWS:
            cells = {column.name: _cell(column) for column in field.columns}
            row = type(f"{field.name.title()}Row", (Form,), cells)
            return FieldList(FormField(row), label, max_entries=field.items + SPARE_ROWS)
        case Shape.TEXT | Shape.MARKDOWN | Shape.STEPS:
            rows = {Shape.TEXT: 4, Shape.STEPS: 6, Shape.MARKDOWN: 14}[field.shape]
            more = {} if field.shape == Shape.STEPS else {"maxlength": field.limit}
            return TextAreaField(label, description=about, render_kw={"rows": rows, **more})
    more = {} if field.shape == Shape.TAGS else {"maxlength": field.limit}
    return StringField(label, description=about, render_kw=more)


def _cell(column: Column) -> Any:
    label = lazy_gettext(column.label)
    if column.shape == Shape.FLAG:
        return BooleanField(label)
    if column.shape == Shape.TEXT:
        return TextAreaField(label, render_kw={"rows": 2, "maxlength": column.limit})
    return StringField(label, render_kw={"maxlength": column.limit})


def _shown(field: Described, value: Any) -> Any:
    match field.shape:
        case Shape.STEPS:
            return "\n".join(value or ())
        case Shape.TAGS:
            return gettext(", ").join(value or ())
        case Shape.PERIOD:
            begins, _, ends = (value or "").partition("/")
            return {"begins": begins, "ends": ends}
        case Shape.ROWS:
            return [*(value or ()), *({} for _ in range(SPARE_ROWS))][: field.items]
    return value


def _typed(field: Described, value: Any) -> Any:
    match field.shape:
        case Shape.STEPS:
            return [line for line in (value or "").splitlines() if line.strip()]
        case Shape.TAGS:
            commas = (value or "").replace("，", ",").replace("、", ",")
            return [tag for tag in commas.split(",") if tag.strip()]
        case Shape.PERIOD:
            months = (value["begins"] or "", value["ends"] or "")
            return "/".join(months) if any(months) else ""
        case Shape.ROWS:
            return [_typed_row(field, row) for row in value]
        case Shape.FLAG:
            return bool(value)
        case Shape.CHOICES:
            return value or []
    return value or ""


def _typed_row(field: Described, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column.name: bool(cell) if column.shape == Shape.FLAG else cell or ""
        for column in field.columns
        for cell in (row.get(column.name),)
    }
