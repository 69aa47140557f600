"""Three nodes of one enterprise, of which one may lie: it signs beside its journal."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import select

from hub.audit import service as audit
from hub.database import db, transaction
from hub.federation import freezing, puller, pusher
from hub.federation.protocol import Item
from hub.federation.receiving import Intake
from hub.federation.sender import Sender
from hub.journal import log
from hub.journal.models import GROUP, PUT, Release
from hub.journal.signing import ENTRY, RELEASE, node_keys
from hub.registry.models import PeerKind

HEADQUARTERS = "https://headquarters.test"
ALPHA = "https://alpha.test"


@dataclass
class Group:
    """A headquarters and two subsidiaries that reach each other without a network."""

    headquarters: Flask
    alpha: Flask
    beta: Flask

    def sync(self) -> None:
        """Let every node exchange once, in the order in which things travel."""
        for node in (self.alpha, self.beta):
            push(node)
        for node in (self.alpha, self.beta):
            pull(node)


def sign(node: Flask, entry_id: str, **changes: Any) -> dict[str, Any]:
    """Return an item that a node signs beside its journal: it lies."""
    with node.app_context():
        keys, origin = node_keys(), node.extensions["hub.settings"].origin
    text = {
        "v": 1, "type": "case", "id": entry_id, "rev": 1, "origin": origin, "prev": None,
        "created": "2026-11-23T01:02:03Z", "lang": "zh-CN", "title": "另一个说法", "body": "",
        "fields": {}, "attachments": [],
    } | {name: changes.pop(name) for name in ("title",) if name in changes}  # fmt: skip
    entry = keys.sign(text | {"rev": changes.get("rev", 1)}, ENTRY)
    statement = {
        "v": 1, "iss": origin, "epoch": "e", "ch": GROUP, "seq": 1, "prev": None, "op": PUT,
        "id": entry_id, "rev": 1, "digest": entry.digest, "relay": [GROUP], "iat": 1795396800,
    } | changes  # fmt: skip
    return {"release": keys.sign(statement, RELEASE).as_wire(), "entry": entry.as_wire()}


def chain_of(node: Flask, iss: str = ALPHA, channel: str = GROUP) -> tuple[str, int, str]:
    with node.app_context():
        chain = log.chains_of(iss, [channel])[channel]
        return chain.epoch, chain.seq, chain.digest


def serve(node: Flask, *items: dict[str, Any], channel: str = GROUP) -> list[str | None]:
    """Let headquarters serve items to a node; return what became of them."""
    found = [Item(0, item["release"], item["entry"], 1) for item in items]
    with node.app_context(), transaction():
        sender = Sender(HEADQUARTERS, PeerKind.HEADQUARTERS, "acme")
        return [outcome.code for outcome in Intake(sender, channel).take(found)]


def fork_of(group: Group) -> dict[str, Any]:
    """Return another release of alpha in the place of its last one."""
    with group.alpha.app_context():
        epoch, seq, _ = chain_of(group.alpha)
        here = select(Release).where(Release.seq == seq, Release.channel == GROUP)
        prev = json.loads(db.session.scalars(here).one().payload)["prev"]
    return sign(group.alpha, str(uuid4()), epoch=epoch, seq=seq, prev=prev)


def next_of(group: Group, **changes: Any) -> dict[str, Any]:
    """Return what would follow in the chain of alpha."""
    epoch, seq, last = chain_of(group.alpha)
    place = {"epoch": epoch, "seq": seq + 1, "prev": last}
    return sign(group.alpha, str(uuid4()), **place | changes)


def frozen(node: Flask) -> list[tuple[str, str, str]]:
    with node.app_context():
        return [(row.origin, row.code, row.served_by) for row in freezing.alarms()]


def actions(node: Flask) -> list[str]:
    with node.app_context():
        return [entry.action for entry in audit.entries()]


def push(node: Flask) -> None:
    with node.app_context():
        pusher.push(HEADQUARTERS)


def pull(node: Flask) -> None:
    with node.app_context():
        puller.pull_all()
