"""What happens when a node contradicts itself, or comes back from a backup."""

import json
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select, update

from hub import clock
from hub.audit import service as audit
from hub.cases import service as cases
from hub.cases.models import Case, Document, Revision, State
from hub.database import db, transaction
from hub.federation import freezing, puller, pusher, quarantine, recovery, rewinding
from hub.federation.client import PeerClient
from hub.federation.errors import RefusedError, UnreachableError
from hub.federation.models import Frozen, Quarantined
from hub.federation.protocol import Item
from hub.federation.receiving import Intake, Sender
from hub.identity import service as identity
from hub.identity.models import Role
from hub.journal import log, succession
from hub.journal.errors import RecoveringError
from hub.journal.models import (
    GROUP,
    LOCAL,
    PUBLIC,
    PUT,
    Cursor,
    Entry,
    Head,
    Recovery,
    Release,
)
from hub.journal.signing import ENTRY, RELEASE, digest, node_keys
from hub.registry import service as registry
from hub.registry.models import PeerKind
from tests.factories import make_actor, make_case, make_person, make_token, root_organisation
from tests.federation.backups import save
from tests.federation.test_cli import run
from tests.federation.test_exchange import (
    Federation,
    federation,
    publish,
    readdress,
    releases,
    titles,
)
from tests.federation.test_exchange import (
    quarantine as codes,
)
from tests.federation.test_views import administrator
from tests.pages import submit

HEADQUARTERS = "https://headquarters.test"
ALPHA = "https://alpha.test"

__all__ = ["federation"]


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


def fork_of(federation: Federation) -> dict[str, Any]:
    """Return another release of alpha in the place of its last one."""
    with federation.alpha.app_context():
        epoch, seq, _ = chain_of(federation.alpha)
        here = select(Release).where(Release.seq == seq, Release.channel == GROUP)
        prev = json.loads(db.session.scalars(here).one().payload)["prev"]
    return sign(federation.alpha, str(uuid4()), epoch=epoch, seq=seq, prev=prev)


def next_of(federation: Federation, **changes: Any) -> dict[str, Any]:
    """Return what would follow in the chain of alpha."""
    epoch, seq, last = chain_of(federation.alpha)
    place = {"epoch": epoch, "seq": seq + 1, "prev": last}
    return sign(federation.alpha, str(uuid4()), **place | changes)


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


def test_a_fork_freezes_its_issuer_and_keeps_both_versions(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    other = fork_of(federation)
    assert serve(federation.beta, other) == ["fork"]
    assert frozen(federation.beta) == [(ALPHA, "fork", HEADQUARTERS)]
    with federation.beta.app_context():
        row = db.session.scalars(select(Frozen)).one()
        known = db.session.scalars(select(Release).where(Release.channel == GROUP)).one()
        assert json.loads(row.known)["p"] == known.payload
        assert json.loads(row.other) == other["release"]
    assert "origin.frozen" in actions(federation.beta)
    assert titles(federation.beta) == ["划好责任区"], "what was shown stays"


def test_two_versions_shown_to_two_nodes_are_found_where_they_meet(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    other = fork_of(federation)
    push(federation.alpha)
    assert serve(federation.beta, other) == [None], "the first that beta sees"
    pull(federation.beta)
    assert frozen(federation.beta) == [(ALPHA, "fork", HEADQUARTERS)]
    with federation.beta.app_context():
        row = db.session.scalars(select(Frozen)).one()
        assert json.loads(row.known) == other["release"]
        assert json.loads(json.loads(row.other)["p"])["seq"] == 1


def test_two_contents_of_one_revision_freeze_their_issuer(federation: Federation) -> None:
    entry_id = publish(federation.alpha, GROUP)
    federation.sync()
    epoch, seq, last = chain_of(federation.alpha)
    other = sign(federation.alpha, entry_id, epoch=epoch, seq=seq + 1, prev=last)
    assert serve(federation.beta, other) == ["equivocation"]
    assert frozen(federation.beta) == [(ALPHA, "equivocation", HEADQUARTERS)]


def test_a_release_that_follows_another_history_is_a_fork(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    assert serve(federation.beta, next_of(federation, prev="0" * 64)) == ["fork"]
    assert frozen(federation.beta) == [(ALPHA, "fork", HEADQUARTERS)]


def test_both_versions_in_one_page_freeze_their_issuer(federation: Federation) -> None:
    one = sign(federation.alpha, str(uuid4()))
    two = sign(federation.alpha, str(uuid4()))
    assert serve(federation.beta, one, two) == [None, "fork"]
    assert frozen(federation.beta)


def test_a_fork_at_ingest_freezes_the_node_that_sent_it(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    with federation.alpha.app_context():
        client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
        fork, later = fork_of(federation), next_of(federation)
        body = {"ch": GROUP, "items": [fork, later]}
        refused = client.post("/fed/v1/ingest", body)["refused"]
    assert [item["code"] for item in refused] == ["fork", "frozen_origin"]
    assert frozen(federation.headquarters) == [(ALPHA, "fork", ALPHA)]
    pull(federation.beta)
    assert len(releases(federation.beta, GROUP)) == 1, "nothing of it is offered on"


def test_a_replay_freezes_nobody_and_changes_nothing(federation: Federation) -> None:
    entry_id = publish(federation.alpha, GROUP)
    federation.sync()
    with federation.beta.app_context():
        old = db.session.scalars(select(Release).where(Release.channel == GROUP)).one()
        text = db.session.scalars(select(Entry).where(Entry.entry_id == entry_id)).one()
        first = {
            "release": {"h": old.header, "p": old.payload, "s": old.signature},
            "entry": {"h": text.header, "p": text.payload, "s": text.signature},
        }
    readdress(federation.alpha, entry_id)
    federation.sync()
    with federation.beta.app_context():
        before = log.position()
    assert serve(federation.beta, first) == [None]
    assert frozen(federation.beta) == []
    assert titles(federation.beta) == []
    with federation.beta.app_context():
        assert log.position() == before


def test_what_nobody_can_prove_freezes_nobody(federation: Federation) -> None:
    stray = sign(federation.alpha, str(uuid4()), prev="0" * 64)
    assert serve(federation.beta, stray) == ["fork"]
    assert frozen(federation.beta) == []


def test_a_frozen_node_holds_nobody_else(federation: Federation) -> None:
    publish(federation.alpha, GROUP, title="以前")
    federation.sync()
    serve(federation.beta, fork_of(federation))
    publish(federation.alpha, GROUP, title="以后")
    publish(federation.headquarters, GROUP, title="总部的")
    federation.sync()
    assert titles(federation.beta) == ["以前", "总部的"]
    assert sorted(codes(federation.beta)) == ["fork", "frozen_origin"]


def test_unfreezing_takes_in_what_waited(federation: Federation) -> None:
    publish(federation.alpha, GROUP, title="以前")
    federation.sync()
    other = fork_of(federation)
    serve(federation.beta, other)
    publish(federation.alpha, GROUP, title="以后")
    federation.sync()
    answer = run(federation.beta, "unfreeze", ALPHA, "--reason", "called them")
    assert "1 items that waited were taken in" in answer.output
    assert titles(federation.beta) == ["以前", "以后"]
    assert frozen(federation.beta) == []
    serve(federation.beta, other)
    assert frozen(federation.beta) == [], "a person has seen this one"


def test_unfreezing_a_node_that_is_not_frozen_is_refused(federation: Federation) -> None:
    answer = run(federation.beta, "unfreeze", ALPHA, "--reason", "why not")
    assert isinstance(answer.exception, freezing.NotFrozenError)


def test_an_administrator_sees_both_versions_and_lifts_it_with_a_reason(
    federation: Federation,
) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    serve(federation.beta, fork_of(federation))
    browser = administrator(federation.beta)
    page = browser.get("/admin/federation/peers")
    assert "contradicted itself" in page.text
    assert page.text.count("&#34;seq&#34;: 1") == 2 or page.text.count('"seq": 1') == 2
    with federation.beta.app_context():
        place = f"/admin/federation/frozen/{db.session.scalars(select(Frozen.id)).one()}/resolution"
    submit(browser, "/admin/federation/peers", place, reason="")
    assert frozen(federation.beta), "not without a reason"
    submit(browser, "/admin/federation/peers", place, reason="Restored from a backup")
    assert frozen(federation.beta) == []
    with federation.beta.app_context():
        lifted = audit.entries(subject=ALPHA)[0]
        assert (lifted.action, lifted.detail["reason"]) == (
            "origin.unfrozen",
            "Restored from a backup",
        )


def test_only_administrators_lift_it(federation: Federation) -> None:
    answer = federation.beta.test_client().post("/admin/federation/frozen/1/resolution")
    assert answer.status_code in {302, 400, 401, 403}
    browser = administrator(federation.beta)
    answer = submit(browser, "/admin/federation/peers", "/admin/federation/frozen/7/resolution")
    assert answer.status_code == 404


def test_a_new_epoch_is_taken_once_and_the_old_one_is_over(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    epoch, seq, last = chain_of(federation.beta)
    after = {"epoch": epoch, "seq": seq}
    new = sign(federation.alpha, str(uuid4()), epoch="new", after=after)
    another = sign(federation.alpha, str(uuid4()), epoch="another", after=after)
    late = sign(federation.alpha, str(uuid4()), epoch=epoch, seq=seq + 1, prev=last)
    assert serve(federation.beta, new, another, late) == [
        None,
        "superseded_epoch",
        "superseded_epoch",
    ]
    assert serve(federation.beta, new) == [None], "known"


@pytest.mark.parametrize("place", [{"seq": 0}, {"epoch": "other"}, {"seq": "1"}])
def test_a_new_epoch_that_names_another_end_is_refused(
    federation: Federation, place: dict[str, Any]
) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    epoch, seq, _ = chain_of(federation.beta)
    after = {"epoch": epoch, "seq": seq} | place
    outcome = serve(federation.beta, sign(federation.alpha, str(uuid4()), epoch="n", after=after))
    assert outcome[0] in {"superseded_epoch", "malformed"}


def test_a_new_epoch_waits_for_the_end_of_the_old_one(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()
    epoch, seq, _ = chain_of(federation.beta)
    last = next_of(federation)
    new = sign(federation.alpha, str(uuid4()), epoch="new", after={"epoch": epoch, "seq": seq + 1})
    assert serve(federation.beta, new) == ["gap"]
    assert serve(federation.beta, last) == [None]
    with federation.beta.app_context(), transaction():
        assert quarantine.retry_parked() == 1


def test_a_publisher_restored_from_a_backup_gets_back_what_it_lost(federation: Federation) -> None:
    publish(federation.alpha, GROUP, title="备份以前")
    federation.sync()
    put_back = save(federation.alpha)
    publish(federation.alpha, GROUP, PUBLIC, title="备份以后")
    withdrawn = publish(federation.alpha, GROUP, "partner:globex", title="又撤回")
    readdress(federation.alpha, withdrawn)
    federation.sync()
    before = {c: releases(federation.beta, c) for c in (GROUP, PUBLIC)}
    put_back()
    assert titles(federation.alpha) == ["备份以前"]
    push(federation.alpha)
    assert titles(federation.alpha) == ["备份以前", "备份以后"]
    for channel in (GROUP, PUBLIC):
        assert releases(federation.alpha, channel) == before[channel]
    publish(federation.alpha, GROUP, PUBLIC, "partner:globex", title="恢复以后")
    federation.sync()
    assert titles(federation.beta) == ["备份以前", "备份以后", "恢复以后"]
    assert titles(federation.partner) == ["备份以后", "恢复以后"]
    for node in (federation.headquarters, federation.beta, federation.partner):
        assert codes(node) == []
        assert frozen(node) == []
    assert {"node.recovering", "node.recovered"} <= set(actions(federation.alpha))
    for channel in (GROUP, PUBLIC, "partner:globex"):
        assert no_place_twice(federation.headquarters, channel)


def no_place_twice(node: Flask, channel: str) -> bool:
    with node.app_context():
        statement = select(Release.epoch, Release.seq).where(
            Release.iss == ALPHA, Release.channel == channel
        )
        places = [tuple(row) for row in db.session.execute(statement)]
        return len(places) == len(set(places)) > 0


def test_until_it_has_it_back_a_restored_publisher_publishes_at_home_only(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_back = save(federation.alpha)
    publish(federation.alpha, GROUP, title="备份以后")
    federation.sync()
    put_back()

    def lose(*args: object) -> None:
        raise UnreachableError(HEADQUARTERS, "no connection")

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "_fetch", lose)
        with federation.alpha.app_context(), pytest.raises(UnreachableError):
            pusher.push(HEADQUARTERS)
    with pytest.raises(RecoveringError) as refusal:
        publish(federation.alpha, GROUP)
    assert (refusal.value.status, refusal.value.code) == (503, "recovering")
    publish(federation.alpha, LOCAL)
    push(federation.alpha)
    publish(federation.alpha, GROUP, title="又发表")
    federation.sync()
    assert titles(federation.beta) == ["又发表", "备份以后"]


def test_whoever_publishes_meanwhile_is_told_to_wait(federation: Federation) -> None:
    with federation.alpha.app_context(), transaction():
        case_id = make_case(State.SIGNED, visibility="group").id
        signatory = make_person("", Role.SIGNATORY, organisation=root_organisation())
        token = make_token(signatory)
        log.lock_heads([GROUP])
        succession.wait_for(GROUP, "e", 7, None)
    address = f"/api/v1/cases/{case_id}/publication"
    bearer = {"Authorization": f"Bearer {token}"}
    answer = federation.alpha.test_client().post(address, headers=bearer, json={})
    assert (answer.status_code, answer.json["code"]) == (503, "recovering")
    with federation.alpha.app_context():
        assert db.session.get_one(Case, case_id).state == State.SIGNED
    page = administrator(federation.alpha).get("/admin/federation/peers")
    assert "publishes nothing meanwhile in: group" in page.text


def test_what_was_published_before_headquarters_was_asked_begins_a_new_epoch(
    federation: Federation,
) -> None:
    publish(federation.alpha, GROUP, title="备份以前")
    federation.sync()
    put_back = save(federation.alpha)
    publish(federation.alpha, GROUP, title="丢失")
    publish(federation.alpha, GROUP, title="也丢失")
    federation.sync()
    old = chain_of(federation.headquarters)
    put_back()
    publish(federation.alpha, GROUP, title="太早发表")
    push(federation.alpha)
    epoch, seq, _ = chain_of(federation.headquarters)
    assert (seq, epoch == old[0]) == (1, False)
    federation.sync()
    assert titles(federation.beta) == ["丢失", "也丢失", "备份以前", "太早发表"]
    for node in (federation.headquarters, federation.beta):
        assert frozen(node) == []
    with federation.beta.app_context():
        first = db.session.scalars(select(Release).where(Release.epoch == epoch)).one()
        assert json.loads(first.payload)["after"] == {"epoch": old[0], "seq": old[1]}


def test_what_headquarters_can_give_no_more_is_named_by_a_new_epoch(
    federation: Federation,
) -> None:
    publish(federation.alpha, GROUP, title="备份以前")
    federation.sync()
    put_back = save(federation.alpha)
    publish(federation.alpha, GROUP, title="丢失")
    federation.sync()
    old = chain_of(federation.headquarters)
    with federation.headquarters.app_context(), transaction():
        rows = (Release.iss == ALPHA, Release.channel == GROUP)
        db.session.execute(db.delete(Release).where(*rows))
    put_back()
    for _ in range(2):
        push(federation.alpha)
        with federation.alpha.app_context():
            assert not db.session.scalars(select(Recovery)).one().is_waiting
    assert actions(federation.alpha).count("node.recovering") == 1
    publish(federation.alpha, GROUP, title="恢复以后")
    push(federation.alpha)
    push(federation.alpha)
    epoch, seq, _ = chain_of(federation.headquarters)
    assert (seq, epoch == old[0]) == (1, False)
    assert titles(federation.headquarters) == ["丢失", "备份以前", "恢复以后"]


def test_a_text_that_was_withdrawn_does_not_come_back_with_the_chain(
    federation: Federation,
) -> None:
    entry_id = publish(federation.alpha, GROUP)
    federation.sync()
    put_back = save(federation.alpha)
    readdress(federation.alpha, entry_id)
    federation.sync()
    put_back()
    push(federation.alpha)
    assert titles(federation.alpha) == titles(federation.beta) == []
    with federation.alpha.app_context():
        text = select(Entry.payload).where(Entry.entry_id == entry_id)
        assert db.session.scalars(text).all() == [None]


def test_a_case_row_that_is_behind_follows_what_was_published(federation: Federation) -> None:
    with federation.alpha.app_context(), transaction():
        case = make_case(State.SIGNED, visibility="group")
        case_id, author_id = case.id, case.author_id
        gone = make_case(State.PUBLISHED, visibility="group", title="Gone").id
    federation.sync()
    put_back = save(federation.alpha)
    with federation.alpha.app_context(), transaction():
        keeper = make_actor(Role.SIGNATORY, Role.BRANCH_SECRETARY)
        cases.publish(keeper, case_id)
        cases.withdraw(keeper, gone, "Wrong figures")
    federation.sync()
    put_back()
    push(federation.alpha)
    with federation.alpha.app_context():
        case = db.session.get_one(Case, case_id)
        assert (case.state, case.rev, case.published_rev) == (State.PUBLISHED, 1, 1)
        assert db.session.get_one(Case, gone).state == State.WITHDRAWN
        assert db.session.get_one(Document, gone).audience is None
        with transaction():
            author = identity.actor_of(author_id)
            cases.edit(author, case_id, {"title": "Next"})
        assert db.session.get_one(Case, case_id).rev == 2, "no revision is published twice"
        assert db.session.get_one(Revision, (case_id, 1)).title != "Next"


def test_a_node_gets_back_only_what_is_its_own(federation: Federation) -> None:
    publish(federation.alpha, GROUP)
    publish(federation.beta, GROUP)
    federation.sync()
    with federation.beta.app_context():
        client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
        items = client.get("/fed/v1/ingest/items", {"ch": GROUP})["items"]
        own = {json.loads(item["release"]["p"])["iss"] for item in items}
        assert own == {"https://beta.test"}
        last = chain_of(federation.headquarters, "https://beta.test")
        place = {"ch": GROUP, "after": f"{last[0]}:{last[1]}"}
        assert client.get("/fed/v1/ingest/items", place)["items"] == []
        for wrong, code in (
            (place | {"digest": "0" * 64}, "other_release"),
            ({"ch": GROUP, "after": f"{last[0]}:9"}, "cursor_gone"),
            ({"ch": "local"}, "invalid"),
        ):
            with pytest.raises(RefusedError) as refusal:
                client.get("/fed/v1/ingest/items", wrong)
            assert refusal.value.refusal == code


def test_a_partner_asks_in_vain_for_what_it_published(federation: Federation) -> None:
    with federation.partner.app_context():
        client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
        with pytest.raises(RefusedError) as refusal:
            client.get("/fed/v1/ingest/items", {"ch": "public"})
    assert refusal.value.answered == 403


def test_a_restored_headquarters_gives_no_number_out_twice(federation: Federation) -> None:
    publish(federation.alpha, GROUP, title="备份以前")
    publish(federation.headquarters, GROUP, title="总部以前")
    federation.sync()
    put_back = save(federation.headquarters)
    publish(federation.alpha, GROUP, title="备份以后")
    publish(federation.headquarters, GROUP, title="总部丢失")
    federation.sync()
    with federation.headquarters.app_context():
        old = db.session.get_one(Head, GROUP).epoch
    put_back()
    with federation.beta.app_context(), pytest.raises(RefusedError) as refusal:
        puller.pull(HEADQUARTERS)
    assert refusal.value.refusal == "cursor_ahead"
    with federation.headquarters.app_context():
        assert db.session.get_one(Head, GROUP).epoch != old
    assert "log.rewound" in actions(federation.headquarters)
    publish(federation.headquarters, GROUP, title="总部以后")
    federation.sync()
    expected = ["备份以前", "备份以后", "总部以前", "总部以后"]
    assert titles(federation.headquarters) == expected
    assert titles(federation.beta) == sorted([*expected, "总部丢失"])
    for node in (federation.headquarters, federation.alpha, federation.beta):
        assert frozen(node) == []
        assert codes(node) == []


def test_a_reader_that_lies_about_its_cursor_makes_others_read_again_once_an_hour(
    federation: Federation,
) -> None:
    publish(federation.alpha, GROUP)
    federation.sync()

    def claim() -> str:
        with federation.headquarters.app_context():
            head = db.session.get_one(Head, GROUP)
            cursor = f"{head.epoch}:{head.seq + 1000}"
        with federation.beta.app_context():
            client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
            with pytest.raises(RefusedError) as refusal:
                client.get("/fed/v1/channels/group/items", {"after": cursor})
        assert (refusal.value.answered, refusal.value.refusal) == (409, "cursor_ahead")
        with federation.headquarters.app_context():
            return db.session.get_one(Head, GROUP).epoch

    first = claim()
    assert claim() == first
    assert actions(federation.headquarters).count("log.rewound") == 1
    with federation.headquarters.app_context(), transaction():
        an_hour_ago = clock.now() - 1.1 * rewinding.SELDOM
        name = Cursor.name == "rewound group"
        db.session.execute(update(Cursor).where(name).values(moved_at=an_hour_ago))
    assert claim() != first
    federation.sync()
    assert titles(federation.beta) == ["划好责任区"]


def test_a_channel_that_is_closed_is_not_renamed_by_a_cursor(federation: Federation) -> None:
    with federation.headquarters.app_context():
        head = db.session.get_one(Head, "dir")
        before, cursor = head.epoch, f"{head.epoch}:{head.seq + 9}"
    with federation.partner.app_context():
        client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
        with pytest.raises(RefusedError) as refusal:
            client.get("/fed/v1/channels/dir/items", {"after": cursor})
    assert refusal.value.answered == 403
    with federation.headquarters.app_context():
        assert db.session.get_one(Head, "dir").epoch == before


def test_a_relay_that_leaves_something_out_is_named_once_the_gap_lasts(
    federation: Federation,
) -> None:
    one = sign(federation.alpha, str(uuid4()))
    prev = digest(one["release"]["p"])
    two = sign(federation.alpha, str(uuid4()), seq=2, prev=prev)
    assert serve(federation.beta, two) == ["gap"]
    pull(federation.beta)
    assert codes(federation.beta) == ["gap"]
    with federation.beta.app_context(), transaction():
        long_ago = clock.now() - 2 * quarantine.PATIENCE
        db.session.execute(update(Quarantined).values(quarantined_at=long_ago))
    pull(federation.beta)
    with federation.beta.app_context():
        row = db.session.scalars(select(Quarantined)).one()
        assert (row.code, row.is_parked) == ("omitted", True)
        assert row.reason.startswith(f"{HEADQUARTERS} left out")
    page = administrator(federation.beta).get("/admin/federation/peers")
    assert f"does not serve all of {ALPHA}" in page.text
    assert serve(federation.beta, one) == [None]
    with federation.beta.app_context(), transaction():
        assert quarantine.retry_parked() == 1
    assert codes(federation.beta) == []
