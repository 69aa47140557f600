"""How high the right document stands: known-item retrieval over a corpus with questions.

Usage: python -m bench.relevance CORPUS QUESTIONS [ENGINE]

CORPUS has lines {"id", "title", "body"}, QUESTIONS lines {"q", "id"}; each question has one right
document. Prints JSON: the mean of 1/rank within the first ten (MRR@10), the share found there
(recall@10) and milliseconds a question; the same for the questions in Traditional script, and for
short queries: of each question its weightiest phrase of at most eight characters.
"""

import json
import math
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from opencc import OpenCC

from hub.search import analysis
from hub.search import engine as engines
from hub.search.engine import FACETS, Indexed, Reader, Request
from hub.search.loosening import PARTICLES, telling
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
        traditional = OpenCC("s2t").convert
        found |= _measure(reader, [(traditional(q), id_) for q, id_ in asked], "_traditional")
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
        tokens={
            "text": words.text,
            "characters": words.characters,
            "names": analysis.tokens(document["title"]).text,
        },
        audience=AUDIENCE,
        values={name: "case" if name == "kind" else "" for name in FACETS if name != "place"},
        places=(),
        suits=(),
        published_at=0,
        confirmed=0,
    )


def _measure(reader: Reader, asked: list[tuple[str, UUID]], suffix: str) -> dict[str, float]:
    start, ranks, count = time.perf_counter(), 0.0, 0
    for text, right in asked:
        hits = [hit for hit, _ in _find(reader, text)]
        ranks += 1 / (1 + hits.index(right)) if right in hits else 0
        count += right in hits
    taken = time.perf_counter() - start
    return {
        f"mrr{suffix}": round(ranks / len(asked), 4),
        f"recall{suffix}": round(count / len(asked), 4),
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
    """Keep of each question what somebody in a hurry would type: its weightiest short phrase.

    A phrase stands between signs, words that only ask, and particles; what is longer than eight
    characters is cut. Its weight is the sum of those of its tokens, by how rare they are.
    """
    counts = Counter(
        token
        for document in documents
        for token in set(analysis.tokens(document["title"] + "\n" + document["body"]).text.split())
    )
    short = []
    for text, right in asked:
        phrases = [phrase for phrase in _phrases(text) if any(counts[t] for t in _tokens(phrase))]
        if phrases:
            weight = partial(_weight, counts=counts, of=len(documents))
            short.append((max(phrases, key=weight), right))
    return short


def _phrases(text: str) -> list[str]:
    parts = [part for word in analysis.words(text) for part in telling(word)]
    pieces = [piece[:SHORT] for part in parts for piece in PARTICLES.split(part)]
    return [piece for piece in pieces if len(piece) > 1]


def _tokens(phrase: str) -> list[str]:
    return analysis.tokens(phrase).text.split()


def _weight(phrase: str, counts: Counter[str], of: int) -> float:
    return sum(math.log(of / (counts[token] or of)) for token in _tokens(phrase))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]), *sys.argv[3:4])
