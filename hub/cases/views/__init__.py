"""Pages of cases: reading, writing, deciding."""

from hub.cases.views import decisions, feedback, reading, workbench
from hub.cases.views.blueprint import blueprint

__all__ = ["blueprint", "decisions", "feedback", "reading", "workbench"]
