"""Documents for measuring: real sentences in new combinations, the same ones at every run."""

import json
import os
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CONTENT = Path(__file__).parent.parent / "content"
SEED = 20261123


@cache
def sentences() -> list[str]:
    """Return real sentences: of the corpus that HUB_CORPUS names, else of the sample cases."""
    corpus = os.environ.get("HUB_CORPUS")
    bodies = _bodies_of(Path(corpus)) if corpus else _samples()
    found = [text.strip() for body in bodies for text in re.split(r"(?<=[。！？])|\n", body)]
    return [text for text in found if 8 <= len(text) <= 120 and not text.startswith(("#", "（"))]


def _samples() -> list[str]:
    texts = [path.read_text() for path in sorted(CONTENT.glob("*/*.md"))]
    return [text.split("---\n", 2)[2] for text in texts]


def _bodies_of(corpus: Path) -> list[str]:
    return [json.loads(line)["body"] for line in corpus.read_text().splitlines()]


def documents(count: int) -> Iterator[dict[str, str]]:
    """Yield titles and bodies of 600 to 1,500 characters."""
    chance, pool = random.Random(SEED), sentences()
    for number in range(count):
        body, length = "", chance.randint(600, 1500)
        while len(body) < length:
            body += chance.choice(pool) + ("\n\n" if chance.random() < 0.2 else "")
        yield {"title": f"{chance.choice(pool)[:24]} {number:05}", "body": body[:1500]}


def words(count: int) -> list[str]:
    """Return queries: runs of two to eight Chinese characters that occur in the documents."""
    chance, pool = random.Random(SEED + 1), sentences()
    found: list[str] = []
    while len(found) < count:
        runs = re.findall(r"[\u4e00-\u9fff]{2,}", chance.choice(pool))
        if runs:
            run, length = chance.choice(runs), chance.choice([2, 2, 2, 3, 4, 4, 6, 8])
            start = chance.randint(0, max(len(run) - length, 0))
            found.append(run[start : start + length])
    return found
