"""Forms about people. What they promise the services check again."""

from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (  # type: ignore[attr-defined]  # SelectChoice is newer than the types.
    HiddenField,
    IntegerField,
    PasswordField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.validators import (
    DataRequired,
    EqualTo,
    InputRequired,
    Length,
    NumberRange,
    Optional,
    ValidationError,
)
from wtforms.widgets import CheckboxInput, ListWidget

from hub.identity.labels import LEVELS, PARTS, ROLES, SCOPES
from hub.identity.models import Level

PASSWORD_LENGTH = Length(max=200)


class Checkboxes(SelectMultipleField):
    """Several choices, each a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def one_at_least(form: FlaskForm, field: Checkboxes) -> None:
    """Refuse a group of boxes without a tick; `required` would ask browsers for every tick."""
    if not field.data:
        raise ValidationError(_("Choose at least one."))


class SignInForm(FlaskForm):
    """Username and password."""

    username = StringField(
        _("Username"), [DataRequired(), Length(max=100)], render_kw={"autocomplete": "username"}
    )
    password = PasswordField(
        _("Password"),
        [DataRequired(), PASSWORD_LENGTH],
        render_kw={"autocomplete": "current-password"},
    )
    next = HiddenField()


class PasswordForm(FlaskForm):
    """A new password, proven by the present one."""

    present = PasswordField(
        _("Present password"),
        [DataRequired(), PASSWORD_LENGTH],
        render_kw={"autocomplete": "current-password"},
    )
    new = PasswordField(
        _("New password"),
        [DataRequired(), PASSWORD_LENGTH],
        description=_("8 characters or more; a sentence that only you would say works well."),
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        _("New password again"),
        [DataRequired(), EqualTo("new", _("The two new passwords differ."))],
        render_kw={"autocomplete": "new-password"},
    )


class TokenForm(FlaskForm):
    """A personal token for the API."""

    name = StringField(
        _("What it is for"),
        [DataRequired(), Length(max=100)],
        description=_("For instance the name of the program that will use it."),
    )
    scopes = Checkboxes(_("What it may do"), [one_at_least], choices=SCOPES)
    days = IntegerField(
        _("Days until it expires"), [InputRequired(), NumberRange(1, 365)], default=90
    )


class PersonForm(FlaskForm):
    """A new account."""

    name = StringField(_("Full name"), [DataRequired(), Length(max=100)])
    username = StringField(
        _("Username"),
        [DataRequired(), Length(max=100)],
        description=_("Letters, digits, dots, hyphens; capitals make no difference."),
        render_kw={"autocomplete": "off"},
    )
    organisation = SelectField(_("Organisation"), [DataRequired()])
    roles = Checkboxes(_("Roles at this organisation and below"), [Optional()], choices=ROLES)

    def __init__(self, *, organisations: list[SelectChoice], **values: Any) -> None:
        super().__init__(**values)
        self.organisation.choices = organisations


class GrantForm(FlaskForm):
    """A role, and where it is held."""

    role = SelectField(_("Role"), [DataRequired()], choices=ROLES)
    organisation = SelectField(_("At this organisation and below"), [DataRequired()])

    def __init__(self, *, organisations: list[SelectChoice], **values: Any) -> None:
        super().__init__(**values)
        self.organisation.choices = organisations


class ProfileForm(FlaskForm):
    """What is known of an organisation, so that cases which fit it are found."""

    size = SelectField(_("Size"), choices=PARTS["size"])
    layout = SelectField(_("Where its members work"), choices=PARTS["layout"])
    sector = SelectField(_("Sector"), choices=PARTS["sector"])


class OrganisationForm(FlaskForm):
    """A new organisation in the tree."""

    name = StringField(_("Name of the organisation"), [DataRequired(), Length(max=200)])
    level = SelectField(_("Level"), [DataRequired()], choices=LEVELS, default=Level.BRANCH.value)
    parent = SelectField(_("Organisation above it"), [DataRequired()])

    def __init__(self, *, organisations: list[SelectChoice], **values: Any) -> None:
        super().__init__(**values)
        self.parent.choices = organisations
