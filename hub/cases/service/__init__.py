"""All that one can do with cases and pilot lessons."""

from hub.cases.service.audience import partner_enterprises
from hub.cases.service.bulk import Hands, check_hands, find_import, publish_in_bulk
from hub.cases.service.clearing import Clearance, review_remark, to_clear
from hub.cases.service.drafting import create, edit, missing_of, submit, units_of
from hub.cases.service.feedback import (
    accept,
    answer,
    ask,
    decline,
    may_ask,
    may_report,
    note_refused,
    report,
    subject_of,
    take_in,
    undecided,
)
from hub.cases.service.files import (
    attach,
    check_attachable,
    detach,
    documents_naming,
    file_at_work,
    files_in_use,
    pictures_of,
    published_file,
    readable_file,
    record_infected,
    shown_files,
)
from hub.cases.service.finding import (
    Work,
    authors_work,
    find_work,
    is_concerned,
    is_kept_by,
    kept_work,
    queue_of,
    standing_of,
    steps_of,
    works_of,
)
from hub.cases.service.page import find_page, newest
from hub.cases.service.publication import publish, sign, withdraw
from hub.cases.service.reading import find_document, readable, receive
from hub.cases.service.remarks import beside
from hub.cases.service.rendering import keep_preview
from hub.cases.service.review import Approval, Secrecy, approve, review_secrecy
from hub.cases.service.visibility import set_visibility

__all__ = [
    "Approval",
    "Clearance",
    "Hands",
    "Secrecy",
    "Work",
    "accept",
    "answer",
    "approve",
    "ask",
    "attach",
    "authors_work",
    "beside",
    "check_attachable",
    "check_hands",
    "create",
    "decline",
    "detach",
    "documents_naming",
    "edit",
    "file_at_work",
    "files_in_use",
    "find_document",
    "find_import",
    "find_page",
    "find_work",
    "is_concerned",
    "is_kept_by",
    "keep_preview",
    "kept_work",
    "may_ask",
    "may_report",
    "missing_of",
    "newest",
    "note_refused",
    "partner_enterprises",
    "pictures_of",
    "publish",
    "publish_in_bulk",
    "published_file",
    "queue_of",
    "readable",
    "readable_file",
    "receive",
    "record_infected",
    "report",
    "review_remark",
    "review_secrecy",
    "set_visibility",
    "shown_files",
    "sign",
    "standing_of",
    "steps_of",
    "subject_of",
    "submit",
    "take_in",
    "to_clear",
    "undecided",
    "units_of",
    "withdraw",
    "works_of",
]
