"""A cluster that is away or busy, as a node bears it. None is needed for this."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from opensearchpy import exceptions

from hub.config import of_this_node, settings
from hub.identity.models import EVERYBODY
from hub.search import service
from hub.search.engine import SearchDownError
from hub.search.engines.opensearch import connection
from hub.search.engines.opensearch.connection import ClusterBusyError, Connection
from hub.search.engines.opensearch.writing import OpenSearchWriter
from hub.search.follower import Follower, follow_once
from tests.ports import free_port
from tests.search.published import publish
from tests.search.test_engines import make, name_of


@pytest.fixture
def node(alpha: Flask) -> Iterator[Flask]:
    """Return a node whose cluster does not answer."""
    with alpha.app_context():
        nowhere = f"http://127.0.0.1:{free_port()}"
        alpha.extensions["hub.settings"] = replace(settings(), search_url=nowhere)
        publish("党员责任区", "把责任落实到每个责任区。")
        publish("内部责任区", visibility="group")
        yield alpha
        of_this_node(Follower).close()


def test_while_the_cluster_is_away_titles_are_compared_and_that_is_said(node):
    found = service.search("责任区", audiences={EVERYBODY})
    assert [hit.title for hit in found.hits] == ["党员责任区"]
    assert (found.total, found.facets, found.gap) == (None, None, "unreachable")

    page = node.test_client().get("/search?q=责任区")
    assert page.status_code == 200
    assert "The search server does not answer just now" in page.text
    answer = node.test_client().get("/api/v1/search?q=责任区")
    assert (answer.status_code, answer.json["gap"]) == (200, "unreachable")


def test_a_cluster_that_is_away_ends_no_follower(node):
    assert follow_once() == 0
    assert follow_once() == 0


def test_a_cluster_that_did_not_answer_is_left_alone_for_a_while(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(connection.time, "monotonic", lambda: now[0])
    asked = Connection(f"http://127.0.0.1:{free_port()}")
    calls: list[object] = []

    def ask() -> None:
        with asked.asking() as client:
            calls.append(client)
            raise exceptions.ConnectionTimeout("TIMEOUT", "read timeout", None)

    for _ in range(2):
        with pytest.raises(SearchDownError):
            ask()
    assert len(calls) == 1
    now[0] += connection.REST
    with pytest.raises(SearchDownError):
        ask()
    assert len(calls) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
def test_whatever_the_cluster_refuses_is_one_clear_error(status):
    with (
        pytest.raises(SearchDownError),
        Connection("http://127.0.0.1:1").asking(),
    ):
        raise exceptions.TransportError(status, "refused", {})


class Busy:
    """A cluster that takes what it is told to take, and is busy for the rest."""

    def __init__(self, *moods: Any) -> None:
        self.moods = list(moods)  # Busy as a whole, or for the documents with these ids.
        self.taken: list[dict[str, Any]] = []
        self.indices = self

    @contextmanager
    def asking(self) -> Iterator["Busy"]:
        yield self

    def refresh(self, **asked: Any) -> dict[str, Any]:
        return {"_shards": {"failed": 0}}

    def bulk(self, *, body: str, index: str, params: dict[str, Any]) -> dict[str, Any]:
        mood = self.moods.pop(0) if self.moods else ()
        if mood == "busy":
            raise ClusterBusyError
        heads = [json.loads(line) for line in body.splitlines() if '"_id"' in line]
        items = []
        for head in heads:
            ((_, told),) = head.items()
            if told["_id"] in mood:
                items.append({"index": {"status": 429, "error": {"type": "rejected"}}})
            else:
                self.taken.append(head)
                items.append({"index": {"status": 200}})
        return {"items": items}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that a writer waited; none of them pass."""
    waited: list[float] = []
    monkeypatch.setattr("hub.search.engines.opensearch.writing.time.sleep", waited.append)
    return waited


def ids(cluster: Busy) -> list[str]:
    return [told["_id"] for head in cluster.taken for told in head.values()]


def test_what_a_busy_cluster_did_not_take_is_sent_again_later(pauses):
    area, task = str(name_of("area")), str(name_of("task"))
    cluster = Busy((), "busy", {area}, {area})
    writer = OpenSearchWriter(cluster, "index-written", 0, 0)

    writer.add([make("area"), make("task")])
    writer.commit(7)

    assert ids(cluster) == ["position", task, area, "position"]
    assert len(pauses) == 3
    assert 0.2 <= pauses[0] <= 0.4 < pauses[2] <= 1.6


def test_a_cluster_that_stays_busy_is_given_up(pauses):
    cluster = Busy((), *["busy"] * 50)
    writer = OpenSearchWriter(cluster, "index-written", 0, 0)
    writer.add([make("area")])

    with pytest.raises(SearchDownError):
        writer.commit(7)

    assert ids(cluster) == ["position"]
    assert 20 < sum(pauses) < 60


def test_of_one_document_only_the_last_change_is_sent(pauses):
    cluster = Busy()
    writer = OpenSearchWriter(cluster, "index-written", 0, 0)

    writer.delete([name_of("area")])
    writer.add([make("area")])
    writer.commit(7)

    assert [next(iter(head)) for head in cluster.taken] == ["index"] * 3
    assert len(ids(cluster)) == 3


def test_numbers_grow_from_batch_to_batch_and_from_writer_to_writer(pauses):
    cluster = Busy()
    first = OpenSearchWriter(cluster, "index-written", 0, 0)
    first.add([make("area")])
    first.commit(7)
    written = [told["version"] for head in cluster.taken for told in head.values()]
    second = OpenSearchWriter(cluster, "index-written", 7, written[-1])
    second.commit(8)

    numbers = [told["version"] for head in cluster.taken for told in head.values()]
    assert numbers == sorted(set(numbers))
    assert numbers[3] > written[0] + 2**31
