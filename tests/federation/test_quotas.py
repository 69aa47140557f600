"""One peer can't slow down the others, and nothing that was put off is lost."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from hub.config import of_this_node
from hub.database import db, transaction
from hub.federation import follower, puller, pusher, relay, room
from hub.federation.errors import RefusedError
from hub.federation.protocol import cursor_name
from hub.identity.models import Role
from hub.journal import log
from hub.journal.models import GROUP, PUBLIC, Head
from hub.registry.models import Peer
from hub.search.follower import Follower as Indexer
from hub.search.follower import follow_once
from tests.factories import make_person
from tests.federation.test_exchange import publish, quarantine, titles
from tests.federation.test_urls import bearer, get, ingest, signed
from tests.in_process import connect, join
from tests.live import wait_for
from tests.pages import sign_in

HEADQUARTERS = "https://headquarters.test"


@pytest.fixture
def hub_and_spokes(headquarters: Flask, alpha: Flask, beta: Flask) -> tuple[Flask, Flask, Flask]:
    for node in (alpha, beta):
        join(headquarters, node)
    return headquarters, alpha, beta


@pytest.fixture
def pass_a_minute(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which a minute has gone by for those who count."""
    real, gone = time.time, [0]
    monkeypatch.setattr("limits.storage.memory.time.time", lambda: real() + gone[0])

    def go_on() -> None:
        gone[0] += 61

    return go_on


def allow(node: Flask, **quotas: int) -> None:
    """Set the quotas of a node anew; all that was counted is forgotten."""
    node.extensions["hub.settings"] = replace(node.extensions["hub.settings"], **quotas)
    node.extensions.pop("hub.kept", None)


def push(node: Flask) -> None:
    with node.app_context():
        pusher.push(HEADQUARTERS)


def cursors(node: Flask) -> list[str | None]:
    with node.app_context():
        names = [cursor_name(HEADQUARTERS, name) for name in ("dir", GROUP)]
        return [log.read_cursor(name) for name in names]


def test_who_publishes_too_much_is_told_when_to_go_on_and_loses_nothing(
    hub_and_spokes: tuple[Flask, Flask, Flask],
    pass_a_minute: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    monkeypatch.setattr(pusher, "BATCH", 2)
    allow(headquarters, peer_entries_per_minute=3)
    for number in range(7):
        publish(alpha, GROUP, title=f"第{number}篇")
    with pytest.raises(RefusedError) as refusal:
        push(alpha)
    assert (refusal.value.refusal, refusal.value.answered) == ("throttled", 429)
    assert refusal.value.retry_after is not None
    assert 1 <= refusal.value.retry_after <= 60
    assert len(titles(headquarters)) == 4
    pass_a_minute()
    push(alpha)
    assert titles(headquarters) == [f"第{number}篇" for number in range(7)]
    assert quarantine(headquarters) == []


def test_who_reads_too_fast_has_everything_in_the_end(
    hub_and_spokes: tuple[Flask, Flask, Flask],
    pass_a_minute: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    monkeypatch.setattr(puller, "MAX_ITEMS", 2)
    for number in range(5):
        publish(headquarters, GROUP, title=f"第{number}篇")
    allow(headquarters, peer_requests_per_minute=3)
    for _ in range(2):
        with alpha.app_context(), pytest.raises(RefusedError) as refusal:
            puller.pull(HEADQUARTERS)
        assert refusal.value.refusal == "throttled"
        pass_a_minute()
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    assert titles(alpha) == [f"第{number}篇" for number in range(5)]


def test_a_peer_that_floods_does_not_change_what_another_is_answered(
    hub_and_spokes: tuple[Flask, Flask, Flask],
) -> None:
    headquarters, alpha, beta = hub_and_spokes
    allow(headquarters, peer_requests_per_minute=5, peer_entries_per_minute=1)
    flood, calm, client = bearer(alpha), bearer(beta), headquarters.test_client()
    path = "/fed/v1/channels/dir/items"
    before = client.get(path, headers=calm).data
    answers = [client.get(path, headers=flood) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 7
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].content_type == "application/problem+json"
    assert answers[-1].json["code"] == "throttled"
    assert client.get(path, headers=calm).data == before


def test_a_batch_that_is_larger_than_the_quota_comes_through(
    hub_and_spokes: tuple[Flask, Flask, Flask],
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    allow(headquarters, peer_entries_per_minute=1)
    assert ingest(alpha, signed(alpha), signed(alpha, 2)) == (2, [])
    with pytest.raises(RefusedError) as refusal:
        ingest(alpha, signed(alpha))
    assert refusal.value.refusal == "throttled"


def test_a_peer_has_one_request_held_and_a_second_answered_at_once(
    hub_and_spokes: tuple[Flask, Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha, beta = hub_and_spokes
    publish(headquarters, GROUP)
    turns = headquarters.extensions["hub.turns"]  # One request at a time, but for those held.
    monkeypatch.setattr(turns, "_free", threading.BoundedSemaphore(1))
    with headquarters.app_context():
        watcher = relay.watcher()
        heads = {head.name: f"{head.epoch}:{head.seq}" for head in db.session.scalars(select(Head))}
    seen = ",".join(f"{name}:{head}" for name, head in heads.items() if name != "journal")
    asked, path = {"seen": seen, "wait": "20"}, "/fed/v1/channels"
    waiting = [
        threading.Thread(target=get, args=(node, path), kwargs=asked) for node in (alpha, beta)
    ]
    for thread in waiting:
        thread.start()
    wait_for(lambda: watcher.held == 2, "both to be held", 20)
    started = monotonic()
    assert get(alpha, "/fed/v1/channels", seen=seen, wait="20")["channels"]
    assert monotonic() - started < 5
    assert watcher.held == 2, "the others go on waiting"
    publish(headquarters, GROUP)
    for thread in waiting:
        thread.join(10)
    assert watcher.held == 0


def test_the_pause_is_the_one_that_the_peer_asked_for() -> None:
    asked = RefusedError(HEADQUARTERS, "throttled", "", answered=429, retry_after=40)
    backoff = follower.Backoff()
    assert all(40 <= backoff.fail(asked) <= 41 for _ in range(20))
    assert backoff.fail() <= 1, "being slowed down is no failure"


def test_the_pusher_asks_again_when_it_was_told_to_and_not_before(
    hub_and_spokes: tuple[Flask, Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    real = time.time
    allow(headquarters, peer_entries_per_minute=1)
    ingest(alpha, signed(alpha))
    monkeypatch.setattr("limits.storage.memory.time.time", lambda: real() + 57)
    publish(alpha, PUBLIC)
    network = connect(headquarters, alpha)
    network.seen.clear()
    stop = threading.Event()
    thread = threading.Thread(target=follower.Follower(alpha, stop)._push)
    thread.start()
    try:
        wait_for(lambda: titles(headquarters).count("划好责任区"), "the case to arrive", 20)
    finally:
        stop.set()
        thread.join(10)
    tried = [url for method, url in network.seen if url.endswith("/fed/v1/ingest")]
    assert len(tried) == 2


def test_the_pause_after_failures_grows_to_a_minute_and_no_further() -> None:
    backoff = follower.Backoff()
    pauses = [backoff.fail() for _ in range(50)]
    assert pauses[0] <= 1
    assert all(30 <= pause <= 60 for pause in pauses[10:])
    assert len(set(pauses)) > 40, "with jitter"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what is free on the disk, in a list, so that it can change."""
    free = [room.LEAST_FREE]
    monkeypatch.setattr(room, "free_bytes", lambda folder: free[0])
    return free


def test_pulling_pauses_while_the_disk_is_full_and_its_cursor_stays(
    hub_and_spokes: tuple[Flask, Flask, Flask], disk: list[int]
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    publish(headquarters, GROUP)
    before = cursors(alpha)
    disk[0] -= 1
    with alpha.app_context(), pytest.raises(room.DiskFullError):
        puller.pull(HEADQUARTERS)
    assert cursors(alpha) == before
    assert titles(alpha) == []
    disk[0] += 1
    with alpha.app_context():
        assert puller.pull(HEADQUARTERS) == 1
    assert titles(alpha) == ["划好责任区"]


def test_the_disk_may_fill_in_the_midst_of_a_pull(
    hub_and_spokes: tuple[Flask, Flask, Flask], disk: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    monkeypatch.setattr(puller, "MAX_ITEMS", 1)
    for number in range(3):
        publish(headquarters, GROUP, title=f"第{number}篇")
    left = iter([room.LEAST_FREE] * 9)
    monkeypatch.setattr(room, "free_bytes", lambda folder: next(left, 0))
    with alpha.app_context(), pytest.raises(room.DiskFullError):
        puller.pull(HEADQUARTERS)
    assert 0 < len(titles(alpha)) < 3
    monkeypatch.setattr(room, "free_bytes", lambda folder: room.LEAST_FREE)
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    assert len(titles(alpha)) == 3


@pytest.fixture
def index(alpha: Flask) -> Iterator[Callable[[], None]]:
    """Return a function that brings the index of alpha up to date."""

    def catch_up() -> None:
        with alpha.app_context():
            follow_once()

    yield catch_up
    with alpha.app_context():
        of_this_node(Indexer).close()


def test_pulling_pauses_while_the_index_is_far_behind(
    hub_and_spokes: tuple[Flask, Flask, Flask],
    index: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    publish(headquarters, GROUP)
    monkeypatch.setattr(room, "MOST_BEHIND", 1)
    with alpha.app_context(), pytest.raises(room.IndexBehindError):
        puller.pull(HEADQUARTERS)
    index()
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    assert titles(alpha) == ["划好责任区"]


def test_a_paused_node_says_so_in_red_and_goes_on_by_itself(
    hub_and_spokes: tuple[Flask, Flask, Flask], disk: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha, _ = hub_and_spokes
    publish(headquarters, GROUP)
    monkeypatch.setattr(follower, "FULL", 0.05)
    monkeypatch.setattr(follower, "LOOK", 0.05)
    disk[0] = 0
    stop = threading.Event()
    running = follower.Follower(alpha, stop)
    thread = threading.Thread(target=running.run)
    with alpha.app_context(), transaction():
        peer = db.session.scalars(select(Peer)).one()
        peer.seen_at = None
    thread.start()
    try:
        wait_for(lambda: _seen(alpha), "the pause to show", 20)
        assert titles(alpha) == []
        page = _administrator(alpha).get("/admin/federation/peers").text
        assert "disk_full" in page
        assert "Free or add space on the disk" in page
        disk[0] = room.LEAST_FREE
        wait_for(lambda: titles(alpha), "pulling to go on", 20)
    finally:
        stop.set()
        publish(headquarters, GROUP)  # Ends the held request.
        thread.join(20)
        for each in running._threads.values():
            each.join(20)  # Else one may outlive its node.
    assert "disk_full" not in _administrator(alpha, "other").get("/admin/federation/peers").text


def _seen(node: Flask) -> bool:
    with node.app_context():
        return db.session.scalars(select(Peer)).one().seen_at is not None


def _administrator(node: Flask, username: str = "admin") -> Any:
    with node.app_context(), transaction():
        make_person(username, Role.ADMINISTRATOR)
    return sign_in(node, username)
