"""Forms about the federation. What they promise the services check again."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (  # type: ignore[attr-defined]  # SelectChoice is newer than the types.
    BooleanField,
    DateField,
    Field,
    HiddenField,
    SelectChoice,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from hub.config import settings
from hub.errors import HubError
from hub.registry.models import PeerKind


class JoinForm(FlaskForm):
    """The code that a headquarters gave out."""

    code = TextAreaField(
        _("Invitation code"),
        [DataRequired(), Length(max=2000)],
        description=_("It begins with “jw1.” and holds for 24 hours."),
        render_kw={"rows": 4, "autocomplete": "off", "spellcheck": "false"},
    )


class InvitationForm(FlaskForm):
    """Whom to invite, and as what."""

    kind = SelectField(
        _("What it will be"),
        [DataRequired()],
        choices=[
            SelectChoice(PeerKind.SUBSIDIARY.value, _("A node of our own enterprise")),
            SelectChoice(PeerKind.PARTNER.value, _("The headquarters of a partner enterprise")),
        ],
    )
    origin = StringField(
        _("Address of its node"),
        [DataRequired(), Length(max=255)],
        description=_("For instance https://node.example.cn, as its administrator knows it."),
        render_kw={"autocomplete": "off", "inputmode": "url", "spellcheck": "false"},
    )
    enterprise = StringField(
        _("Short name of the partner enterprise"),
        [Optional(), Length(max=62)],
        description=_("Only for a partner: lowercase letters, digits and hyphens."),
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    ends_on = DateField(
        _("Last day of the agreement"),
        [Optional()],
        description=_("Only for a partner; a year from now if left empty."),
    )

    def values(self) -> tuple[str, str, PeerKind, datetime | None]:
        """Return the arguments of `joining.invite`."""
        kind = PeerKind(self.kind.data)
        own = settings().enterprise
        enterprise = own if kind == PeerKind.SUBSIDIARY else (self.enterprise.data or "").strip()
        return (self.origin.data or "").strip().rstrip("/"), enterprise, kind, self._ends_at()

    def _ends_at(self) -> datetime | None:
        """Return the end of the last day, in this node's time zone."""
        if self.ends_on.data is None:
            return None
        midnight = datetime.combine(self.ends_on.data, datetime.min.time())
        return midnight.replace(tzinfo=ZoneInfo(settings().time_zone)) + timedelta(days=1)


class ConfirmationForm(FlaskForm):
    """That somebody compared a fingerprint, and which."""

    fingerprint = HiddenField(validators=[DataRequired(), Length(max=100)])
    compared = BooleanField(
        _("I called the other side, and its fingerprint is the same."), [InputRequired()]
    )


class DiscardForm(FlaskForm):
    """Why something that was held back is forgotten for good."""

    reason = StringField(
        _("Reason"),
        [DataRequired(), Length(max=500)],
        description=_("It stays in the audit trail, with your name."),
    )


class UnfreezingForm(FlaskForm):
    """Why a node may be trusted again."""

    reason = StringField(
        _("What you found out"),
        [DataRequired(), Length(max=500)],
        description=_("It stays in the audit trail, with your name."),
    )


def refuse(field: Field, error: HubError) -> None:
    """Put what went wrong under a field of the form that is shown again."""
    values: dict[str, Any] = error.values
    text = gettext(error.message, **values) if values else gettext(error.message)
    field.errors = [*field.errors, text]
