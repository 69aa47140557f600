"""Recorded documents: taken in and re-emitted byte for byte, or refused for the reason named."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from hub.cases.models import Document, Feedback
from hub.database import db, transaction
from hub.federation.items import read_items
from hub.federation.models import Quarantined
from hub.federation.protocol import parse_items
from hub.federation.receiving import Intake
from hub.federation.sender import Sender
from hub.journal.models import Entry
from hub.journal.signing import RELEASE
from hub.registry import service as registry
from hub.registry.models import Node, NodeKey, PeerKind
from tests.federation.record import FIRST, OTHER, SECOND, THEIRS, entry, item, release

DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.json"))
SENDER = Sender("https://relay.test", PeerKind.HEADQUARTERS, "acme")


def recorded(name: str) -> dict[str, Any]:
    path = Path(__file__).parent / "documents" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def take(document: dict[str, Any]) -> list[str | None]:
    with transaction():
        for key in document["keys"]:
            if db.session.get(Node, key["node"]) is None:
                node = Node(
                    origin=key["node"], enterprise="acme", name=key["node"], is_headquarters=False
                )
                db.session.add(node)
                db.session.flush()
                db.session.add(NodeKey(origin=key["node"], kid=key["jwk"]["kid"], jwk=key["jwk"]))
    with transaction():
        outcomes = Intake(SENDER, document["channel"]).take(parse_items(document["items"]))
    return [outcome.code for outcome in outcomes]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_each_item_meets_its_recorded_fate(headquarters: Flask, path: Path) -> None:
    document = json.loads(path.read_text())
    with headquarters.app_context():
        assert take(document) == document["outcomes"]
        assert take(document) == document["outcomes"], "a second time must change nothing"


@pytest.mark.parametrize("name", ["valid", "unknown-field", "unknown-type", "child"])
def test_what_is_taken_in_is_offered_byte_for_byte(headquarters: Flask, name: str) -> None:
    document = recorded(name)
    with headquarters.app_context():
        take(document)
        items = [item.as_wire() for item in read_items("group", 0, 500)]
    sent = [{"release": item["release"], "entry": item["entry"]} for item in document["items"]]
    assert [{"release": item["release"], "entry": item["entry"]} for item in items] == sent


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("altered-entry", "other_digest"),
        ("duplicate-key", "duplicate_key"),
        ("foreign-origin", "foreign_origin"),
    ],
)
def test_a_poison_entry_is_quarantined_and_its_release_relayed(
    headquarters: Flask, name: str, code: str
) -> None:
    document = recorded(name)
    with headquarters.app_context():
        take(document)
        kept = db.session.scalars(select(Quarantined)).one()
        assert (kept.code, kept.is_parked, kept.peer) == (code, False, SENDER.origin)
        assert json.loads(kept.raw)["entry"] == document["items"][0]["entry"]
        items = read_items("group", 0, 500)
        assert items[0].entry is None
        assert items[0].release == document["items"][0]["release"]
        titles = [d.title for d in db.session.scalars(select(Document))]
        assert titles == [json.loads(i["entry"]["p"])["title"] for i in document["items"][1:]]


@pytest.mark.parametrize(
    ("name", "code"),
    [("child-of-another", "foreign_parent"), ("child-without-parent", "malformed")],
)
def test_only_the_parents_origin_releases_what_speaks_of_it(
    headquarters: Flask, name: str, code: str
) -> None:
    with headquarters.app_context():
        take(recorded(name))
        assert db.session.scalars(select(Quarantined.code)).all() == [code]
        assert db.session.scalars(select(Feedback)).all() == []
        assert [item.entry is None for item in read_items("group", 0, 500)] == [False, True]


def test_a_child_goes_with_its_parent(headquarters: Flask) -> None:
    with headquarters.app_context():
        take(recorded("child"))
        said = db.session.scalars(select(Feedback)).one()
        assert (said.state, said.text) == ("accepted", "检修班组怎样排班？")
        with transaction():
            withdrawn = recorded("child-withdrawn")
            Intake(SENDER, "group").take(parse_items(withdrawn["items"][2:]))
        db.session.expire_all()
        assert (said.state, said.audience, said.text) == ("ended", None, "")
        assert set(db.session.scalars(select(Entry.payload))) == {None}


def test_nobody_moves_anothers_entry_by_its_digest(headquarters: Flask) -> None:
    with headquarters.app_context():
        take(recorded("child"))
        digest = db.session.scalars(select(Entry.digest).where(Entry.origin == OTHER)).one()
        stolen = release(entry(FIRST, THEIRS, origin=OTHER), signer=THEIRS, iss=OTHER)
        document = json.loads(stolen.payload) | {"digest": digest, "id": SECOND}
        items = [{"release": THEIRS.sign(document, RELEASE).as_wire(), "entry": None}]
        with transaction():
            outcomes = Intake(SENDER, "group").take(parse_items(items))
        assert [outcome.code for outcome in outcomes] == ["foreign_origin"]


def test_what_follows_a_forged_release_waits_and_other_chains_go_on(headquarters: Flask) -> None:
    document = recorded("altered-release")
    by_another = entry(signer=THEIRS, origin=OTHER, title="另一个节点的")
    document["items"].append(item(release(by_another, signer=THEIRS, iss=OTHER), by_another))
    with headquarters.app_context():
        assert take(document) == [*document["outcomes"], None]
        kept = db.session.scalars(select(Quarantined).order_by(Quarantined.id)).all()
        assert [(row.code, row.is_parked, row.peer) for row in kept] == [
            ("not_canonical", False, SENDER.origin),
            ("gap", True, SENDER.origin),
        ]
        assert json.loads(kept[0].raw)["release"] == document["items"][0]["release"]
        assert db.session.scalars(select(Document.title)).all() == ["另一个节点的"]


def test_a_replay_after_withdrawal_stays_dead(headquarters: Flask) -> None:
    with headquarters.app_context():
        take(recorded("withdrawn-then-replayed"))
        assert db.session.scalars(select(Document)).all() == []
        assert db.session.scalars(select(Quarantined)).all() == []


def test_a_node_of_another_enterprise_does_not_write_to_the_group(headquarters: Flask) -> None:
    document = recorded("valid")
    with headquarters.app_context():
        take(recorded("gap"))
        with transaction():
            db.session.get_one(Node, "https://u7.test").enterprise = "globex"
        with transaction():
            outcomes = Intake(SENDER, "group").take(parse_items(document["items"]))
        assert {outcome.code for outcome in outcomes} == {"foreign_issuer"}
        assert registry.enterprise_of("https://u7.test") == "globex"
