"""Random histories: whatever is published, cut off, lost, repeated or restored from a backup, and
whichever key signs, all nodes end with the same.

The model is a plain dictionary. A history runs over simulated hours; when the network is whole
again, every node shows exactly what it may see, once.
"""

import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from hub import clock
from hub.database import db
from hub.errors import HubError
from hub.federation import puller, pusher, rotation
from hub.federation.client import TRANSPORT
from hub.federation.errors import RefusedError
from hub.journal.models import GROUP, LOCAL, PUBLIC, LogItem, Release, partner_channel
from tests.conftest import MakeNode
from tests.federation.backups import save
from tests.federation.test_exchange import publish, readdress, titles
from tests.in_process import NodeAdapter, join, pair

HISTORIES = int(os.environ.get("HUB_TEST_HISTORIES", "6"))
STEPS = 40
PARTNER = partner_channel("globex")
AUDIENCES = ((LOCAL,), (GROUP,), (GROUP, PARTNER), (GROUP, PUBLIC), ())
ROUNDS = 4  # Of everybody with everybody, after which nothing is on its way any more.
NODES = ("headquarters", "alpha", "beta", "partner")


class RoughNetwork(NodeAdapter):
    """A network in which the next answer may get lost, or the next request come twice."""

    def __init__(self) -> None:
        super().__init__()
        self.next_fault = ""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        fault, self.next_fault = self.next_fault, ""
        answer = super().send(request, *args, **more)
        if fault == "lost":
            raise requests.ConnectionError("the answer was lost")
        return super().send(request, *args, **more) if fault == "twice" else answer


class Histories(RuleBasedStateMachine):
    """What may happen to a federation of four nodes."""

    make_node: MakeNode
    hold: Callable[[Any], None]  # Sets the clock of all nodes.
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.now = clock.now()
        self.network = RoughNetwork()
        self.nodes = {name: self._found(name) for name in NODES}
        hub = self.nodes["headquarters"]
        for name in ("alpha", "beta"):
            join(hub, self.nodes[name])
        pair(hub, self.nodes["partner"])
        self.model: dict[str, tuple[str, tuple[str, ...], int, str]] = {}
        self.backups: dict[str, Callable[[], None]] = {}
        self.behind: set[str] = set()  # Restored, and not yet given back what was lost.

    def _found(self, name: str) -> Flask:
        role = "subsidiary" if name in {"alpha", "beta"} else "headquarters"
        enterprise = "globex" if name == "partner" else "acme"
        node = self.make_node(f"{name}{next(self.numbers)}", enterprise=enterprise, role=role)
        node.extensions[TRANSPORT] = self.network
        return node

    @rule(at=st.sampled_from(["alpha", "beta", "headquarters"]), to=st.sampled_from(AUDIENCES[:4]))
    def publish(self, at: str, to: tuple[str, ...]) -> None:
        if not self._may_publish(at):
            return
        entry_id, title = str(uuid4()), f"案例{next(self.numbers)}"
        publish(self.nodes[at], *to, entry_id=entry_id, title=title)
        self.model[entry_id] = (at, to, 1, title)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def revise(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.model)))
        at, to, rev, _ = self.model[entry_id]
        if to and self._may_publish(at):
            title = f"修订{next(self.numbers)}"
            publish(self.nodes[at], *to, entry_id=entry_id, rev=rev + 1, title=title)
            self.model[entry_id] = (at, to, rev + 1, title)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), to=st.sampled_from(AUDIENCES))
    def readdress(self, data: st.DataObject, to: tuple[str, ...]) -> None:
        """Narrow, widen or withdraw; what was withdrawn stays so."""
        entry_id = data.draw(st.sampled_from(sorted(self.model)))
        at, before, rev, title = self.model[entry_id]
        if before and self._may_publish(at):
            readdress(self.nodes[at], entry_id, *to)
            self.model[entry_id] = (at, to, rev, title)

    @rule(name=st.sampled_from(NODES))
    def cut_off(self, name: str) -> None:
        self.network.down.add(self._origin(name))

    @rule(name=st.sampled_from(NODES))
    def heal(self, name: str) -> None:
        self.network.down.discard(self._origin(name))

    @rule(name=st.sampled_from(["alpha", "beta", "headquarters"]))
    def save(self, name: str) -> None:
        self.backups[name] = save(self.nodes[name])

    @precondition(lambda self: self.backups)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """Put a backup back; what a node published since is at headquarters, or it is lost."""
        name = data.draw(st.sampled_from(sorted(self.backups)))
        self.network.down.clear()
        for other in ("alpha", "beta", "headquarters"):
            self._exchange(other)
        self.backups.pop(name)()
        self.behind.add(name)

    @rule(name=st.sampled_from(["alpha", "beta", "headquarters"]))
    def rotate(self, name: str) -> None:
        """Ask for a key that counts from a day later on."""
        self.backups.pop("headquarters", None)  # It says so in `dir`.
        with self.nodes[name].app_context(), suppress(HubError):
            rotation.rotate()

    @rule(name=st.sampled_from(NODES), fault=st.sampled_from(["", "", "lost", "twice"]))
    def exchange(self, name: str, fault: str) -> None:
        self.network.next_fault = fault
        with suppress(HubError):  # It is tried again; that is the point.
            self._exchange(name)
        self.network.next_fault = ""

    @rule(minutes=st.integers(1, 120))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.hold(self.now)

    def teardown(self) -> None:
        self.network.down.clear()
        for _ in range(ROUNDS):
            for name in ("alpha", "beta", "headquarters", "partner"):
                with suppress(RefusedError):  # A log that was restored gets another name first.
                    self._exchange(name)
            self.now += timedelta(hours=25)
            self.hold(self.now)
        for name in NODES:
            self._exchange(name)
        for name, node in self.nodes.items():
            assert titles(node) == self._expected(name), name
            self._check_numbers(node)

    def _may_publish(self, name: str) -> bool:
        """Say whether a node has all of its own; headquarters then has nobody to ask for it."""
        if name == "headquarters":
            self.backups.pop(name, None)
        return name not in self.behind

    def _expected(self, name: str) -> list[str]:
        """Return the titles that a node shows; what is local to it has no case here to be shown."""
        open_to = {PARTNER, PUBLIC} if name == "partner" else {GROUP}
        return sorted(title for _, to, _, title in self.model.values() if open_to & set(to))

    def _exchange(self, name: str) -> None:
        node = self.nodes[name]
        if self._origin(name) in self.network.down:
            return
        with node.app_context():
            if origin := pusher.headquarters():
                pusher.push(origin)
            puller.pull_all()
        self.behind.discard(name)

    def _check_numbers(self, node: Flask) -> None:
        with node.app_context():
            positions = list(db.session.scalars(select(Release.position)))
            assert sorted(positions) == list(range(1, len(positions) + 1))
            places = list(db.session.execute(select(LogItem.channel, LogItem.seq)))
            assert len(places) == len(set(places))

    def _origin(self, name: str) -> str:
        origin: str = self.nodes[name].extensions["hub.settings"].origin
        return origin


def test_every_history_ends_with_the_same_everywhere(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bound(Histories):
        """Histories of nodes that this test makes."""

    Bound.make_node = staticmethod(make_node)
    Bound.hold = staticmethod(lambda now: monkeypatch.setattr(clock, "now", lambda: now))
    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate,),  # A history of whole nodes takes too long to be shortened.
            suppress_health_check=list(HealthCheck),
        ),
    )
