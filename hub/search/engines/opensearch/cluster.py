"""Where the indexes of nodes are in a cluster, and how they are searched.

Each node has its own, known by how their names begin, so that nodes can share a cluster. The alias
`…-current` stands for the one that is searched; the cluster moves it from one to the next at once.
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from hub.config import Settings
from hub.search import engine as engines
from hub.search.engine import BrokenIndexError, Found, Request, SearchDownError
from hub.search.engines.opensearch import questions
from hub.search.engines.opensearch.connection import WRITING, Connection
from hub.search.engines.opensearch.layout import PLACE, body
from hub.search.engines.opensearch.writing import OpenSearchWriter
from hub.search.shelf import Index

_COMMITTED = {"exists": {"field": "audience"}}


def _place(connection: Connection, name: str) -> dict[str, Any]:
    """Return the document that says how far an index is, as it was last written.

    :raises BrokenIndexError: when there is none.
    """
    with connection.asking() as client:
        place: dict[str, Any] = client.get(index=name, id=PLACE)
    return place


class OpenSearchReader:
    """Searches an index.

    The position is asked for before the index is: so what is found is never older than it says.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name
        self.refresh()

    @property
    def count(self) -> int:
        with self._connection.asking() as client:
            counted = client.count(index=self._name, body={"query": _COMMITTED})
        return int(counted["count"])

    def refresh(self) -> None:
        self.position = int(_place(self._connection, self._name)["_source"]["position"])

    def search(self, request: Request) -> Found:
        position = self.position  # Another thread may refresh meanwhile.
        with self._connection.asking() as client:
            answer = client.search(
                index=self._name,
                body=questions.body(request),
                params={
                    # Weighs words by all shards together, as if they were one.
                    "search_type": "dfs_query_then_fetch",
                    "preference": questions.preference(request),
                    "allow_partial_search_results": "false",
                },
            )
        if answer["timed_out"]:
            raise SearchDownError
        return questions.found(answer, request, position)

    def close(self) -> None:
        """Nothing to do: the connection is the shelf's."""


@dataclass(frozen=True)
class ClusterIndex:
    """An index in a cluster."""

    connection: Connection
    name: str
    origin: str = ""
    engine_name = "opensearch"

    def exists(self) -> bool:
        with self.connection.asking() as client:
            return bool(client.indices.exists(index=self.name))

    def is_sound(self) -> bool:
        """Say whether the index says how far it is; its files the cluster checks by itself."""
        try:
            _place(self.connection, self.name)
        except BrokenIndexError:
            return False
        return True

    def create(self) -> OpenSearchWriter:
        with self.connection.asking() as client:
            layout = body(client.info()["version"]["number"], self.origin)
            client.indices.create(
                index=self.name,
                body=layout | {"aliases": {self._written: {}}},
                params={"request_timeout": WRITING},
            )
        return OpenSearchWriter(self.connection, self._written, 0, 0)

    def open_writer(self) -> OpenSearchWriter:
        place = _place(self.connection, self.name)
        position, version = int(place["_source"]["position"]), int(place["_version"])
        return OpenSearchWriter(self.connection, self._written, position, version)

    def open_reader(self) -> OpenSearchReader:
        return OpenSearchReader(self.connection, self.name)

    @property
    def _written(self) -> str:
        return f"{self.name}-written"


class Cluster:
    """All indexes of one node that has them in a cluster."""

    name = "opensearch"
    version = "1"  # Nothing of an index follows from the version of the library.

    def __init__(self, config: Settings) -> None:
        self._connection = Connection(config.search_url, config.threads)
        self._origin = config.origin
        self._is_delegating = config.delegates_search
        self._prefix = f"jingwei-{sha256(config.origin.encode()).hexdigest()[:12]}"
        self._alias = f"{self._prefix}-current"

    def stamp(self) -> tuple[str, int, int] | None:
        """Return what changes with each commit too, so that the rest need not be asked then."""
        try:
            place = _place(self._connection, self._alias)
        except BrokenIndexError:
            return None
        return place["_index"], place["_primary_term"], place["_seq_no"]

    def current(self) -> ClusterIndex | None:
        try:
            with self._connection.asking() as client:
                names = client.indices.get_alias(name=self._alias)
        except BrokenIndexError:
            return None
        return self._index(next(iter(names)))

    def new(self) -> ClusterIndex:
        return self._index(f"{self._of_today}{secrets.token_hex(3)}")

    def named(self, name: str) -> ClusterIndex:
        return self._index(name)

    def switch_to(self, index: Index) -> None:
        current = self.current()
        actions = [{"add": {"index": index.name, "alias": self._alias}}]
        if current:
            actions.append({"remove": {"index": current.name, "alias": self._alias}})
        with self._connection.asking() as client:
            client.indices.update_aliases(
                body={"actions": actions}, params={"request_timeout": WRITING}
            )
        self.sweep()

    def renew(self) -> None:
        """Nothing to do: the stamp changes at each commit."""

    def sweep(self, but: Index | None = None) -> None:
        kept = {index.name for index in (self.current(), but) if index}
        with self._connection.asking() as client:
            names = client.indices.get_alias(index=f"{self._prefix}-*")
            for name in names:
                if name not in kept:
                    client.indices.delete(index=name, params={"request_timeout": WRITING})

    def is_up_to_date(self, index: Index) -> bool:
        return index.name.startswith(self._of_today)

    @property
    def _of_today(self) -> str:
        """Return how the names of all indexes begin that hold what this version would make."""
        digest = engines.digest(self, is_delegating=self._is_delegating)
        return f"{self._prefix}-{digest}-"

    def _index(self, name: str) -> ClusterIndex:
        return ClusterIndex(self._connection, name, self._origin)
