"""Pages of cases: reading, writing, deciding."""

from hub.cases.views import decisions, reading, workbench
from hub.cases.views.blueprint import blueprint

__all__ = ["blueprint", "decisions", "reading", "workbench"]
