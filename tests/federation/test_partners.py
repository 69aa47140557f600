"""What passes between enterprises: as far as the agreement goes, and no longer than it holds."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from hub import clock
from hub.audit.models import AuditEntry
from hub.cases.models import Case, Document, State
from hub.config import of_this_node
from hub.database import db, transaction
from hub.errors import HubError
from hub.federation import (
    agreements,
    closing,
    directory,
    hiding,
    peering,
    preview,
    puller,
    pusher,
    reconciling,
)
from hub.federation.agreements import Agreement
from hub.federation.client import PeerClient
from hub.federation.errors import MalformedError, RefusedError
from hub.federation.models import Quarantined
from hub.identity.models import EVERYBODY, MEMBERS
from hub.journal import log
from hub.journal.errors import VerificationError
from hub.journal.models import GROUP, PUBLIC, PUT, Entry, Live, LogItem
from hub.journal.signing import node_keys
from hub.registry import service as registry
from hub.registry.errors import ClosedError
from hub.registry.models import Hiding, Peer, PeerKind, PeerState
from hub.search import follower as search
from hub.search import service as searching
from tests.factories import make_case
from tests.federation import test_exchange
from tests.federation.test_exchange import publish, quarantine, readdress, titles
from tests.federation.test_urls import get, post, refusal
from tests.in_process import accept, connect, invite, join, pair

HQ, PARTNER = "https://headquarters.test", "https://partner.test"
OURS, THEIRS = "partner:acme", "partner:globex"  # Channels, by who reads them.

federation = test_exchange.federation


def agree(node: Flask, enterprise: str, **terms: Any) -> None:
    with node.app_context(), transaction():
        db.session.execute(update(Peer).where(Peer.enterprise == enterprise).values(**terms))


def review(*nodes: Flask) -> None:
    for node in nodes:
        with node.app_context():
            hiding.review()


def pull(node: Flask) -> None:
    with node.app_context():
        puller.pull_all()


def close(node: Flask, origin: str = PARTNER) -> None:
    with node.app_context(), transaction():
        closing.close(origin)


def state_of(node: Flask, origin: str) -> str:
    with node.app_context():
        return registry.find_peer(origin).state


def texts(node: Flask, entry_id: str) -> list[str]:
    """Return what is stored of an entry, wherever a text may be."""
    with node.app_context():
        kept = select(Entry.payload).where(Entry.entry_id == entry_id, Entry.payload.is_not(None))
        shown = select(Document.title).where(Document.entry_id == entry_id)
        held = select(Quarantined.raw)
        return [text for query in (kept, shown, held) for text in db.session.scalars(query)]


def found(node: Flask, words: str) -> int | None:
    """Return how many cases a reader of the node finds, before and after the index has followed."""
    with node.app_context():
        before = searching.search(words, audiences={EVERYBODY, MEMBERS}).hits
        search.follow_once()
        of_this_node(search.Follower).close()
        after = searching.search(words, audiences={EVERYBODY, MEMBERS})
        assert len(after.hits) == after.total
        assert not before or after.total
        return after.total


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch, **away: int) -> Iterator[None]:
    now = clock.now() + timedelta(**away)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: now)
        yield


# The agreement


def test_a_category_that_is_not_agreed_is_refused_to_the_node_that_publishes_it(federation):
    agree(federation.headquarters, "globex", categories=["brand"])
    entry_id = publish(
        federation.alpha, GROUP, THEIRS, title="不在协议", category="business_integration"
    )
    sent = federation.network.seen
    with federation.alpha.app_context():
        pusher.push(HQ)
    assert ("POST", f"{HQ}/fed/v1/ingest") in sent
    federation.sync()
    assert titles(federation.partner) == []
    assert texts(federation.partner, entry_id) == []
    assert titles(federation.beta) == ["不在协议"]


def test_the_url_says_not_agreed_and_the_chain_goes_on(headquarters, alpha, partner):
    join(headquarters, alpha)
    pair(headquarters, partner, Agreement(categories=("brand",)))
    publish(alpha, THEIRS, title="一", category="business_integration")
    publish(alpha, THEIRS, title="二", category="brand")
    with alpha.app_context():
        items = [item for _, item in pusher._items(*chain(alpha, THEIRS), 0)]
    answer = post(alpha, "/fed/v1/ingest", {"ch": THEIRS, "items": items})
    assert [(row["index"], row["code"]) for row in answer["refused"]] == [(0, "not_agreed")]
    assert len(answer["accepted"]) == 1
    pull(partner)
    assert titles(partner) == ["二"]
    assert quarantine(partner) == quarantine(headquarters) == []


def chain(node: Flask, channel: str) -> tuple[str, str]:
    with node.app_context():
        [epoch] = {epoch for name, epoch, _ in pusher.own_chains() if name == channel}
    return channel, epoch


def test_a_refused_case_is_taken_back_from_the_partner_and_pushing_ends(federation):
    agree(federation.headquarters, "globex", categories=["brand"])
    federation.sync()
    with federation.alpha.app_context():
        with transaction():
            case = make_case(State.PUBLISHED, visibility="partners", partners=["globex"])
            case_id = case.id
        heads = pusher.push(HQ)
        assert pusher.is_behind(heads), "the retraction is still to be sent"
        heads = pusher.push(HQ, heads)
        assert not pusher.is_behind(heads)
        case = db.session.get_one(Case, case_id)
        assert (case.visibility, case.partners) == ("group", [])
        noted = select(AuditEntry.subject).where(AuditEntry.action == "case.not_agreed")
        assert db.session.scalars(noted).all() == [str(case_id)]
    federation.sync()
    assert titles(federation.beta) == ["Dry docking without night shifts"]
    assert titles(federation.partner) == []
    assert quarantine(federation.partner) == []


def test_headquarters_refuses_its_own_author_at_once(headquarters, partner):
    pair(headquarters, partner, Agreement(categories=("brand",)))
    with headquarters.app_context(), pytest.raises(HubError) as refused, transaction():
        make_case(State.PUBLISHED, visibility="partners", partners=["globex"])
    assert refused.value.code == "not_agreed"


def test_what_the_agreement_no_longer_covers_is_not_served(federation):
    publish(federation.headquarters, GROUP, THEIRS, category="business_integration")
    agree(federation.headquarters, "globex", categories=["brand"])
    page = get(federation.partner, f"/fed/v1/channels/{THEIRS}/items", after="0")
    assert [item["entry"] is None for item in page["items"]].count(True) == 1
    assert "划好责任区" not in json.dumps(page, ensure_ascii=False)


def test_what_is_no_longer_agreed_is_in_no_snapshot_and_goes_with_the_next_comparison(federation):
    entry_id = publish(federation.headquarters, GROUP, THEIRS, category="business_integration")
    federation.sync()
    agree(federation.headquarters, "globex", categories=["brand"])
    told = get(federation.partner, f"/fed/v1/channels/{THEIRS}/snapshot")
    with federation.partner.app_context():
        client = PeerClient.for_peer(registry.find_peer(HQ))
        at = f"/fed/v1/channels/{THEIRS}"
        parts = [client.download(f"{at}/snapshot/{part['name']}") for part in told["parts"]]
        assert "划好责任区" not in b"".join(map(gzip.decompress, parts)).decode()
        assert client.get(f"{at}/items/{end_of_log(client)}")["item"]["entry"] is None
        reconciling.compare(HQ, THEIRS)
    assert set(texts(federation.partner, entry_id)) == {""}


def end_of_log(client: PeerClient) -> int:
    """Return the last place of the log that the partner reads."""
    listed = client.get("/fed/v1/channels")["channels"]
    return int(next(row["head"] for row in listed if row["ch"] == THEIRS).rpartition(":")[2])


def test_an_agreement_without_the_public_channel_closes_it(headquarters, alpha, partner):
    join(headquarters, alpha)
    pair(headquarters, partner, Agreement(shares_public=False))
    listed = get(partner, "/fed/v1/channels")["channels"]
    assert [row["ch"] for row in listed] == [THEIRS]
    assert refusal(partner, "/fed/v1/channels/public/items") == (403, "closed_channel")
    publish(alpha, GROUP, PUBLIC)
    with alpha.app_context():
        pusher.push(HQ)
    pull(partner)
    assert titles(partner) == []


def test_an_agreement_that_ended_hides_at_the_receiver_and_returns_with_a_new_one(federation):
    publish(federation.headquarters, GROUP, THEIRS)
    federation.sync()
    agree(federation.headquarters, "globex", agreement_ends_at=clock.now())
    with federation.partner.app_context(), pytest.raises(RefusedError):
        puller.pull(HQ)
    assert titles(federation.partner) == []
    with federation.partner.app_context():
        before = log.position()
        with pytest.raises(RefusedError):
            puller.pull(HQ)
        assert log.position() == before, "being refused again moves nothing"
    agree(federation.headquarters, "globex", agreement_ends_at=clock.now() + timedelta(days=9))
    pull(federation.partner)
    assert titles(federation.partner) == ["划好责任区"]


def test_an_agreement_that_ended_on_the_receivers_side_hides_too(federation):
    publish(federation.partner, GROUP, OURS)
    federation.sync()
    federation.sync()
    assert titles(federation.beta) == ["划好责任区"]
    agree(federation.headquarters, "globex", agreement_ends_at=clock.now())
    review(federation.headquarters)
    pull(federation.beta)
    assert titles(federation.headquarters) == titles(federation.beta) == []


def test_what_one_partner_reads_never_names_another(federation, make_node):
    third = make_node("third", enterprise="initech", role="headquarters")
    pair(federation.headquarters, third)
    connect(federation.headquarters, third)
    entry_id = publish(federation.alpha, GROUP, THEIRS, "partner:initech", title="给两家")
    federation.sync()
    pull(third)
    assert titles(third) == titles(federation.partner) == ["给两家"]
    page = get(third, "/fed/v1/channels/partner:initech/items", after="0")
    assert "globex" not in json.dumps([page, get(third, "/fed/v1/channels")])
    readdress(federation.alpha, entry_id, GROUP, "partner:initech")
    federation.sync()
    pull(third)
    assert (titles(third), titles(federation.partner)) == (["给两家"], [])
    page = get(third, "/fed/v1/channels/partner:initech/items", after="0")
    assert "globex" not in json.dumps(page)


def test_a_withdrawal_passes_after_the_agreement_and_closing_and_nothing_else_does(federation):
    entry_id = publish(federation.alpha, GROUP, THEIRS)
    federation.sync()
    for terms in ({"agreement_ends_at": clock.now()}, {"state": PeerState.CLOSED}):
        agree(federation.headquarters, "globex", **terms)
        late = publish(federation.alpha, THEIRS, title="太迟了")
        readdress(federation.alpha, entry_id, GROUP)
        with federation.alpha.app_context():
            assert not pusher.is_behind(pusher.push(HQ))
        assert texts(federation.headquarters, late) == []
        with federation.headquarters.app_context():
            left = select(Live.op).where(Live.entry_id == entry_id, Live.channel == THEIRS)
            assert db.session.scalars(left).all() == ["retract"]
        publish(federation.alpha, GROUP, THEIRS, rev=2, entry_id=entry_id)
        readdress(federation.alpha, entry_id, GROUP, THEIRS)
        readdress(federation.alpha, entry_id, GROUP)


def test_what_is_said_of_a_case_is_covered_as_the_case_is(headquarters, partner):
    pair(headquarters, partner)
    case = publish(headquarters, GROUP, THEIRS, category="business_integration")
    said = {"type": "question", "parent": {"origin": HQ, "id": case}, "fields": {}}
    with headquarters.app_context():
        assert agreements.covers(["business_integration"], THEIRS, said)
        assert not agreements.covers(["brand"], THEIRS, said)
        assert not agreements.covers(agreements.NOTHING, THEIRS, said)


def test_the_preview_shows_no_category_that_is_not_agreed(headquarters, partner):
    pair(headquarters, partner)
    publish(headquarters, GROUP, THEIRS, category="business_integration")
    publish(headquarters, GROUP, PUBLIC, title="公开的", category="business_integration")
    agree(headquarters, "globex", categories=["brand"])
    with headquarters.app_context():
        shown, total = preview.readable_by(preview.find_partner("globex"), 1)
        assert ([each.title for each in shown], total) == (["公开的"], 1)


def test_terms_confirmed_after_an_invitation_outlast_it(headquarters, partner):
    connect(headquarters, partner)
    accept(headquarters, invite(partner, headquarters, PeerKind.PARTNER))
    code = invite(headquarters, partner, PeerKind.PARTNER)
    with headquarters.app_context(), transaction():
        peer = registry.find_peer(PARTNER)
        peering.confirm(PARTNER, peer.fingerprint, Agreement(categories=("brand",)))
    accept(partner, code)
    with headquarters.app_context():
        assert registry.find_peer(PARTNER).categories == ["brand"]


def test_only_our_headquarters_hides_a_partner(federation):
    publish(federation.alpha, GROUP, title="自家的")
    federation.sync()
    with federation.partner.app_context(), transaction():
        fields = {"enterprise": "globex", "state": "hidden"}
        directory._publish("partner", str(uuid4()), 1, fields, {OURS})
    federation.sync()
    with federation.headquarters.app_context():
        assert hiding.reasons() == {}


# Closing for good


def test_closing_hides_at_once_on_both_sides_and_on_every_node(federation):
    publish(federation.headquarters, GROUP, THEIRS, title="我们的责任区")
    publish(federation.partner, GROUP, OURS, title="他们的责任区")
    federation.sync()
    federation.sync()
    assert found(federation.partner, "我们") == found(federation.beta, "他们") == 1
    close(federation.headquarters)
    assert titles(federation.headquarters) == ["我们的责任区"]
    assert found(federation.headquarters, "他们") == 0
    pull(federation.partner)
    assert titles(federation.partner) == ["他们的责任区"]
    assert found(federation.partner, "我们") == 0
    pull(federation.beta)
    assert found(federation.beta, "他们") == 0
    assert state_of(federation.partner, HQ) == PeerState.CLOSED


def test_a_closed_partner_is_told_so_once_more_and_gets_nothing_else(federation):
    close(federation.headquarters)
    answer = get(federation.partner, "/fed/v1/channels", wait=25)
    told = json.loads(answer["closure"]["p"])
    assert answer["channels"] == []
    assert (told["iss"], told["sub"]) == (HQ, PARTNER)
    assert told["channels"][THEIRS]["from"] > 1
    assert json.loads(answer["closure"]["h"])["typ"] == "jw-closure+jws"
    for path in (f"/fed/v1/channels/{THEIRS}/items", "/fed/v1/channels/public/items"):
        assert refusal(federation.partner, path) == (403, "peer_closed")
    with pytest.raises(RefusedError) as caught:
        post(federation.partner, "/fed/v1/hint", {"heads": {}})
    assert caught.value.refusal == "peer_closed"


def test_only_the_partners_own_statement_about_us_closes_anything(federation):
    with federation.partner.app_context():
        theirs = node_keys()
    with federation.headquarters.app_context():
        ours = node_keys()
        good = {"v": 1, "iss": PARTNER, "sub": HQ, "iat": clock.timestamp(), "channels": {}}
        for signer, typ, changes in (
            (ours, closing.CLOSURE, {}),
            (theirs, "jw-release+jws", {}),
            (theirs, closing.CLOSURE, {"iss": "https://third.test"}),
            (theirs, closing.CLOSURE, {"sub": "https://third.test"}),
            (theirs, closing.CLOSURE, {"v": 2}),
        ):
            wire = signer.sign(good | changes, typ).as_wire()
            with pytest.raises((VerificationError, MalformedError)), transaction():
                closing.receive(PARTNER, wire)
        for wire in (None, [], {"h": "", "p": "", "s": ""}):
            with pytest.raises(VerificationError), transaction():
                closing.receive(PARTNER, wire)
        assert registry.find_peer(PARTNER).state == PeerState.LIVE
        with transaction():
            closing.receive(PARTNER, theirs.sign(good, closing.CLOSURE).as_wire())
        assert registry.find_peer(PARTNER).state == PeerState.CLOSED


def test_a_closed_peering_is_purged_within_a_day_and_never_sooner_than_said(
    federation, monkeypatch
):
    entry_id = publish(federation.partner, GROUP, OURS)
    federation.sync()
    federation.sync()
    close(federation.headquarters)
    pull(federation.beta)
    nodes = (federation.headquarters, federation.beta)
    review(*nodes)
    assert all(texts(node, entry_id) for node in nodes)
    with later(monkeypatch, hours=13):
        review(*nodes)
        review(*nodes)
    assert [texts(node, entry_id) for node in nodes] == [[], []]
    assert texts(federation.partner, entry_id), "its own stay"
    with federation.headquarters.app_context():
        purged = select(Hiding.purged_at).where(Hiding.enterprise == "globex")
        assert all(db.session.scalars(purged))


def test_a_purge_that_was_killed_is_done_again(federation, monkeypatch):
    entry_id = publish(federation.partner, GROUP, OURS)
    federation.sync()
    close(federation.headquarters)
    with later(monkeypatch, hours=13):
        with monkeypatch.context() as patch:
            patch.setattr(hiding, "or_", lambda *conditions: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                review(federation.headquarters)
        assert texts(federation.headquarters, entry_id)
        review(federation.headquarters)
    assert texts(federation.headquarters, entry_id) == []


def test_what_arrives_after_closure_from_the_log_is_not_shown(federation):
    publish(federation.partner, GROUP, OURS)
    pull(federation.headquarters)
    close(federation.headquarters)
    pull(federation.beta)
    assert titles(federation.beta) == []


def test_a_closed_peering_opens_again_by_new_invitations_only(federation):
    publish(federation.headquarters, GROUP, THEIRS)
    federation.sync()
    close(federation.headquarters)
    pull(federation.partner)
    with federation.headquarters.app_context():
        with pytest.raises(ClosedError), transaction():
            peering.suspend(PARTNER)
        with transaction():
            peering.resume(PARTNER)
    assert state_of(federation.headquarters, PARTNER) == PeerState.CLOSED
    pair(federation.headquarters, federation.partner)
    assert state_of(federation.headquarters, PARTNER) == PeerState.LIVE
    assert state_of(federation.partner, HQ) == PeerState.LIVE
    publish(federation.alpha, GROUP, THEIRS, title="新的开始")
    federation.sync()
    assert "新的开始" in titles(federation.partner)
    assert quarantine(federation.partner) == []


def test_an_invitation_from_before_closure_opens_nothing(federation):
    code = invite(federation.headquarters, federation.partner, PeerKind.PARTNER)
    close(federation.headquarters)
    with pytest.raises(RefusedError) as caught:
        accept(federation.partner, code)
    assert caught.value.refusal == "invitation"


def test_a_node_of_our_own_is_not_closed(federation):
    with pytest.raises(HubError):
        close(federation.headquarters, "https://alpha.test")
    assert state_of(federation.headquarters, "https://alpha.test") == PeerState.LIVE


# Leases


def test_a_partner_that_was_not_reached_for_a_week_is_hidden_until_it_is(federation, monkeypatch):
    publish(federation.partner, GROUP, OURS)
    publish(federation.alpha, GROUP, title="自家的")
    federation.sync()
    federation.sync()
    with later(monkeypatch, days=6):
        review(federation.headquarters)
        assert titles(federation.headquarters) == ["划好责任区", "自家的"]
    with later(monkeypatch, days=7, minutes=1):
        review(federation.headquarters)
        assert titles(federation.headquarters) == ["自家的"]
        assert found(federation.headquarters, "责任区") == 0
        pull(federation.beta)
        assert titles(federation.beta) == ["自家的"]
        agree(federation.headquarters, "globex", agreement_ends_at=clock.now() + timedelta(days=9))
        pull(federation.headquarters)
        assert titles(federation.headquarters) == ["划好责任区", "自家的"]
        assert found(federation.headquarters, "责任区") == 1
        pull(federation.beta)
        assert titles(federation.beta) == ["划好责任区", "自家的"]


def test_a_node_cut_off_from_headquarters_hides_what_partners_opened(federation, monkeypatch):
    publish(federation.partner, GROUP, OURS)
    publish(federation.alpha, GROUP, title="自家的")
    federation.sync()
    federation.sync()
    with later(monkeypatch, days=7, minutes=1):
        review(federation.beta)
        assert titles(federation.beta) == ["自家的"]
        pull(federation.beta)
        assert titles(federation.beta) == ["划好责任区", "自家的"]


def test_a_partners_withdrawal_reaches_what_is_hidden(federation, monkeypatch):
    entry_id = publish(federation.partner, GROUP, OURS)
    federation.sync()
    with later(monkeypatch, days=7, minutes=1):
        review(federation.headquarters)
        readdress(federation.partner, entry_id, GROUP)
        pull(federation.headquarters)
        assert titles(federation.headquarters) == []
        assert texts(federation.headquarters, entry_id) == [""]


def test_hiding_leaves_every_log_as_it_is(federation, monkeypatch):
    publish(federation.partner, GROUP, OURS)
    federation.sync()
    federation.sync()

    def offered() -> int | None:
        with federation.headquarters.app_context():
            own = LogItem.channel != "dir"
            return db.session.scalar(select(func.count()).select_from(LogItem).where(own))

    before = offered()
    with later(monkeypatch, days=8):
        review(federation.headquarters)
        assert offered() == before
        with federation.headquarters.app_context():
            live = select(Live.channel).where(Live.op == PUT, Live.channel == "local")
            assert db.session.scalars(live).all() == []
