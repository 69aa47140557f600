"""Questions in OpenSearch's words, and its answers in ours."""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from hub.search.engine import (
    FACETS,
    MOST_VALUES,
    SUITING,
    Facets,
    Found,
    Order,
    Request,
    Way,
)

# Values of a facet that each shard counts. With few, rare ones are miscounted when the shards'
# counts are added up; so many are all.
COUNTED = 65_000
WORKING = "4s"  # That the cluster may work on a question; less than we wait for it.
# Of equals the newest first, and then always in the same order, so that no page repeats another.
_TIES = [{"published_at": "desc"}, {"id": "asc"}]
_ORDERS: dict[Order, list[dict[str, str]]] = {
    Order.RELEVANCE: _TIES,  # Where nothing was asked, the newest come first.
    Order.NEWEST: _TIES,
    Order.CONFIRMED: [{"rank": "desc"}, {"id": "asc"}],
}
_COUNTING = {
    name: {"terms": {"field": name, "size": MOST_VALUES, "shard_size": COUNTED}} for name in FACETS
}


def body(request: Request) -> dict[str, Any]:
    """Return the body of a search."""
    by_score = [{"_score": "desc"}] if request.is_scored else []
    counting = {"aggs": _COUNTING} if request.is_counted else {}
    return counting | {
        "query": {"bool": _asked(request)},
        "sort": by_score + _ORDERS[request.order],
        "from": request.offset,
        "size": request.limit,
        "track_total_hits": request.is_counted,
        "_source": False,
        "timeout": WORKING,
    }


def preference(request: Request) -> str:
    """Return what sends all pages of one question to the same copies of the shards.

    Copies count what was deleted until it is cleared away, each at its own time, so their scores
    differ a little.
    """
    return sha256(json.dumps(request.query, default=repr).encode()).hexdigest()[:16]


def found(answer: dict[str, Any], request: Request, position: int) -> Found:
    """Return what a search found."""
    hits = [
        (UUID(hit["_id"]), float(hit["sort"][0]) if request.is_scored else 0.0)
        for hit in answer["hits"]["hits"]
    ]
    facets: Facets = {
        name: [(str(bucket["key"]), int(bucket["doc_count"])) for bucket in counted["buckets"]]
        for name, counted in answer.get("aggregations", {}).items()
    }
    total = int(answer["hits"]["total"]["value"]) if request.is_counted else 0
    return Found(hits, total, facets, position)


def _asked(request: Request) -> dict[str, Any]:
    """Return what scores, and around it what only decides."""
    query = request.query
    must = [_any(ways) for ways in query.all_of]
    if query.any_of:
        must.append(_any(query.any_of))
    also = [_way(way) for way in query.better]
    if request.is_scored:
        also += [_constant("suits", liked, SUITING) for liked in request.likes]
    without = [_way(way) for way in query.none_of]
    if request.excluded:
        without.append(_one_of("id", map(str, request.excluded)))
    shown = [_one_of("audience", request.audiences)]
    shown += [_one_of(name, [value]) for name, value in request.filters]
    shown += [_one_of("suits", needed) for needed in request.needs]
    return {"must": must, "should": also, "must_not": without, "filter": shown}


def _any(ways: Sequence[Way]) -> dict[str, Any]:
    if len(ways) == 1:
        return _way(ways[0])
    return {"bool": {"should": [_way(way) for way in ways], "minimum_should_match": 1}}


def _way(way: Way) -> dict[str, Any]:
    if len(way.tokens) == 1:
        return {"term": {way.field: {"value": way.tokens[0], "boost": way.weight}}}
    words = {"query": " ".join(way.tokens), "slop": 0, "boost": way.weight}
    return {"match_phrase": {way.field: words}}


def _one_of(field: str, values: Iterable[str]) -> dict[str, Any]:
    return {"terms": {field: sorted(values)}}


def _constant(field: str, value: str, score: float) -> dict[str, Any]:
    return {"constant_score": {"filter": {"term": {field: value}}, "boost": score}}
