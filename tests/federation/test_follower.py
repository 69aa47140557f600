"""The threads that keep a node in step: what wakes them, and that none waits for another."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from flask import Flask

from hub.database import transaction
from hub.federation import follower, protocol, relay
from hub.journal import outbox
from hub.journal.signing import ENTRY, node_keys
from tests.conftest import MakeNode, Stage
from tests.federation.test_exchange import publish, titles
from tests.in_process import NodeAdapter, connect, pair
from tests.live import wait_for

HEADQUARTERS, PARTNER = "https://headquarters.test", "https://partner.test"
THIRD = "https://third.test"
OURS, THEIRS = "partner:acme", "partner:globex"  # Channels, by who reads them.


@pytest.fixture(autouse=True)
def held_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let held requests end soon, and with them the threads that wait for an answer."""
    monkeypatch.setattr(follower, "MAX_WAIT", 1)


@pytest.fixture
def partners(stage: Stage) -> tuple[Flask, Flask, NodeAdapter]:
    headquarters, partner = stage("partners", ("headquarters", "partner"), pair)
    return headquarters, partner, connect(headquarters, partner)


@contextmanager
def following(node: Flask, *waiting: threading.Event) -> Iterator[None]:
    """Let a node exchange with all its peers for as long as the block runs.

    :param waiting: what its threads may be held by, and are let go from at the end.
    """
    stop = threading.Event()
    running = follower.Follower(node, stop)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield
    finally:
        for event in (stop, *waiting):
            event.set()
        for each in (thread, *running._threads.values()):
            each.join(20)


def hang(network: NodeAdapter, origin: str, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let a node take requests and answer none until the event that is returned is set."""
    over, carry = threading.Event(), network.send

    def send(request: requests.PreparedRequest, *values: Any, **more: Any) -> requests.Response:
        if str(request.url).startswith(origin):
            over.wait(20)
        return carry(request, *values, **more)

    monkeypatch.setattr(network, "send", send)
    return over


def test_with_every_hint_lost_news_comes_with_the_next_poll(
    partners: tuple[Flask, Flask, NodeAdapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, partner, _ = partners
    monkeypatch.setattr(relay, "_differs", lambda *values: False)  # Nor is a held request woken.
    with following(partner):
        publish(headquarters, THEIRS, title="没有提示")
        wait_for(lambda: titles(partner), "the case to arrive", 15)
        publish(headquarters, THEIRS, title="还是没有提示")
        wait_for(lambda: len(titles(partner)) == 2, "the next one to arrive", 15)
    assert protocol.MAX_WAIT <= 30, "seconds, at which the protocol sets the bound"


def test_a_hint_ends_the_pause_after_a_failure(
    partners: tuple[Flask, Flask, NodeAdapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, partner, network = partners
    failed = threading.Event()

    def fail(backoff: follower.Backoff, error: Exception | None = None) -> float:
        failed.set()
        return 600.0

    monkeypatch.setattr(follower.Backoff, "fail", fail)
    with headquarters.app_context():
        before = follower.hint_partners({})
    network.down.add(HEADQUARTERS)
    with following(partner):
        assert failed.wait(15)
        network.down.clear()
        publish(headquarters, THEIRS)
        with headquarters.app_context():
            follower.hint_partners(before)
        wait_for(lambda: titles(partner), "the case to arrive", 15)


@pytest.fixture
def third(partners: tuple[Flask, Flask, NodeAdapter], make_node: MakeNode) -> Flask:
    """Return another partner of headquarters."""
    third = make_node("third", enterprise="initech", role="headquarters")
    pair(partners[0], third)
    return third


def test_a_peer_that_hangs_keeps_nobody_from_being_read(
    partners: tuple[Flask, Flask, NodeAdapter], third: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, _, network = partners
    publish(third, OURS, title="第三家的案例")
    with following(headquarters, hang(network, PARTNER, monkeypatch)):
        wait_for(lambda: titles(headquarters), "the case of the other one", 10)


def test_a_peer_that_hangs_keeps_no_feedback_from_others(
    partners: tuple[Flask, Flask, NodeAdapter], third: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, _, network = partners
    with headquarters.app_context(), transaction():
        for origin in (PARTNER, THIRD):
            outbox.put(origin, [node_keys().sign({"v": 1}, ENTRY)])

    def is_waiting(origin: str) -> bool:
        with headquarters.app_context():
            return outbox.is_waiting(origin)

    with following(headquarters, hang(network, PARTNER, monkeypatch)):
        wait_for(lambda: not is_waiting(THIRD), "the other one to be handed its own", 10)
        assert is_waiting(PARTNER)
