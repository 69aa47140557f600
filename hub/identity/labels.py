"""What people call roles, levels and scopes."""

from flask_babel import lazy_gettext as _
from wtforms import SelectChoice  # type: ignore[attr-defined]  # Newer than the types.

from hub.identity.models import Role, Scope
from hub.identity.profile import LAYOUTS, SECTORS, SIZES
from hub.identity.profile import LEVELS as LEVELS_NAMED

ROLE_LABELS = {
    Role.READER: _("Reader"),
    Role.AUTHOR: _("Author"),
    Role.BRANCH_SECRETARY: _("Branch secretary"),
    Role.SECRECY_REVIEWER: _("Secrecy reviewer"),
    Role.SIGNATORY: _("Signatory"),
    Role.GROUP_EDITOR: _("Group editor"),
    Role.EXPERT: _("Expert"),
    Role.ADOPTION_LIAISON: _("Adoption liaison"),
    Role.PARTNER_LIAISON: _("Partner liaison"),
    Role.ADMINISTRATOR: _("Administrator"),
    Role.SECURITY_OFFICER: _("Security officer"),
    Role.AUDITOR: _("Auditor"),
}
LEVEL_LABELS = {level: _(name) for level, name in LEVELS_NAMED.items()}
SCOPE_LABELS = {
    Scope.READ: _("Search and read"),
    Scope.WRITE: _("Write drafts"),
    Scope.REVIEW: _("Review"),
    Scope.PUBLISH: _("Sign, publish, withdraw"),
    Scope.ADMIN: _("Administer"),
}

ROLES = [SelectChoice(role.value, label) for role, label in ROLE_LABELS.items()]
LEVELS = [SelectChoice(level.value, label) for level, label in LEVEL_LABELS.items()]
_UNKNOWN = SelectChoice("", _("not known"))
PARTS = {
    part: [_UNKNOWN, *(SelectChoice(code.value, _(name)) for code, name in names.items())]
    for part, names in (("size", SIZES), ("layout", LAYOUTS), ("sector", SECTORS))
}
SCOPES = [SelectChoice(scope.value, label) for scope, label in SCOPE_LABELS.items()]
