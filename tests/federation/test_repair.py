"""What happens when a node comes back from a backup, or leaves something out."""

import json
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select, update

from hub import clock
from hub.cases import service as cases
from hub.cases.models import Case, Document, Revision, State
from hub.database import db, transaction
from hub.federation import omissions, puller, pusher, quarantine, recovery, relay, rewinding
from hub.federation.client import PeerClient
from hub.federation.errors import RefusedError, UnreachableError
from hub.federation.models import Quarantined
from hub.federation.protocol import ChannelCursor, cursor_name
from hub.identity import service as identity
from hub.identity.models import Role
from hub.journal import log, outbox, succession
from hub.journal.errors import RecoveringError
from hub.journal.models import (
    GROUP,
    JOURNAL,
    LOCAL,
    PUBLIC,
    Cursor,
    Entry,
    Head,
    Recovery,
    Release,
)
from hub.journal.signing import ENTRY, digest, node_keys
from hub.registry import service as registry
from tests.factories import make_actor, make_case, make_person, make_token, root_organisation
from tests.federation.backups import save
from tests.federation.contradictions import (
    ALPHA,
    HEADQUARTERS,
    Group,
    actions,
    chain_of,
    frozen,
    pull,
    push,
    serve,
    sign,
)
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

__all__ = ["federation"]


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
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_back = save(group.alpha)
    publish(group.alpha, GROUP, title="备份以后")
    group.sync()
    put_back()

    def lose(*args: object) -> None:
        raise UnreachableError(HEADQUARTERS, "no connection")

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "_fetch", lose)
        with group.alpha.app_context(), pytest.raises(UnreachableError):
            pusher.push(HEADQUARTERS)
    with pytest.raises(RecoveringError) as refusal:
        publish(group.alpha, GROUP)
    assert (refusal.value.status, refusal.value.code) == (503, "recovering")
    publish(group.alpha, LOCAL)
    push(group.alpha)
    publish(group.alpha, GROUP, title="又发表")
    group.sync()
    assert titles(group.beta) == ["又发表", "备份以后"]


def test_whoever_publishes_meanwhile_is_told_to_wait(group: Group) -> None:
    with group.alpha.app_context(), transaction():
        case_id = make_case(State.SIGNED, visibility="group").id
        signatory = make_person("", Role.SIGNATORY, organisation=root_organisation())
        token = make_token(signatory)
        log.lock_heads([GROUP])
        succession.wait_for(GROUP, "e", 7, None)
    address = f"/api/v1/cases/{case_id}/publication"
    bearer = {"Authorization": f"Bearer {token}"}
    answer = group.alpha.test_client().post(address, headers=bearer, json={})
    assert (answer.status_code, answer.json["code"]) == (503, "recovering")
    with group.alpha.app_context():
        assert db.session.get_one(Case, case_id).state == State.SIGNED
    page = administrator(group.alpha).get("/admin/federation/peers")
    assert "publishes nothing meanwhile in: cases of the group" in page.text


def test_what_was_published_before_headquarters_was_asked_begins_a_new_epoch(
    group: Group,
) -> None:
    publish(group.alpha, GROUP, title="备份以前")
    group.sync()
    put_back = save(group.alpha)
    publish(group.alpha, GROUP, title="丢失")
    publish(group.alpha, GROUP, title="也丢失")
    group.sync()
    old = chain_of(group.headquarters)
    put_back()
    publish(group.alpha, GROUP, title="太早发表")
    push(group.alpha)
    epoch, seq, _ = chain_of(group.headquarters)
    assert (seq, epoch == old[0]) == (1, False)
    group.sync()
    assert titles(group.beta) == ["丢失", "也丢失", "备份以前", "太早发表"]
    for node in (group.headquarters, group.beta):
        assert frozen(node) == []
    with group.beta.app_context():
        first = db.session.scalars(select(Release).where(Release.epoch == epoch)).one()
        assert json.loads(first.payload)["after"] == {"epoch": old[0], "seq": old[1]}


def test_what_was_published_in_an_epoch_that_headquarters_never_had_arrives_too(
    group: Group,
) -> None:
    put_back = save(group.alpha)
    publish(group.alpha, GROUP, title="丢失")
    group.sync()
    for title in ("太早发表", "又太早发表"):
        old = chain_of(group.headquarters)
        put_back()
        publish(group.alpha, GROUP, title=title)
        push(group.alpha)
        epoch, seq, _ = chain_of(group.headquarters)
        assert (seq, epoch == old[0]) == (1, False)
    group.sync()
    assert titles(group.beta) == ["丢失", "又太早发表", "太早发表"]
    for node in (group.headquarters, group.beta):
        assert codes(node) == []
        assert frozen(node) == []


def test_what_headquarters_can_give_no_more_is_named_by_a_new_epoch(
    group: Group,
) -> None:
    publish(group.alpha, GROUP, title="备份以前")
    group.sync()
    put_back = save(group.alpha)
    publish(group.alpha, GROUP, title="丢失")
    group.sync()
    old = chain_of(group.headquarters)
    with group.headquarters.app_context(), transaction():
        rows = (Release.iss == ALPHA, Release.channel == GROUP)
        db.session.execute(db.delete(Release).where(*rows))
    put_back()
    for _ in range(2):
        push(group.alpha)
        with group.alpha.app_context():
            assert not db.session.scalars(select(Recovery)).one().is_waiting
    assert actions(group.alpha).count("node.recovering") == 1
    publish(group.alpha, GROUP, title="恢复以后")
    push(group.alpha)
    push(group.alpha)
    epoch, seq, _ = chain_of(group.headquarters)
    assert (seq, epoch == old[0]) == (1, False)
    assert titles(group.headquarters) == ["丢失", "备份以前", "恢复以后"]


def test_a_text_that_was_withdrawn_does_not_come_back_with_the_chain(
    group: Group,
) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    put_back = save(group.alpha)
    readdress(group.alpha, entry_id)
    group.sync()
    put_back()
    push(group.alpha)
    assert titles(group.alpha) == titles(group.beta) == []
    with group.alpha.app_context():
        text = select(Entry.payload).where(Entry.entry_id == entry_id)
        assert db.session.scalars(text).all() == [None]


def test_a_case_row_that_is_behind_follows_what_was_published(group: Group) -> None:
    with group.alpha.app_context(), transaction():
        case = make_case(State.SIGNED, visibility="group")
        case_id, author_id = case.id, case.author_id
        gone = make_case(State.PUBLISHED, visibility="group", title="Gone").id
    group.sync()
    put_back = save(group.alpha)
    with group.alpha.app_context(), transaction():
        keeper = make_actor(Role.SIGNATORY, Role.BRANCH_SECRETARY)
        cases.publish(keeper, case_id)
        cases.withdraw(keeper, gone, "Wrong figures")
    group.sync()
    put_back()
    push(group.alpha)
    with group.alpha.app_context():
        case = db.session.get_one(Case, case_id)
        assert (case.state, case.rev, case.published_rev) == (State.PUBLISHED, 1, 1)
        assert db.session.get_one(Case, gone).state == State.WITHDRAWN
        assert db.session.get_one(Document, gone).audience is None
        with transaction():
            author = identity.actor_of(author_id)
            cases.edit(author, case_id, {"title": "Next"})
        assert db.session.get_one(Case, case_id).rev == 2, "no revision is published twice"
        assert db.session.get_one(Revision, (case_id, 1)).title != "Next"


def test_a_node_gets_back_only_what_is_its_own(group: Group) -> None:
    publish(group.alpha, GROUP)
    publish(group.beta, GROUP)
    group.sync()
    with group.beta.app_context():
        client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
        items = client.get("/fed/v1/ingest/items", {"ch": GROUP})["items"]
        own = {json.loads(item["release"]["p"])["iss"] for item in items}
        assert own == {"https://beta.test"}
        last = chain_of(group.headquarters, "https://beta.test")
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


def test_a_restored_headquarters_gives_no_number_out_twice(group: Group) -> None:
    publish(group.alpha, GROUP, title="备份以前")
    publish(group.headquarters, GROUP, title="总部以前")
    group.sync()
    put_back = save(group.headquarters)
    publish(group.alpha, GROUP, title="备份以后")
    publish(group.headquarters, GROUP, title="总部丢失")
    group.sync()
    with group.headquarters.app_context(), transaction():
        old = {head.name: head.epoch for head in db.session.scalars(select(Head))}
    put_back()
    with group.beta.app_context(), pytest.raises(RefusedError) as refusal:
        puller.pull(HEADQUARTERS)
    assert refusal.value.refusal == "cursor_ahead"
    with group.headquarters.app_context():
        new = {head.name: head.epoch for head in db.session.scalars(select(Head))}
        assert {name for name in new if new[name] == old[name]} == {JOURNAL}
    assert "log.rewound" in actions(group.headquarters)
    publish(group.headquarters, GROUP, title="总部以后")
    group.sync()
    expected = ["备份以前", "备份以后", "总部以前", "总部以后"]
    assert titles(group.headquarters) == expected
    assert titles(group.beta) == sorted([*expected, "总部丢失"])
    for node in (group.headquarters, group.alpha, group.beta):
        assert frozen(node) == []
        assert codes(node) == []


def test_feedback_that_waits_is_counted_anew_after_a_restore(group: Group) -> None:
    with group.headquarters.app_context(), transaction():
        log.lock_heads([GROUP])
        outbox.put(ALPHA, [node_keys().sign({"v": 1}, ENTRY)])
        before, head = outbox.head_of(ALPHA), db.session.get_one(Head, "dir")
        rewinding.begin_anew("dir", ChannelCursor(head.epoch, head.seq + 1), seen_by=ALPHA)
        db.session.expire_all()
        after = outbox.head_of(ALPHA)
    assert before
    assert after
    assert before[0] != after[0]


def test_a_headquarters_may_lose_its_first_release_and_be_restored_twice(group: Group) -> None:
    put_back = save(group.headquarters)
    publish(group.headquarters, GROUP, title="丢失")
    group.sync()
    for title in ("第一次恢复", "第二次恢复"):
        put_back()
        publish(group.headquarters, GROUP, title=title)
        with group.beta.app_context(), transaction():
            log.drop_cursor(cursor_name(HEADQUARTERS, GROUP))
        pull(group.beta)
    assert titles(group.beta) == sorted(["丢失", "第一次恢复", "第二次恢复"])
    assert codes(group.beta) == []


def test_a_log_that_grew_past_its_readers_is_read_again_once_a_gap_lasts(group: Group) -> None:
    publish(group.alpha, GROUP, title="一")
    publish(group.alpha, GROUP, title="二")
    push(group.alpha)
    with group.beta.app_context(), transaction():
        heads = relay_heads(group.headquarters)
        log.move_cursor(cursor_name(HEADQUARTERS, GROUP), heads)
    publish(group.alpha, GROUP, title="三")
    group.sync()
    assert codes(group.beta) == ["gap"]
    wait_for_the_gap(group.beta)
    pull(group.beta)
    assert codes(group.beta) == ["omitted"]
    pull(group.beta)
    assert codes(group.beta) == []
    assert len(titles(group.beta)) == 3


def test_what_came_and_was_refused_is_nobodys_omission(group: Group) -> None:
    one = sign(group.alpha, str(uuid4()))
    two = sign(group.alpha, str(uuid4()), seq=2, prev=digest(one["release"]["p"]))
    one["release"]["s"] = two["release"]["s"]
    assert serve(group.beta, one, two) == ["bad_signature", "gap"]
    wait_for_the_gap(group.beta)
    pull(group.beta)
    assert codes(group.beta) == ["bad_signature", "gap"]


def relay_heads(headquarters: Flask) -> str:
    with headquarters.app_context():
        return str(relay.heads_of([GROUP])[GROUP])


def wait_for_the_gap(node: Flask) -> None:
    with node.app_context(), transaction():
        long_ago = clock.now() - 2 * omissions.PATIENCE
        db.session.execute(update(Quarantined).values(quarantined_at=long_ago))


def test_a_reader_that_lies_about_its_cursor_makes_others_read_again_once_an_hour(
    group: Group,
) -> None:
    publish(group.alpha, GROUP)
    group.sync()

    def claim() -> str:
        with group.headquarters.app_context():
            head = db.session.get_one(Head, GROUP)
            cursor = f"{head.epoch}:{head.seq + 1000}"
        with group.beta.app_context():
            client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
            with pytest.raises(RefusedError) as refusal:
                client.get("/fed/v1/channels/group/items", {"after": cursor})
        assert (refusal.value.answered, refusal.value.refusal) == (409, "cursor_ahead")
        with group.headquarters.app_context():
            return db.session.get_one(Head, GROUP).epoch

    first = claim()
    assert claim() == first
    assert actions(group.headquarters).count("log.rewound") == 1
    with group.headquarters.app_context(), transaction():
        an_hour_ago = clock.now() - 1.1 * rewinding.SELDOM
        name = Cursor.name == rewinding.REWOUND
        db.session.execute(update(Cursor).where(name).values(moved_at=an_hour_ago))
    assert claim() != first
    group.sync()
    assert titles(group.beta) == ["划好责任区"]


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
    group: Group,
) -> None:
    one = sign(group.alpha, str(uuid4()))
    prev = digest(one["release"]["p"])
    two = sign(group.alpha, str(uuid4()), seq=2, prev=prev)
    assert serve(group.beta, two) == ["gap"]
    pull(group.beta)
    assert codes(group.beta) == ["gap"]
    wait_for_the_gap(group.beta)
    pull(group.beta)
    with group.beta.app_context():
        row = db.session.scalars(select(Quarantined)).one()
        assert (row.code, row.is_parked) == ("omitted", True)
        assert row.reason.startswith(f"{HEADQUARTERS} left out")
    page = administrator(group.beta).get("/admin/federation/peers")
    assert "Left out" in page.text
    assert serve(group.beta, one) == [None]
    with group.beta.app_context(), transaction():
        assert quarantine.retry_parked() == 1
    assert codes(group.beta) == []
