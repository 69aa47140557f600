"""Changing an index in the cluster.

OpenSearch knows no transactions. So what is written is shown to nobody until it is committed, the
position is written last, and each batch carries a number by which the cluster refuses whatever
arrives late: from a writer that another has followed, or twice.
"""

import json
import random
import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from hub.search.engine import BrokenIndexError, Indexed, SearchDownError
from hub.search.engines.opensearch.connection import (
    BUSY,
    WRITING,
    ClusterBusyError,
    Connection,
)
from hub.search.engines.opensearch.layout import PLACE, document

MOST_CHANGES = 500  # Of one batch.
MOST_BYTES = 4_000_000  # Of one batch, about.
TRIES = 9  # Of a batch that the cluster is too busy for: half a minute in all.
SHORTEST, LONGEST = 0.2, 10.0  # Seconds between two of these.
TAKEN, MISSING = 409, 404
EPOCH = 2**32  # Batches that one writer can make.
VERSION = "%VERSION%"  # Stands in what waits to be sent.


class OpenSearchWriter:
    """Changes an index. Opened again elsewhere, it is refused from then on."""

    def __init__(self, connection: Connection, name: str, position: int, version: int) -> None:
        """Take over from whoever wrote before.

        :param name: of the alias through which the index is written; it goes with the index, while
            the index itself would be made anew by what is written to it.
        :param position: that the index is at.
        :param version: with which that was written.
        """
        self._connection, self._name = connection, name
        self._version = (version // EPOCH + 1) * EPOCH
        self._waiting: dict[str, str] = {}  # Lines of each document's last change.
        self._bytes = 0
        self.position = position
        # Of two who take over at once, one is refused.
        self._send([_lines(PLACE, {"position": position}, "external")])

    def add(self, documents: Iterable[Indexed]) -> None:
        for indexed in documents:
            self._change(str(indexed.id), document(indexed))

    def delete(self, ids: Iterable[UUID]) -> None:
        for document_id in ids:
            self._change(str(document_id), None)

    def commit(self, position: int) -> None:
        self._send_waiting()
        with self._connection.asking() as client:
            shown = client.indices.refresh(index=self._name, params={"request_timeout": WRITING})
        if shown["_shards"]["failed"]:
            raise SearchDownError from RuntimeError("not all shards show what was written")
        self._send([_lines(PLACE, {"position": position})])
        self.position = position

    def close(self) -> None:
        """Forget what was not sent yet; what was is shown to nobody before the next commit."""
        self._waiting, self._bytes = {}, 0

    def _change(self, document_id: str, content: dict[str, Any] | None) -> None:
        # One change for each document in a batch: then those that have to wait can't overtake.
        self._waiting[document_id] = _lines(document_id, content)
        self._bytes += len(self._waiting[document_id].encode())
        if len(self._waiting) >= MOST_CHANGES or self._bytes >= MOST_BYTES:
            self._send_waiting()

    def _send_waiting(self) -> None:
        if self._waiting:
            self._send(list(self._waiting.values()))
            self._waiting, self._bytes = {}, 0

    def _send(self, lines: Sequence[str]) -> None:
        """Make changes, at the pace of the cluster; all of them are on disk when this returns.

        :raises BrokenIndexError: when the index is gone, or another writer has taken over.
        :raises SearchDownError: when the cluster does not take them, even after a while.
        """
        for attempt in range(TRIES):
            if attempt:
                longest = min(LONGEST, SHORTEST * 2**attempt)
                time.sleep(random.uniform(longest / 2, longest))  # noqa: S311  # Not in step.
            lines = self._ask(lines)
            if not lines:
                self._version += 1
                return
        raise SearchDownError from RuntimeError("the cluster stays too busy")

    def _ask(self, lines: Sequence[str]) -> Sequence[str]:
        """Ask for changes once; return those that the cluster was too busy for."""
        versioned = "".join(line.replace(VERSION, str(self._version), 1) for line in lines)
        params = {"require_alias": "true", "request_timeout": WRITING}
        try:
            with self._connection.asking() as client:
                answer = client.bulk(body=versioned, index=self._name, params=params)
        except ClusterBusyError:
            return lines
        outcomes = [next(iter(item.values())) for item in answer["items"]]
        for outcome in outcomes:
            _check(outcome)
        return [
            line for line, outcome in zip(lines, outcomes, strict=True) if outcome["status"] == BUSY
        ]


def _lines(document_id: str, content: dict[str, Any] | None, rule: str = "external_gte") -> str:
    """Return what a bulk request says of one document; without content it is deleted.

    :param rule: which versions of the document may be followed by the one that is sent.
    """
    way = "delete" if content is None else "index"
    told = f'"_id":"{document_id}","version":{VERSION},"version_type":"{rule}"'
    said = f'{{"{way}":{{{told}}}}}\n'
    if content is None:
        return said
    return said + json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def _check(outcome: dict[str, Any]) -> None:
    """Let an outcome pass that is good, or may become so."""
    status = outcome["status"]
    if "error" not in outcome or status == BUSY:
        return
    if status in {TAKEN, MISSING}:
        raise BrokenIndexError
    raise SearchDownError from RuntimeError(json.dumps(outcome["error"])[:500])
