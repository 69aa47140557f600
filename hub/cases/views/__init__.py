"""Pages of cases: reading, comparing, writing, deciding."""

from hub.cases.views import (
    comparing,
    decisions,
    exporting,
    feedback,
    importing,
    reading,
    register,
    workbench,
)
from hub.cases.views.blueprint import blueprint

__all__ = [
    "blueprint",
    "comparing",
    "decisions",
    "exporting",
    "feedback",
    "importing",
    "reading",
    "register",
    "workbench",
]
