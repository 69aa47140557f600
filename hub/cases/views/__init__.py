"""Pages of cases: reading, comparing, writing, deciding."""

from hub.cases.views import comparing, decisions, exporting, feedback, reading, workbench
from hub.cases.views.blueprint import blueprint

__all__ = ["blueprint", "comparing", "decisions", "exporting", "feedback", "reading", "workbench"]
