"""What people call roles, levels and scopes."""

from flask_babel import lazy_gettext as _
from wtforms import SelectChoice  # type: ignore[attr-defined]  # Newer than the types.

from hub.identity.models import Level, Role, Scope

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
LEVEL_LABELS = {
    Level.GROUP_COMMITTEE: _("Group committee"),
    Level.SUBSIDIARY_COMMITTEE: _("Subsidiary committee"),
    Level.GENERAL_BRANCH: _("General branch"),
    Level.BRANCH: _("Branch"),
    Level.PARTY_GROUP: _("Party group"),
    Level.JOINT_BRANCH: _("Joint branch"),
    Level.TEMPORARY_BRANCH: _("Temporary branch"),
}
SCOPE_LABELS = {
    Scope.READ: _("Search and read"),
    Scope.WRITE: _("Write drafts"),
    Scope.REVIEW: _("Review"),
    Scope.PUBLISH: _("Sign, publish, withdraw"),
    Scope.ADMIN: _("Administer"),
}

ROLES = [SelectChoice(role.value, label) for role, label in ROLE_LABELS.items()]
LEVELS = [SelectChoice(level.value, label) for level, label in LEVEL_LABELS.items()]
SCOPES = [SelectChoice(scope.value, label) for scope, label in SCOPE_LABELS.items()]
