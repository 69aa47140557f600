"""All that one can do with cases and pilot lessons."""

from hub.cases.service.audience import partner_enterprises
from hub.cases.service.drafting import create, edit, missing_of, submit, units_of
from hub.cases.service.finding import (
    Work,
    find_work,
    is_concerned,
    queue_of,
    standing_of,
    steps_of,
    works_of,
)
from hub.cases.service.publication import publish, sign, withdraw
from hub.cases.service.reading import find_document, readable, receive
from hub.cases.service.review import Approval, Secrecy, approve, review_secrecy
from hub.cases.service.visibility import set_visibility

__all__ = [
    "Approval",
    "Secrecy",
    "Work",
    "approve",
    "create",
    "edit",
    "find_document",
    "find_work",
    "is_concerned",
    "missing_of",
    "partner_enterprises",
    "publish",
    "queue_of",
    "readable",
    "receive",
    "review_secrecy",
    "set_visibility",
    "sign",
    "standing_of",
    "steps_of",
    "submit",
    "units_of",
    "withdraw",
    "works_of",
]
