"""Search for readers of this node, wherever the answer is.

A node may leave what its members can read of others to the search of the node that it reads from
(`HUB_SEARCH_DELEGATE`). Who may see a hit is decided here all the same, by our own database.
"""

from dataclasses import replace
from typing import Any

from hub.config import settings
from hub.identity.models import MEMBERS
from hub.search import elsewhere, service, synonyms
from hub.search.elsewhere import FILTERS, Told
from hub.search.engine import Found, Order
from hub.search.hits import hits_of, rows_of, storable
from hub.search.queries import understand
from hub.search.service import Gap, Reach, Results, Search
from hub.search.snippets import Marker

ANY_POSITION = 2**63 - 1  # The other node has looked at its own journal.
BESIDE = 3  # Hits of our own index that are shown beside those of the other node.


def find_anywhere(asked: Search) -> Results:
    """Find documents as `service.find` does, and what this node leaves to another's search.

    The two are never mixed: their scores and counts come from different indexes. Where the other
    node answers, its list is the one that is paged through and counted, and a few hits of our own
    index stand beside its first page. Where it does not, our own index alone answers and `reach`
    says so. Visitors are never a reason to ask: our own index holds all that is open to them.
    """
    if not settings().delegates_search or MEMBERS not in asked.asker.audiences:
        return service.find(asked)
    if not _can_be_asked(asked):
        return replace(service.find(asked), reach=Reach.UNABLE)
    told = elsewhere.ask(_question(asked))
    if told is None:
        return replace(service.find(asked), reach=Reach.AWAY)
    return _with_ours(asked, _shown(asked, told))


def _can_be_asked(asked: Search) -> bool:
    """Say whether another node answers this: it knows nothing of our units, nor of adoptions."""
    is_known = all(name in FILTERS for name, _ in asked.filters)
    return is_known and not asked.wish.needs and asked.order != Order.CONFIRMED


def _question(asked: Search) -> dict[str, Any]:
    """Return what leaves this node: the words and filters, and nothing about who asks."""
    return {
        "q": storable(asked.text),
        "filters": dict(asked.filters),
        "order": asked.order.value,
        "page": asked.page,
        "per_page": asked.per_page,
    }


def _shown(asked: Search, told: Told) -> Results:
    """Return those hits that are here and open to the reader; if any is not, no numbers."""
    rows, _ = rows_of(Found(told.hits, 0, {}, ANY_POSITION), asked.asker)
    question = understand(asked.text, synonyms.in_force())
    marker = Marker(question.loose_marks if told.is_loosened else question.exact_marks)
    hits = hits_of(told.hits, rows, marker, asked.asker)
    left_out = len(told.hits) - len(hits)
    is_counted = not left_out and told.total is not None
    return Results(
        hits,
        asked.page,
        asked.per_page,
        total=told.total if is_counted else None,
        facets=told.facets if is_counted else None,
        marker=marker,
        is_loosened=told.is_loosened and bool(hits),
        gap=Gap.NONE if is_counted else Gap.ELSEWHERE,
        reach=Reach.ALL,
        left_out=left_out,
    )


def _with_ours(asked: Search, results: Results) -> Results:
    """Put beside a first page what our own index finds and this page does not show."""
    if asked.page > 1:
        return results
    ours, shown = service.find(asked), {hit.id for hit in results.hits}
    if ours.is_loosened and shown and not results.is_loosened:
        return results  # Parts of the words are no news beside all of them.
    others = [hit for hit in ours.hits if hit.id not in shown]
    return replace(results, beside=replace(ours, hits=others[:BESIDE]))
