"""Pages about people: one's own account, and the administrator's tasks."""

from hub.identity.views import account, administration
from hub.identity.views.blueprint import blueprint

__all__ = ["account", "administration", "blueprint"]
