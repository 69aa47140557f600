"""What an index in OpenSearch consists of.

Scores are those of the other engines: BM25 with the same parameters, of one field at a time. A
field that a document does not have holds `FILLER` there: OpenSearch counts only documents that
have a field, the others count all, and what few documents say would weigh much less here.
"""

from typing import Any

from hub.search.engine import FACETS, FIELDS, Indexed

PLACE = "position"  # Id of the one document that says how far the index is; it has no audience.
FILLER = "-"  # No word, so nobody asks for it.
# A million documents take 4 to 5 GB, which one shard could hold. Three let three machines work on
# each question and each load; more would cost each question a request without giving it anything.
SHARDS = 3
# For so long a change that was delayed on its way can't undo a later deletion.
REMEMBERED = "10m"
LEGACY = 3  # From this version on, "BM25" leaves out a factor that the other engines have.


def body(version: str, origin: str) -> dict[str, Any]:
    """Return what an index is made with.

    :param version: of the cluster.
    :param origin: of the node, for whoever looks after the cluster.
    """
    similarity = "LegacyBM25" if int(version.partition(".")[0]) >= LEGACY else "BM25"
    return {
        "settings": {
            "index": {
                "number_of_shards": SHARDS,
                "auto_expand_replicas": "0-1",  # A copy of each where there is a second machine.
                "refresh_interval": "-1",  # What is written shows when it is committed.
                "gc_deletes": REMEMBERED,
                "similarity": {"default": {"type": similarity, "k1": 1.2, "b": 0.75}},
            }
        },
        "mappings": {
            "dynamic": "strict",
            "_meta": {"node": origin},
            "_source": {"includes": ["position"]},  # Of documents nothing is kept but their id.
            "properties": _properties(),
        },
    }


def _properties() -> dict[str, Any]:
    keyword = {"type": "keyword"}
    words = {
        name: {
            "type": "text",
            "analyzer": "whitespace",
            "index_options": "freqs" if name == "characters" else "positions",
        }
        for name in FIELDS
    }
    return {
        **words,
        **dict.fromkeys(("id", "audience", *FACETS), keyword),
        "suits": keyword | {"doc_values": False},
        "published_at": {"type": "long"},
        "rank": {"type": "long"},
        "position": {"type": "long", "index": False, "doc_values": False},
    }


def document(indexed: Indexed) -> dict[str, Any]:
    """Return a document as the index takes it."""
    return {
        **dict.fromkeys(FIELDS, FILLER),
        **{name: tokens for name, tokens in indexed.tokens.items() if tokens},
        **indexed.values,
        "id": str(indexed.id),
        "audience": [indexed.audience, *indexed.offers],
        "place": list(indexed.places),
        "suits": list(indexed.suits),
        "published_at": indexed.published_at,
        "rank": indexed.rank,
    }
