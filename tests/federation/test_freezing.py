"""What happens when a node contradicts itself."""

import html
import json
from uuid import uuid4

import pytest
from sqlalchemy import select

from hub.audit import service as audit
from hub.database import db, transaction
from hub.federation import freezing, quarantine
from hub.federation.client import PeerClient
from hub.federation.models import Frozen
from hub.journal import log
from hub.journal.models import (
    GROUP,
    Entry,
    Release,
)
from hub.journal.signing import ENTRY, digest, node_keys
from hub.registry import service as registry
from tests.federation.contradictions import (
    ALPHA,
    HEADQUARTERS,
    Group,
    actions,
    chain_of,
    fork_of,
    frozen,
    next_of,
    pull,
    push,
    serve,
    sign,
)
from tests.federation.test_cli import run
from tests.federation.test_exchange import (
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


def test_a_fork_freezes_its_issuer_and_keeps_both_versions(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    other = fork_of(group)
    assert serve(group.beta, other) == ["fork"]
    assert frozen(group.beta) == [(ALPHA, "fork", HEADQUARTERS)]
    with group.beta.app_context():
        row = db.session.scalars(select(Frozen)).one()
        known = db.session.scalars(select(Release).where(Release.channel == GROUP)).one()
        assert json.loads(row.known)["p"] == known.payload
        assert json.loads(row.other) == other["release"]
    assert "origin.frozen" in actions(group.beta)
    assert titles(group.beta) == ["划好责任区"], "what was shown stays"


@pytest.mark.on_both
def test_two_versions_shown_to_two_nodes_are_found_where_they_meet(group: Group) -> None:
    publish(group.alpha, GROUP)
    other = fork_of(group)
    push(group.alpha)
    assert serve(group.beta, other) == [None], "the first that beta sees"
    pull(group.beta)
    assert frozen(group.beta) == [(ALPHA, "fork", HEADQUARTERS)]
    with group.beta.app_context():
        row = db.session.scalars(select(Frozen)).one()
        assert json.loads(row.known) == other["release"]
        assert json.loads(json.loads(row.other)["p"])["seq"] == 1


def test_two_contents_of_one_revision_freeze_their_issuer(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    epoch, seq, last = chain_of(group.alpha)
    other = sign(group.alpha, entry_id, epoch=epoch, seq=seq + 1, prev=last)
    assert serve(group.beta, other) == ["equivocation"]
    assert frozen(group.beta) == [(ALPHA, "equivocation", HEADQUARTERS)]


def test_a_release_that_follows_another_history_is_a_fork(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    assert serve(group.beta, next_of(group, prev="0" * 64)) == ["fork"]
    assert frozen(group.beta) == [(ALPHA, "fork", HEADQUARTERS)]


def test_both_versions_in_one_page_freeze_their_issuer(group: Group) -> None:
    one = sign(group.alpha, str(uuid4()))
    two = sign(group.alpha, str(uuid4()))
    assert serve(group.beta, one, two) == [None, "fork"]
    assert frozen(group.beta)


def test_a_fork_at_ingest_freezes_the_node_that_sent_it(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    with group.alpha.app_context():
        client = PeerClient.for_peer(registry.find_peer(HEADQUARTERS))
        fork, later = fork_of(group), next_of(group)
        body = {"ch": GROUP, "items": [fork, later]}
        refused = client.post("/fed/v1/ingest", body)["refused"]
    assert [item["code"] for item in refused] == ["fork", "frozen_origin"]
    assert frozen(group.headquarters) == [(ALPHA, "fork", ALPHA)]
    pull(group.beta)
    assert len(releases(group.beta, GROUP)) == 1, "nothing of it is offered on"


@pytest.mark.on_both
def test_a_replay_freezes_nobody_and_changes_nothing(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    with group.beta.app_context():
        old = db.session.scalars(select(Release).where(Release.channel == GROUP)).one()
        text = db.session.scalars(select(Entry).where(Entry.entry_id == entry_id)).one()
        first = {
            "release": {"h": old.header, "p": old.payload, "s": old.signature},
            "entry": {"h": text.header, "p": text.payload, "s": text.signature},
        }
    readdress(group.alpha, entry_id)
    group.sync()
    with group.beta.app_context():
        before = log.position()
    assert serve(group.beta, first) == [None]
    assert frozen(group.beta) == []
    assert titles(group.beta) == []
    with group.beta.app_context():
        assert log.position() == before


def test_what_nobody_can_prove_freezes_nobody(group: Group) -> None:
    stray = sign(group.alpha, str(uuid4()), prev="0" * 64)
    assert serve(group.beta, stray) == ["fork"]
    assert frozen(group.beta) == []


def test_a_frozen_node_holds_nobody_else(group: Group) -> None:
    publish(group.alpha, GROUP, title="以前")
    group.sync()
    serve(group.beta, fork_of(group))
    publish(group.alpha, GROUP, title="以后")
    publish(group.headquarters, GROUP, title="总部的")
    group.sync()
    assert titles(group.beta) == ["以前", "总部的"]
    assert sorted(codes(group.beta)) == ["fork", "frozen_origin"]


def test_unfreezing_takes_in_what_waited(group: Group) -> None:
    publish(group.alpha, GROUP, title="以前")
    group.sync()
    other = fork_of(group)
    serve(group.beta, other)
    publish(group.alpha, GROUP, title="以后")
    group.sync()
    answer = run(group.beta, "unfreeze", ALPHA, "--reason", "called them")
    assert "1 items that waited were taken in" in answer.output
    assert titles(group.beta) == ["以前", "以后"]
    assert frozen(group.beta) == []
    serve(group.beta, other)
    assert frozen(group.beta) == [], "a person has seen this one"


@pytest.mark.on_both
def test_what_a_person_has_looked_at_may_replace_the_other_text(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    epoch, seq, last = chain_of(group.alpha)
    place = {"epoch": epoch, "seq": seq + 1, "prev": last}
    other = sign(group.alpha, entry_id, **place)
    later = sign(
        group.alpha,
        str(uuid4()),
        **place | {"seq": seq + 2, "prev": digest(other["release"]["p"])},
        title="以后",
    )
    assert serve(group.beta, other, later) == ["equivocation", "frozen_origin"]
    with group.beta.app_context(), transaction():
        freezing.unfreeze(ALPHA, reason="Two people had edited it")
        assert quarantine.retry_parked() == 2
    assert titles(group.beta) == ["以后", "另一个说法"]
    assert frozen(group.beta) == []


def test_feedback_with_the_id_of_a_case_proves_nothing_against_its_issuer(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    epoch, seq, last = chain_of(group.alpha)
    with group.beta.app_context():
        keys = node_keys()
    release = sign(group.alpha, entry_id, epoch=epoch, seq=seq + 1, prev=last)
    document = json.loads(release["entry"]["p"])
    words = keys.sign(
        document
        | {
            "origin": "https://beta.test",
            "type": "comment",
            "parent": {"origin": ALPHA, "id": entry_id},
        },
        ENTRY,
    )
    place = {"epoch": epoch, "seq": seq + 1, "prev": last, "digest": words.digest}
    release = sign(group.alpha, entry_id, **place)["release"]
    assert serve(group.beta, {"release": release, "entry": words.as_wire()}) == ["equivocation"]
    assert frozen(group.beta) == []


@pytest.mark.on_both
def test_an_administrator_sees_both_versions_and_lifts_it_with_a_reason(
    group: Group,
) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    serve(group.beta, fork_of(group))
    assert run(group.beta, "status").exit_code == 1
    browser = administrator(group.beta)
    with group.beta.app_context():
        evidence = f"/admin/federation/frozen/{db.session.scalars(select(Frozen.id)).one()}"
    place = f"{evidence}/resolution"
    peers = browser.get("/admin/federation/peers").text
    assert "Alpha contradicted itself" in peers
    assert f'href="{evidence}"' in peers
    page = browser.get(evidence)
    assert html.unescape(page.text).count('"seq": 1') == 2
    assert "What we had" in page.text
    assert group.beta.test_client().post(place).status_code in {302, 400, 401, 403}
    unknown = submit(browser, evidence, "/admin/federation/frozen/99/resolution", reason="?")
    assert unknown.status_code == 404
    assert submit(browser, evidence, place, reason="").status_code == 400
    assert frozen(group.beta), "not without a reason"
    submit(browser, evidence, place, reason="Restored from a backup")
    assert frozen(group.beta) == []
    assert browser.get(evidence).status_code == 404
    with group.beta.app_context():
        lifted = audit.entries(subject=ALPHA)[0]
        assert (lifted.action, lifted.detail["reason"]) == (
            "origin.unfrozen",
            "Restored from a backup",
        )


def test_a_new_epoch_is_taken_once_and_the_old_one_is_over(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    epoch, seq, last = chain_of(group.beta)
    after = {"epoch": epoch, "seq": seq}
    new = sign(group.alpha, str(uuid4()), epoch="new", after=after)
    another = sign(group.alpha, str(uuid4()), epoch="another", after=after)
    late = sign(group.alpha, str(uuid4()), epoch=epoch, seq=seq + 1, prev=last)
    assert serve(group.beta, new, another, late) == [
        None,
        "superseded_epoch",
        "superseded_epoch",
    ]
    assert serve(group.beta, new) == [None], "known"


def test_a_new_epoch_that_names_another_end_is_refused(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    epoch, seq, _ = chain_of(group.beta)
    end = {"epoch": epoch, "seq": seq}
    for after in ({"seq": 0}, {"epoch": "other"}, {"seq": "1"}, {"more": 1}, None):
        named = after and end | after
        new = sign(group.alpha, str(uuid4()), epoch="n", after=named)
        assert serve(group.beta, new)[0] in {"superseded_epoch", "malformed"}
    middle = sign(group.alpha, str(uuid4()), epoch="n", after=end, prev="0" * 64)
    assert serve(group.beta, middle) == ["malformed"]


@pytest.mark.on_both
def test_the_name_of_an_epoch_is_used_once(group: Group) -> None:
    one = sign(group.alpha, str(uuid4()))
    two = sign(group.alpha, str(uuid4()), epoch="f", after={"epoch": "e", "seq": 1})
    again = sign(group.alpha, str(uuid4()), after={"epoch": "f", "seq": 1})
    assert serve(group.beta, one, two, again) == [None, None, "superseded_epoch"]


def test_a_new_epoch_waits_for_the_end_of_the_old_one(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    epoch, seq, _ = chain_of(group.beta)
    last = next_of(group)
    new = sign(group.alpha, str(uuid4()), epoch="new", after={"epoch": epoch, "seq": seq + 1})
    assert serve(group.beta, new) == ["gap"]
    assert serve(group.beta, last) == [None]
    with group.beta.app_context(), transaction():
        assert quarantine.retry_parked() == 1
