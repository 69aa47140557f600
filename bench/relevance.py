"""How high the right document stands: known-item retrieval over a corpus with questions.

Usage: python -m bench.relevance CORPUS QUESTIONS [ENGINE]

CORPUS has lines {"id", "title", "body"}, QUESTIONS lines {"q", "id"}; each question has one right
document. Prints JSON: the mean of 1/rank within the first ten (MRR@10), milliseconds a question,
and the same for short queries: the rarest pieces of at most eight characters of each question.
"""

import json
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from hub.search import analysis
from hub.search import engine as engines
from hub.search.engine import FACETS, Indexed, Reader, Request
from hub.search.queries import LONGEST, understand

AUDIENCE = "public"
RANKS = 10
SHORT = 8


def main(corpus: Path, questions: Path, name: str = "") -> None:
    """Index the corpus in a folder that is deleted afterwards, ask, and print."""
    documents = _lines(corpus)
    asked = [(line["q"][:LONGEST], _id(line["id"])) for line in _lines(questions)]
    engine = engines.choose(name)
    with tempfile.TemporaryDirectory() as folder:
        writer = engine.create(Path(folder))
        writer.add(_indexed(document) for document in documents)
        writer.commit(1)
        writer.close()
        reader = engine.open_reader(Path(folder))
        found = {"engine": engine.name, "documents": len(documents), "questions": len(asked)}
        found |= _measure(reader, asked, "")
        found |= _measure(reader, _shortened(asked, documents), "_short")
        reader.close()
    print(json.dumps(found))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _id(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)


def _indexed(document: dict[str, Any]) -> Indexed:
    words = analysis.tokens("\n".join([document["title"], document["title"], document["body"]]))
    return Indexed(
        id=_id(document["id"]),
        tokens={"text": words.text, "characters": words.characters},
        audience=AUDIENCE,
        values=dict.fromkeys(FACETS, "") | {"kind": "case"},
        places=(),
        suits=(),
        published_at=0,
        confirmed=0,
    )


def _measure(reader: Reader, asked: list[tuple[str, UUID]], suffix: str) -> dict[str, float]:
    start, ranks = time.perf_counter(), 0.0
    for text, right in asked:
        hits = [hit for hit, _ in _find(reader, text)]
        ranks += 1 / (1 + hits.index(right)) if right in hits else 0
    taken = time.perf_counter() - start
    return {
        f"mrr{suffix}": round(ranks / len(asked), 4),
        f"milliseconds{suffix}": round(1000 * taken / len(asked), 3),
    }


def _find(reader: Reader, text: str) -> Any:
    question = understand(text)
    exact = reader.search(Request(question.exact, frozenset({AUDIENCE}), limit=RANKS))
    if exact.total or not question.loose:
        return exact.hits
    return reader.search(Request(question.loose, frozenset({AUDIENCE}), limit=RANKS)).hits


def _shortened(
    asked: list[tuple[str, UUID]], documents: list[dict[str, Any]]
) -> list[tuple[str, UUID]]:
    """Keep of each question the piece of at most eight characters that is rarest in the corpus."""
    counts = Counter(
        pair
        for document in documents
        for pair in set(analysis.tokens(document["body"]).text.split())
    )
    short = []
    for text, right in asked:
        pieces = re.findall(rf"[^\W_]{{2,{SHORT}}}", text)
        if pieces:
            short.append((min(pieces, key=lambda piece: _rarity(piece, counts)), right))
    return short


def _rarity(piece: str, counts: Counter[str]) -> float:
    pairs = analysis.tokens(piece).text.split()
    return sum(counts[pair] for pair in pairs) / max(len(pairs), 1)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]), *sys.argv[3:4])
