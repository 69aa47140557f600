"""What pages and the API both show of the federation."""

from uuid import UUID

from hub.cases.service import Work
from hub.database import transaction
from hub.federation import receipts
from hub.identity.models import Actor


def receipts_shown(case_id: UUID, actor: Actor) -> tuple[Work, receipts.Overview, bool]:
    """Return a withdrawn case, who has confirmed that, and whether headquarters could be asked.

    :raises NotFoundError: for others than those who keep it, and before it is withdrawn.
    """
    entry_id = receipts.find(case_id, actor).case.entry_id
    told = receipts.ask(entry_id)
    if told.standings:
        with transaction():
            receipts.keep(told)
    return receipts.find(case_id, actor), receipts.overview_of(entry_id), told.is_complete
