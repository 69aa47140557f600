"""Forms about the federation. What they promise the services check again."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext, lazy_gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (  # type: ignore[attr-defined]  # SelectChoice is newer than the types.
    BooleanField,
    DateField,
    Field,
    HiddenField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from hub import clock
from hub.cases.fields import CATEGORIES
from hub.config import settings
from hub.errors import HubError
from hub.federation.agreements import Agreement
from hub.registry.models import Peer, PeerKind


class JoinForm(FlaskForm):
    """The code that a headquarters gave out."""

    code = TextAreaField(
        _("Invitation code"),
        [DataRequired(), Length(max=2000)],
        description=_("It begins with “jw1.” and holds for 24 hours."),
        render_kw={"rows": 4, "autocomplete": "off", "spellcheck": "false"},
    )


class Checkboxes(SelectMultipleField):
    """Several choices, each a box to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class AgreementForm(FlaskForm):
    """What a partner may read, and until when."""

    ends_on = DateField(
        _("Last day of the agreement"),
        [Optional()],
        description=_("Only for a partner; a year from now if left empty."),
    )
    categories = Checkboxes(
        _("Categories that the agreement covers"),
        [Optional()],
        choices=[SelectChoice(code, lazy_gettext(name)) for code, name in CATEGORIES.items()],
        description=_("Only for a partner; all if none is chosen."),
    )
    channels = SelectField(
        _("What the partner may read"),
        default="public",
        choices=[
            SelectChoice("public", _("Cases that name it, and what is public")),
            SelectChoice("partner", _("Only cases that name it")),
        ],
    )

    def agreement(self) -> Agreement:
        """Return what was agreed, as the form says."""
        categories = tuple(self.categories.data or ())
        return Agreement(self._ends_at(), categories, self.channels.data != "partner")

    def _ends_at(self) -> datetime | None:
        """Return the end of the last day, in this node's time zone."""
        if self.ends_on.data is None:
            return None
        midnight = datetime.combine(self.ends_on.data, datetime.min.time())
        return midnight.replace(tzinfo=ZoneInfo(settings().time_zone)) + timedelta(days=1)


class InvitationForm(AgreementForm):
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

    def values(self) -> tuple[str, str, PeerKind, Agreement]:
        """Return the arguments of `joining.invite`."""
        kind = PeerKind(self.kind.data)
        own = settings().enterprise
        enterprise = own if kind == PeerKind.SUBSIDIARY else (self.enterprise.data or "").strip()
        origin = (self.origin.data or "").strip().rstrip("/")
        return origin, enterprise, kind, self.agreement()


class ConfirmationForm(AgreementForm):
    """That somebody compared a fingerprint, and which, and what is agreed."""

    ends_on = DateField(_("Last day of the agreement"), [InputRequired()])
    categories = Checkboxes(
        _("Categories that the agreement covers"),
        [Optional()],
        choices=[SelectChoice(code, lazy_gettext(name)) for code, name in CATEGORIES.items()],
        description=_("All if none is chosen."),
    )

    fingerprint = HiddenField(validators=[DataRequired(), Length(max=100)])
    compared = BooleanField(
        _("I called the other side, and its fingerprint is the same."),
        [InputRequired(_("Tick this once you have compared the fingerprints."))],
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


def confirmation_of(peer: Peer) -> ConfirmationForm:
    """Return the form for confirming a partner, with what it was invited to."""
    zone = ZoneInfo(settings().time_zone)
    ends_at = peer.agreement_ends_at or clock.now() + timedelta(days=365)
    return ConfirmationForm(
        formdata=None,
        fingerprint=peer.fingerprint,
        ends_on=(ends_at.astimezone(zone) - timedelta(seconds=1)).date(),
        categories=peer.categories,
        channels="public" if peer.shares_public else "partner",
    )


def refuse(field: Field, error: HubError) -> None:
    """Put what went wrong under a field of the form that is shown again."""
    values: dict[str, Any] = error.values
    text = gettext(error.message, **values) if values else gettext(error.message)
    field.errors = [*field.errors, text]
