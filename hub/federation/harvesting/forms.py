"""Forms about sources. What they promise the services check again."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (  # type: ignore[attr-defined]  # SelectChoice is newer than the types.
    IntegerField,
    SelectChoice,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from hub.federation.harvesting.labels import INTERVALS, KIND_LABELS
from hub.federation.harvesting.models import LONGEST_URL, SourceKind
from hub.federation.harvesting.service import REASON, Offer


class SourceForm(FlaskForm):
    """What to harvest, and how often."""

    name = StringField(
        _("Name"),
        [DataRequired(), Length(max=100)],
        description=_("Readers see it with each item, where else the unit stands."),
        render_kw={"autocomplete": "off"},
    )
    kind = SelectField(
        _("Kind"),
        [DataRequired()],
        choices=[SelectChoice(value, label) for value, label in KIND_LABELS.items()],
    )
    url = StringField(
        _("Address"),
        [DataRequired(), Length(max=LONGEST_URL)],
        description=_("For instance https://repository.example.cn/oai. It is tried at once."),
        render_kw={"autocomplete": "off", "inputmode": "url", "spellcheck": "false"},
    )
    set_name = StringField(
        _("Set"),
        [Optional(), Length(max=200)],
        description=_("Only for OAI-PMH: the part of the repository to harvest. Empty means all."),
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    interval = SelectField(
        _("How often"),
        [DataRequired()],
        choices=[SelectChoice(str(value), label) for value, label in INTERVALS.items()],
        default="360",
    )

    def offer(self) -> Offer:
        """Return what `service.add` takes."""
        kind = SourceKind(self.kind.data)
        set_name = (self.set_name.data or "").strip() if kind == SourceKind.OAI else ""
        return Offer(
            kind,
            (self.url.data or "").strip(),
            set_name,
            " ".join((self.name.data or "").split()),
            int(self.interval.data),
        )


class MissingForm(FlaskForm):
    """How many items somebody saw missing when they decided."""

    number = IntegerField(validators=[InputRequired()])


class RemovalForm(FlaskForm):
    """Why something harvested is removed from this node."""

    reason = TextAreaField(
        _("Reason"),
        [DataRequired(), Length(max=REASON)],
        description=_("It stays in the audit trail, with your name."),
        render_kw={"rows": 3},
    )
