"""What was found, for programs: readers of the API and other nodes are answered alike."""

import json
from typing import Any

from flask import Response

from hub.search.engine import Facets
from hub.search.hits import Hit
from hub.search.service import Results
from hub.search.snippets import as_html

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def respond(answer: dict[str, Any]) -> Response:
    """Answer in JSON; dumping ten hits through the schema takes longer than finding them."""
    return Response(_ENCODER.encode(answer), content_type="application/json")


def answer_of(results: Results) -> dict[str, Any]:
    """Return what was found, as `api.ResultsSchema` has it."""
    answer: dict[str, Any] = {
        "total": results.total,
        "page": results.page,
        "hits": [_hit(hit) for hit in results.hits],
        "facets": None if results.facets is None else _counts(results.facets),
    }
    if results.is_loosened:
        answer["loosened"] = True
    if results.gap:
        answer["gap"] = results.gap
    if results.reach:
        answer["reach"] = results.reach
    return answer


def _counts(facets: Facets) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{"value": value, "count": count} for value, count in values]
        for name, values in facets.items()
    }


def _hit(hit: Hit) -> dict[str, Any]:
    more: dict[str, Any] = {"unsigned": True} if hit.is_harvested else {}
    more |= {"file": hit.file} if hit.file else {}
    more |= {"fit": hit.fit._asdict()} if hit.fit else {}
    return more | {
        "id": str(hit.id),
        "origin": hit.origin,
        "kind": hit.kind,
        "title": hit.title,
        "snippet": as_html(hit.snippet),
        "unit": hit.unit,
        "category": hit.category,
        "level": hit.level,
        "replicability": hit.replicability,
        "adopted": hit.adopted,
        "effective": hit.effective,
        "kit": hit.has_kit,
        "published_at": hit.published_at.isoformat(),
        "synced_at": hit.synced_at.isoformat(),
        "score": round(hit.score, 4),
    }
