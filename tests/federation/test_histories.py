"""Random histories: whatever is published, cut off, lost, repeated or restored from a backup, and
whichever key signs, all nodes end with the same.

The model is a plain dictionary. A history runs over simulated hours; when the network is whole
again, every node shows exactly what it may see, once. There is one rule and not one for each step:
Hypothesis leaves some rules out of each history, and most were of few kinds.
"""

import os
import random
import shutil
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
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import func, select

from hub import clock
from hub.database import db
from hub.errors import HubError
from hub.federation import freezing, puller, pusher, rotation
from hub.federation.client import TRANSPORT
from hub.federation.errors import RefusedError
from hub.journal.models import GROUP, LOCAL, PUBLIC, LogItem, Release, partner_channel
from tests.conftest import Stage
from tests.federation.backups import save
from tests.federation.test_exchange import meet, publish, quarantine, readdress, titles
from tests.in_process import NodeAdapter, origin_of

HISTORIES = int(os.environ.get("HUB_TEST_HISTORIES", "2"))
STEPS = 60
PARTNER = partner_channel("globex")
AUDIENCES = ((LOCAL,), (GROUP,), (GROUP, PARTNER), (GROUP, PUBLIC), ())
ROUNDS = 4  # Of everybody with everybody, after which nothing is on its way any more.
# Steps by weight, so that each history publishes, exchanges and restores.
DRAWN = [
    *("publish",) * 5,
    *("revise", "readdress", "heal", "restore", "wait") * 2,
    *("save",) * 3,
    *("exchange",) * 8,
    *("cut_off", "rotate"),
]
NODES = ("headquarters", "alpha", "beta", "partner")
PUBLISHERS = NODES[:3]


class RoughNetwork(NodeAdapter):
    """A network in which the next answer may get lost, or the next request come twice."""

    next_fault = ""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        fault, self.next_fault = self.next_fault, ""
        answer = super().send(request, *args, **more)
        if fault == "lost":
            raise requests.ConnectionError("the answer was lost")
        return super().send(request, *args, **more) if fault == "twice" else answer


class History:
    """What happens to a federation of four nodes, one step after another."""

    def __init__(self, nodes: list[Flask], hold: Callable[[Any], None]) -> None:
        self.now, self.hold = clock.now(), hold  # `hold` sets the clock of all nodes.
        self.nodes = dict(zip(NODES, nodes, strict=True))
        self.network = RoughNetwork(nodes)
        for node in nodes:
            node.extensions[TRANSPORT] = self.network
            node.extensions.pop("hub.kept", None)  # Clients over the network before.
        self.chance = random.Random(0)
        self.model: dict[str, tuple[str, tuple[str, ...], int, str]] = {}
        self.backups: dict[str, tuple[Callable[[], None], int]] = {}
        self.behind: set[str] = set()  # Restored, and not yet given back what was lost.

    def take(self, step: str, chance: random.Random) -> None:
        self.chance = chance
        getattr(self, step)()

    def publish(self) -> None:
        at, to = self.chance.choice(PUBLISHERS), self.chance.choice(AUDIENCES[:4])
        if self._may_publish(at):
            entry_id, title = str(uuid4()), f"案例{len(self.model)}"
            publish(self.nodes[at], *to, entry_id=entry_id, title=title)
            self.model[entry_id] = (at, to, 1, title)

    def revise(self) -> None:
        entry_id, at, to, rev, title = self._any_case()
        if to and self._may_publish(at):
            revised = f"{title.partition('，')[0]}，第{rev + 1}版"
            publish(self.nodes[at], *to, entry_id=entry_id, rev=rev + 1, title=revised)
            self.model[entry_id] = (at, to, rev + 1, revised)

    def readdress(self) -> None:
        """Narrow, widen or withdraw; what was withdrawn stays so."""
        entry_id, at, before, rev, title = self._any_case()
        if before and self._may_publish(at):
            to = self.chance.choice(AUDIENCES)
            readdress(self.nodes[at], entry_id, *to)
            self.model[entry_id] = (at, to, rev, title)

    def cut_off(self) -> None:
        self.network.down.add(origin_of(self.nodes[self.chance.choice(NODES)]))

    def heal(self) -> None:
        self.network.down.discard(origin_of(self.nodes[self.chance.choice(NODES)]))

    def save(self) -> None:
        name = self.chance.choice(PUBLISHERS)
        self.backups[name] = (save(self.nodes[name]), self._said(name))

    def restore(self) -> None:
        """Put a backup back; what a node published since is at headquarters, or it is lost."""
        if self.backups:
            name = self.chance.choice(sorted(self.backups))
            self.network.down.clear()
            for other in ("alpha", "beta", "headquarters") * 2:
                with suppress(RefusedError):  # Headquarters may have been restored just before.
                    self._exchange(other)
            put_back, said = self.backups.pop(name)
            # Headquarters has nobody to ask for what it said itself since.
            if name != "headquarters" or said == self._said(name):
                put_back()
                self.behind.add(name)

    def rotate(self) -> None:
        """Ask for a key that counts from a day later on."""
        self.backups.pop("headquarters", None)  # It says so in `dir`.
        with self.nodes[self.chance.choice(PUBLISHERS)].app_context(), suppress(HubError):
            rotation.rotate()

    def exchange(self) -> None:
        self.network.next_fault = self.chance.choice(["", "", "lost", "twice"])
        with suppress(HubError):  # It is tried again; that is the point.
            self._exchange(self.chance.choice(NODES))
        self.network.next_fault = ""

    def wait(self) -> None:
        self.now += timedelta(minutes=self.chance.randrange(1, 120))
        self.hold(self.now)

    def settle(self) -> None:
        """Let all be whole again, and see that every node has what it should."""
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
            assert quarantine(node) == [], name
            self._check_numbers(node)

    def end(self) -> None:
        """Make room for the nodes of the next history, which have the same names."""
        for node in self.nodes.values():
            with node.app_context():
                db.session.remove()
                db.engine.dispose()
            shutil.rmtree(node.extensions["hub.settings"].home)

    def _any_case(self) -> tuple[str, str, tuple[str, ...], int, str]:
        if not self.model:
            return "", "", (), 0, ""
        entry_id = self.chance.choice(list(self.model))
        return (entry_id, *self.model[entry_id])

    def _may_publish(self, name: str) -> bool:
        """Say whether a node has all of its own; headquarters then has nobody to ask for it."""
        if name == "headquarters":
            self.backups.pop(name, None)
        return name not in self.behind

    def _expected(self, name: str) -> list[str]:
        """Return the titles that a node shows; what is local to it has no case here to be shown."""
        open_to = {PARTNER, PUBLIC} if name == "partner" else {GROUP}
        return sorted(title for _, to, _, title in self.model.values() if open_to & set(to))

    def _said(self, name: str) -> int:
        """Return how many releases a node has issued."""
        node = self.nodes[name]
        with node.app_context():
            own = select(func.count()).where(Release.iss == origin_of(node))
            return db.session.scalar(own) or 0

    def _exchange(self, name: str) -> None:
        node = self.nodes[name]
        if origin_of(node) in self.network.down:
            return
        with node.app_context():
            if origin := pusher.headquarters():
                pusher.push(origin)
            puller.pull_all()
        self.behind.discard(name)

    def _check_numbers(self, node: Flask) -> None:
        with node.app_context():
            assert freezing.alarms() == []
            positions = list(db.session.scalars(select(Release.position)))
            assert sorted(positions) == list(range(1, len(positions) + 1))
            places = list(db.session.execute(select(LogItem.channel, LogItem.seq)))
            assert len(places) == len(set(places))


class Histories(RuleBasedStateMachine):
    """Histories as Hypothesis draws them, which names the steps of one that fails."""

    begin: Callable[[], History]

    def __init__(self) -> None:
        super().__init__()
        self.history = self.begin()

    @rule(step=st.sampled_from(DRAWN), chance=st.randoms(use_true_random=True))
    def act(self, step: str, chance: random.Random) -> None:
        self.history.take(step, chance)

    def teardown(self) -> None:
        try:
            self.history.settle()
        finally:
            self.history.end()


def test_every_history_ends_with_the_same_everywhere(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bound(Histories):
        """Histories of nodes that this test makes."""

    def hold(now: Any) -> None:
        monkeypatch.setattr(clock, "now", lambda: now)

    Bound.begin = staticmethod(lambda: History(stage("four", NODES, meet), hold))
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
